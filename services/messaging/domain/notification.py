"""Who is told what by mail: a table from what happened to the kind of notice and the sides that get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.money import Money
from chassis.kernel.timetable import zone_of
from services.messaging.domain.message import Channel, Kind, Message
from services.messaging.domain.profile import NoticeKind
from services.messaging.domain.side import Side, other
from services.messaging.domain.timeline import Entry, EventType, Happening

MESSAGE_RECEIVED: Final = "MESSAGE_RECEIVED"
MESSAGE_SENT: Final = "MESSAGE_SENT"
MAIL_POSTED: Final = "MAIL_POSTED"
PACE: Final = timedelta(minutes=10)
"""How long messages of a conversation wait after a mail about it, so that a burst becomes one mail."""
DIGEST_HOUR: Final = 8
"""When digests go out, in the recipient's zone."""


class Audience(StrEnum):
    """Which sides are told."""

    BUYER = "buyer"
    SELLER = "seller"
    BOTH = "both"
    OTHER = "other"
    """The side that did not do it; both where neither did."""

    def sides(self, author: Side) -> tuple[Side, ...]:
        """Those that are told of what `author` did."""
        match self:
            case Audience.BUYER:
                return (Side.BUYER,)
            case Audience.SELLER:
                return (Side.SELLER,)
            case Audience.OTHER if author is not Side.SYSTEM:
                return (other(author),)
        return (Side.BUYER, Side.SELLER)


_REQUEST, _OFFER, _ORDER = NoticeKind.REQUEST, NoticeKind.OFFER, NoticeKind.ORDER
_PAYMENT, _SUBSCRIPTION = NoticeKind.PAYMENT, NoticeKind.SUBSCRIPTION
TOLD: Final[Mapping[EventType, tuple[NoticeKind, Audience]]] = {
    EventType.INQUIRY_STARTED: (NoticeKind.MESSAGE, Audience.SELLER),
    EventType.INQUIRY_DECLINED: (_REQUEST, Audience.BUYER),
    EventType.REQUEST_SUBMITTED: (_REQUEST, Audience.SELLER),
    EventType.REQUEST_INFORMATION_ASKED: (_REQUEST, Audience.BUYER),
    EventType.REQUEST_INFORMATION_ANSWERED: (_REQUEST, Audience.SELLER),
    EventType.REQUEST_DECLINED: (_REQUEST, Audience.BUYER),
    EventType.REQUEST_WITHDRAWN: (_REQUEST, Audience.SELLER),
    EventType.REQUEST_EXPIRED: (_REQUEST, Audience.BOTH),
    EventType.REQUEST_CLOSED: (_REQUEST, Audience.BOTH),
    EventType.REQUEST_REMINDED: (_REQUEST, Audience.SELLER),
    EventType.OFFER_SENT: (_OFFER, Audience.BUYER),
    EventType.OFFER_REVISED: (_OFFER, Audience.BUYER),
    EventType.OFFER_COUNTERED: (_OFFER, Audience.OTHER),
    EventType.OFFER_ACCEPTED: (_OFFER, Audience.OTHER),
    EventType.OFFER_DECLINED: (_OFFER, Audience.OTHER),
    EventType.OFFER_WITHDRAWN: (_OFFER, Audience.BUYER),
    EventType.OFFER_EXPIRED: (_OFFER, Audience.BOTH),
    EventType.OFFER_EXPIRES_SOON: (_OFFER, Audience.BUYER),
    EventType.OFFER_REVIVED: (_OFFER, Audience.BUYER),
    EventType.OFFER_PACKAGE_RETIRED: (_OFFER, Audience.BOTH),
    EventType.OFFER_NEW_QUOTE_REQUESTED: (_OFFER, Audience.SELLER),
    EventType.ORDER_PLACED: (_ORDER, Audience.SELLER),
    EventType.ORDER_CONFIRMED: (_ORDER, Audience.BUYER),
    EventType.ORDER_DECLINED: (_ORDER, Audience.BUYER),
    EventType.ORDER_WITHDRAWN: (_ORDER, Audience.SELLER),
    EventType.ORDER_DELIVERED: (_ORDER, Audience.BUYER),
    EventType.ORDER_CHANGES_REQUESTED: (_ORDER, Audience.SELLER),
    EventType.ORDER_COMPLETED: (_ORDER, Audience.OTHER),
    EventType.ORDER_CANCELLED: (_ORDER, Audience.OTHER),
    EventType.ORDER_PAID: (_PAYMENT, Audience.BOTH),
    EventType.ORDER_PAYMENT_FAILED: (_PAYMENT, Audience.BOTH),
    EventType.ORDER_PAYMENT_ACTION_REQUIRED: (_PAYMENT, Audience.BUYER),
    EventType.ORDER_REFUNDED: (_PAYMENT, Audience.BUYER),
    EventType.ORDER_REFUND_FAILED: (_PAYMENT, Audience.SELLER),
    EventType.SUBSCRIPTION_ACTIVATED: (_SUBSCRIPTION, Audience.BOTH),
    EventType.SUBSCRIPTION_PAYMENT_FAILED: (_SUBSCRIPTION, Audience.BOTH),
    EventType.SUBSCRIPTION_RECOVERED: (_SUBSCRIPTION, Audience.BOTH),
    EventType.SUBSCRIPTION_PLAN_CHANGED: (_SUBSCRIPTION, Audience.OTHER),
    EventType.SUBSCRIPTION_PLAN_CHANGE_SCHEDULED: (_SUBSCRIPTION, Audience.OTHER),
    EventType.SUBSCRIPTION_CANCELLATION_SCHEDULED: (_SUBSCRIPTION, Audience.OTHER),
    EventType.SUBSCRIPTION_CANCELLATION_REVOKED: (_SUBSCRIPTION, Audience.OTHER),
    EventType.SUBSCRIPTION_PAUSED: (_SUBSCRIPTION, Audience.OTHER),
    EventType.SUBSCRIPTION_RESUMED: (_SUBSCRIPTION, Audience.OTHER),
    EventType.SUBSCRIPTION_ENDED: (_SUBSCRIPTION, Audience.BOTH),
    EventType.SUBSCRIPTION_REFUNDED: (_SUBSCRIPTION, Audience.BUYER),
}
"""What is not here is told to nobody: it is either one's own doing or follows from what was told."""
TOPICS: Final = (MESSAGE_RECEIVED, MESSAGE_SENT, MAIL_POSTED, *(event.value for event in TOLD))
"""What a mail can say; each has a text in every language."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told. `sides` get it, the author excepted; `person`, unless empty, alone does.
    `to_copies`: so do the people in copy.
    `direct_only`: not in a conversation that came from another one, in which it was told already.
    """

    id: str
    conversation: str
    topic: str
    kind: NoticeKind
    time: datetime
    sides: tuple[Side, ...] = ()
    person: str = ""
    author: str = ""
    amount: Money | None = None
    direct_only: bool = False
    to_copies: bool = False

    @property
    def waits(self) -> bool:
        """Whether it may wait for others of its conversation."""
        return self.kind in (NoticeKind.MESSAGE, NoticeKind.SENT_COPY)


