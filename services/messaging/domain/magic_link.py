"""A link in a mail by which its reader answers an offer, or declines an inquiry, without logging in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.ids import is_id
from chassis.kernel.money import Money
from services.messaging.domain import refusals
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.notification import MAIL_POSTED
from services.messaging.domain.profile import EmailState, Profile
from services.messaging.domain.timeline import OPENING, EventType

LIFE: Final = timedelta(days=7)
"""How long a link works, unless what it is about ends before."""
KEPT: Final = timedelta(days=30)
"""How long a link is known after it was made, so that the first answer can be given again."""
SECRET_BYTES: Final = 32


class Kind(StrEnum):
    """What a link is about."""

    OFFER = "offer"
    INQUIRY = "inquiry"


class Action(StrEnum):
    """What a link can do."""

    ACCEPT = "accept"
    DECLINE = "decline"


ACTIONS: Final[Mapping[Kind, tuple[Action, ...]]] = {
    Kind.OFFER: (Action.ACCEPT, Action.DECLINE),
    Kind.INQUIRY: (Action.DECLINE,),
}
"""What each kind of link is for."""
ABOUT_OFFERS: Final = OPENING | {EventType.OFFER_EXPIRES_SOON}
"""What a buyer can answer by a link when he is told of it; of counter-offers he is told the seller's only."""

ABOUT_INQUIRIES: Final = frozenset({EventType.INQUIRY_STARTED.value, MAIL_POSTED})
"""What somebody of a seller's team is told when he can decline an inquiry by a link: that it began, and that
his own answer by mail was posted, which declines nothing.
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a link is about. `offer` and `revision` are empty, `total` is None for an inquiry."""

    kind: Kind
    conversation: str
    offer: str = ""
    revision: int = 0
    total: Money | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What a link was used for; `order` came of it, if any did."""

    action: Action
    time: datetime
    order: str = ""


@dataclass(frozen=True, slots=True)
class MagicLink:
    """What is kept of a link: of its secret only a hash. It speaks for `recipient` (`users/{user}`) alone."""

    id: str
    subject: Subject
    recipient: str
    secret_hash: str
    create_time: datetime
    use: Use | None = None

    @property
    def expire_time(self) -> datetime:
        """When it ends, exclusively."""
        return self.create_time + LIFE

    def key(self, action: Action) -> str:
        """The idempotency key of what it does: each of its uses is the same call."""
        return f"link-{self.id}-{action.value}"


def newest(subjects: Iterable[tuple[str, Subject]]) -> list[tuple[str, Subject]]:
    """Those notices of a mail (id, subject) that get a link: of an offer only the newest revision."""
    kept: dict[tuple[str, str], tuple[str, Subject]] = {}
    for notice, subject in subjects:
        about = (subject.conversation, subject.offer)
        if about not in kept or kept[about][1].revision < subject.revision:
            kept[about] = (notice, subject)
    return list(kept.values())


def issue(link_id: str, *, recipient: str, subject: Subject, secret: str, now: datetime) -> MagicLink:
    """A new link."""
    return MagicLink(link_id, subject, recipient, secret_hash(secret), now)


def token_of(link_id: str, secret: str) -> str:
    """What the mail carries: by which row it is looked up, and what proves it."""
    return f"{link_id}.{secret}"


def id_in(token: str) -> str:
    """The id in a token. Refusal LINK_INVALID."""
    link_id, _, _ = token.partition(".")
    if not is_id(link_id):
        raise refusals.link_invalid()
    return link_id


def prove(link: MagicLink | None, token: str) -> MagicLink:
    """The link, where the token is its own. Refusal LINK_INVALID."""
    secret = token.partition(".")[2]
    # A link that does not exist is compared as well, so that the time tells nothing.
    expected = link.secret_hash if link is not None else secret_hash("")
    if not hmac.compare_digest(expected, secret_hash(secret)) or link is None:
        raise refusals.link_invalid()
    return link


def check_live(link: MagicLink, *, holder: Profile, conversation: Conversation, now: datetime) -> None:
    """Refusal LINK_INVALID unless it is in time and its holder still is who he was when it was sent: somebody
    with a verified address, in his place in the conversation.
    """
    if now >= link.expire_time or holder.email_state is not EmailState.VERIFIED:
        raise refusals.link_invalid()
    if link.subject.kind is Kind.OFFER:
        holds = conversation.buyer == link.recipient
    else:
        holds = conversation.seller in holder.member_of(now)
    if not holds:
        raise refusals.link_invalid()


def action_of(link: MagicLink, name: str) -> Action:
    """The action of that name. Refusal LINK_ACTION_UNKNOWN where the link is not for it."""
    found = next((action for action in ACTIONS[link.subject.kind] if action.value == name), None)
    if found is None:
        raise refusals.link_action_unknown(action.value for action in ACTIONS[link.subject.kind])
    return found


def use(link: MagicLink, action: Action, *, order: str = "", now: datetime) -> MagicLink:
    """The link after its action; the very same one where that is what it was used for. Refusal LINK_USED."""
    if link.use is None:
        return replace(link, use=Use(action, now, order))
    if link.use.action is not action:
        raise refusals.link_used()
    return link


def secret_hash(secret: str) -> str:
    """What is stored instead of a secret: it has 256 bits, so that one hash cannot be turned back."""
    return hashlib.sha256(secret.encode()).hexdigest()
