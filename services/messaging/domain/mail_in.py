"""A mail that came in: what it is, whether its sender is who he says, and what becomes of it."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.caller import Caller, Role
from services.messaging.domain import mail_in_refusals as refusals
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.mail_content import HOPS_LIMIT, Letter
from services.messaging.domain.profile import EmailState, Profile
from services.messaging.domain.reply_address import ReplyAddress

KEEP_FOR: Final = timedelta(days=90)
"""How long it is known what became of a mail, and what it said."""
ANSWERED_ONCE: Final = timedelta(hours=24)
"""Within which somebody gets one copy at most of what he posts by mail in a conversation, and within which
the same text is not taken again: two machines that answer each other come to an end here.
"""
TEXT_LIMIT: Final = 20_000
"""Characters of a message."""
NULL_SENDERS: Final = frozenset({"", "<>"})

_MACHINE_PRECEDENCE: Final = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply"})
_MACHINE_HEADERS: Final = (
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply",
    "x-autoreply-from",
    "x-mail-autoreply",
    "list-id",
    "list-unsubscribe",
    "list-post",
    "list-help",
    "feedback-id",
)
_ABSENCES: Final = (
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto:",
    "out of office",
    "out of the office",
    "out-of-office",
    "automatische antwort",
    "abwesenheitsnotiz",
    "abwesenheit",
    "réponse automatique",
    "absence du bureau",
    "absent du bureau",
    "absente du bureau",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "assente dall'ufficio",
    "respuesta automática",
    "fuera de la oficina",
    "fuera de oficina",
    "ausente de la oficina",
)
"""How the subjects of machines begin that answer for somebody who is away."""


class Outcome(StrEnum):
    """What became of a mail; the names of the wire's without the prefix."""

    POSTED = "POSTED"
    REFUSED = "REFUSED"
    AUTOMATIC = "AUTOMATIC"
    BOUNCE = "BOUNCE"

    @property
    def final(self) -> bool:
        """Whether the same mail is answered alike when it comes again. Others are looked at anew: nobody can
        stand in the way of a mail by sending a refused one, or a machine's, before it.
        """
        return self is Outcome.POSTED


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """What is kept of a mail. `address` is the id of the reply address it came to, or of the mail that came
    back. `message` is what it became, empty where it became none; `reason` why not. `original` is its text as
    it came. `key` tells copies of it, `digest` what they say.
    """

    id: str
    address: str
    key: str
    user: str
    conversation: str
    outcome: Outcome
    digest: str
    create_time: datetime
    reason: str = ""
    message: str = ""
    original: str = ""
    left_out: int = 0

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.user}/receivedMails/{self.id}"


def key_of(letter: Letter) -> str:
    """What makes two mails to one address the same one: the Message-ID, else what they say."""
    known = letter.message_id or f"{letter.headers.get('date', '')}\0{letter.digest}"
    return hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()


def machine_sign(letter: Letter, sender: str) -> str:
    """What shows that no person wrote it; empty where nothing does."""
    headers = letter.headers
    if sender in NULL_SENDERS:
        return "NULL_SENDER"
    if headers.get("auto-submitted", "no").partition(";")[0].strip().lower() != "no":
        return "AUTO_SUBMITTED"
    if headers.get("precedence", "").strip().lower() in _MACHINE_PRECEDENCE:
        return "PRECEDENCE"
    if letter.content_type == "multipart/report":
        return "REPORT"
    if any(name in headers for name in _MACHINE_HEADERS):
        return "MACHINE_HEADER"
    if letter.hops > HOPS_LIMIT:
        return "TOO_MANY_HOPS"
    subject = unicodedata.normalize("NFC", letter.subject).casefold()
    return "ABSENCE" if subject.startswith(_ABSENCES) else ""


def check_sender(profile: Profile, letter: Letter, sender: str) -> None:
    """The mail claims to come from the verified address of whose reply address it used, in the envelope and
    to its reader. Refusal SENDER_UNVERIFIED.
    """
    is_verified = profile.email_state is EmailState.VERIFIED
    if not is_verified or not same_address(profile.email, letter.sender, sender):
        raise refusals.sender_unverified()


def same_address(address: str, *claimed: str) -> bool:
    """Whether all that is claimed is the address, in whatever case."""
    return bool(address) and all(each.lower() == address.lower() for each in claimed)


def check_text(letter: Letter, *, last_digests: tuple[str, ...]) -> None:
    """Refusals VALIDATION_FAILED for a text that is too long, MAIL_REPEATED for one that was just posted."""
    if len(letter.text) > TEXT_LIMIT:
        raise refusals.mail_too_long(TEXT_LIMIT)
    if letter.digest in last_digests:
        raise refusals.mail_repeated()


def writer(
    address: ReplyAddress, conversation: Conversation, profile: Profile, *, now: datetime
) -> Caller | None:
    """As whom `profile` writes to a conversation by a reply address: as he would after logging in. None where
    the address is worth nothing any more: it has expired, or he takes no part, or only by a grant that is
    younger than the address.
    """
    user = address.user
    if now >= address.expire_time:
        return None
    if conversation.buyer == user:
        return Caller(user, is_buyer=True)
    if conversation.seller in profile.member_of(now):
        return Caller(user, teams={conversation.seller: Role.SELLER_AGENT})
    copy = conversation.copy_of(user)
    if copy is not None and copy.grant_time <= address.create_time:
        return Caller(user)
    return None