def notices_of(entry: Entry) -> tuple[Notice, ...]:
    """What is told about an entry of a timeline."""
    if isinstance(entry.content, Message):
        return _of_message(entry, entry.content)
    return _of_happening(entry, entry.content)


def _of_message(entry: Entry, message: Message) -> tuple[Notice, ...]:
    if message.kind is not Kind.PUBLIC or not message.author:
        return ()
    received = Notice(
        entry.id,
        entry.conversation,
        MESSAGE_RECEIVED,
        NoticeKind.MESSAGE,
        entry.create_time,
        sides=(other(message.side),),
        author=message.author,
        to_copies=True,
    )
    if not message.copy_to_author:
        return (received,)
    copy = Notice(
        entry.id,
        entry.conversation,
        # Who answered by mail learns that nothing is decided that way.
        MAIL_POSTED if message.channel is Channel.EMAIL else MESSAGE_SENT,
        NoticeKind.SENT_COPY,
        entry.create_time,
        person=message.author,
    )
    return received, copy


def _of_happening(entry: Entry, happening: Happening) -> tuple[Notice, ...]:
    told = TOLD.get(happening.type)
    if told is None:
        return ()
    kind, audience = told
    sides = audience.sides(happening.side)
    amount = happening.amount if happening.amount is not None and happening.amount.amount else None
    return (
        Notice(
            entry.id,
            entry.conversation,
            happening.type.value,
            kind,
            entry.create_time,
            sides,
            amount=amount,
            # That an order came from an offer was told when the offer was accepted.
            direct_only=happening.type is EventType.ORDER_PLACED,
        ),
    )


def mail_due(notice: Notice, *, last_mail: datetime | None, now: datetime) -> datetime:
    """When the mail with a notice leaves: at once, or once the pause after the last one is over."""
    if last_mail is None or not notice.waits:
        return now
    return max(now, last_mail + PACE)


def digest_due(since: datetime, zone: str) -> datetime:
    """When the digest leaves that holds what waits since `since`: at the next DIGEST_HOUR of the zone."""
    local = since.astimezone(zone_of(zone))
    due = local.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    if due <= local:
        due += timedelta(days=1)
    return due.astimezone(since.tzinfo)
