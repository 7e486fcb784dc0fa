"""The timeline: what was said and what happened, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from chassis.kernel.money import Money
from services.messaging.domain.message import Kind, Message
from services.messaging.domain.rating import RatingFact
from services.messaging.domain.side import Seat, Side


class EventType(StrEnum):
    """What happened; the names of `parley.messaging.v1.TimelineEvent.Type` without the prefix."""

    REQUEST_SUBMITTED = "REQUEST_SUBMITTED"
    REQUEST_INFORMATION_ASKED = "REQUEST_INFORMATION_ASKED"
    REQUEST_INFORMATION_ANSWERED = "REQUEST_INFORMATION_ANSWERED"
    REQUEST_DECLINED = "REQUEST_DECLINED"
    REQUEST_WITHDRAWN = "REQUEST_WITHDRAWN"
    REQUEST_EXPIRED = "REQUEST_EXPIRED"
    REQUEST_CLOSED = "REQUEST_CLOSED"
    REQUEST_CONVERTED = "REQUEST_CONVERTED"
    REQUEST_REOPENED = "REQUEST_REOPENED"
    REQUEST_REMINDED = "REQUEST_REMINDED"
    OFFER_SENT = "OFFER_SENT"
    OFFER_OPENED = "OFFER_OPENED"
    OFFER_REVISED = "OFFER_REVISED"
    OFFER_COUNTERED = "OFFER_COUNTERED"
    OFFER_ACCEPTED = "OFFER_ACCEPTED"
    OFFER_DECLINED = "OFFER_DECLINED"
    OFFER_WITHDRAWN = "OFFER_WITHDRAWN"
    OFFER_EXPIRED = "OFFER_EXPIRED"
    OFFER_EXPIRES_SOON = "OFFER_EXPIRES_SOON"
    OFFER_REVIVED = "OFFER_REVIVED"
    OFFER_PACKAGE_RETIRED = "OFFER_PACKAGE_RETIRED"
    OFFER_NEW_QUOTE_REQUESTED = "OFFER_NEW_QUOTE_REQUESTED"
    ORDER_PLACED = "ORDER_PLACED"
    ORDER_PROCESSING_STARTED = "ORDER_PROCESSING_STARTED"
    ORDER_CONFIRMED = "ORDER_CONFIRMED"
    ORDER_DECLINED = "ORDER_DECLINED"
    ORDER_WITHDRAWN = "ORDER_WITHDRAWN"
    ORDER_PAID = "ORDER_PAID"
    ORDER_PAYMENT_FAILED = "ORDER_PAYMENT_FAILED"
    ORDER_PAYMENT_METHOD_CHANGED = "ORDER_PAYMENT_METHOD_CHANGED"
    ORDER_PAYMENT_RETRIED = "ORDER_PAYMENT_RETRIED"
    ORDER_PAYMENT_VOIDED = "ORDER_PAYMENT_VOIDED"
    INQUIRY_STARTED = "INQUIRY_STARTED"
    ORDER_STARTED = "ORDER_STARTED"
    ORDER_DELIVERED = "ORDER_DELIVERED"
    ORDER_CHANGES_REQUESTED = "ORDER_CHANGES_REQUESTED"
    ORDER_COMPLETED = "ORDER_COMPLETED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_REFUNDED = "ORDER_REFUNDED"
    ORDER_PAYMENT_UNMARKED = "ORDER_PAYMENT_UNMARKED"
    ORDER_REFUND_FAILED = "ORDER_REFUND_FAILED"
    ORDER_PAYMENT_ACTION_REQUIRED = "ORDER_PAYMENT_ACTION_REQUIRED"
    SUBSCRIPTION_CREATED = "SUBSCRIPTION_CREATED"
    SUBSCRIPTION_ACTIVATED = "SUBSCRIPTION_ACTIVATED"
    SUBSCRIPTION_RENEWED = "SUBSCRIPTION_RENEWED"
    SUBSCRIPTION_PAID = "SUBSCRIPTION_PAID"
    SUBSCRIPTION_RECOVERED = "SUBSCRIPTION_RECOVERED"
    SUBSCRIPTION_PAYMENT_FAILED = "SUBSCRIPTION_PAYMENT_FAILED"
    SUBSCRIPTION_PAYMENT_RETRIED = "SUBSCRIPTION_PAYMENT_RETRIED"
    SUBSCRIPTION_PLAN_CHANGED = "SUBSCRIPTION_PLAN_CHANGED"
    SUBSCRIPTION_PLAN_CHANGE_SCHEDULED = "SUBSCRIPTION_PLAN_CHANGE_SCHEDULED"
    SUBSCRIPTION_CANCELLATION_SCHEDULED = "SUBSCRIPTION_CANCELLATION_SCHEDULED"
    SUBSCRIPTION_PAUSE_SCHEDULED = "SUBSCRIPTION_PAUSE_SCHEDULED"
    SUBSCRIPTION_PAUSE_REVOKED = "SUBSCRIPTION_PAUSE_REVOKED"
    SUBSCRIPTION_PAUSED = "SUBSCRIPTION_PAUSED"
    SUBSCRIPTION_RESUMED = "SUBSCRIPTION_RESUMED"
    SUBSCRIPTION_ENDED = "SUBSCRIPTION_ENDED"
    SUBSCRIPTION_REFUNDED = "SUBSCRIPTION_REFUNDED"
    SUBSCRIPTION_REFUND_FAILED = "SUBSCRIPTION_REFUND_FAILED"
    SUBSCRIPTION_CANCELLATION_REVOKED = "SUBSCRIPTION_CANCELLATION_REVOKED"
    SUBSCRIPTION_PAYMENT_MEANS_CHANGED = "SUBSCRIPTION_PAYMENT_MEANS_CHANGED"
    SUBSCRIPTION_PAYMENT_UNMARKED = "SUBSCRIPTION_PAYMENT_UNMARKED"
    INQUIRY_DECLINED = "INQUIRY_DECLINED"
    CONVERSATION_CLOSED = "CONVERSATION_CLOSED"
    CONVERSATION_REOPENED = "CONVERSATION_REOPENED"
    MESSAGE_READ = "MESSAGE_READ"
    PARTICIPANT_ADDED = "PARTICIPANT_ADDED"
    PARTICIPANT_REMOVED = "PARTICIPANT_REMOVED"
    CONVERSATION_FORWARDED = "CONVERSATION_FORWARDED"
    ATTACHMENT_DOWNLOADED = "ATTACHMENT_DOWNLOADED"
    PHONE_REVEALED = "PHONE_REVEALED"
    FEEDBACK_LEFT = "FEEDBACK_LEFT"


FOR_THE_TEAM: Final = frozenset({EventType.REQUEST_REMINDED})
"""What happens inside a seller's team: how often it had to be reminded is not for the buyer."""


OPENING: Final = frozenset(
    {EventType.OFFER_SENT, EventType.OFFER_REVISED, EventType.OFFER_COUNTERED, EventType.OFFER_REVIVED}
)
"""After these an offer waits for the side that did not do it."""
ENDING: Final = frozenset(
    {
        EventType.OFFER_ACCEPTED,
        EventType.OFFER_DECLINED,
        EventType.OFFER_WITHDRAWN,
        EventType.OFFER_EXPIRED,
        EventType.OFFER_NEW_QUOTE_REQUESTED,
    }
)
"""After these it waits for nobody."""


NOT_NEWS: Final = frozenset({EventType.MESSAGE_READ, EventType.PHONE_REVEALED})
"""What moves a conversation in nobody's list."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a request, an offer, an order or the conversation.

    `revision` is 0 where it is about none. `address` is contact data for the seller's team: empty in what
    anybody else gets. `by_link`: it was done by the link of a mail.
    """

    type: EventType
    side: Side
    resource: str
    revision: int = 0
    amount: Money | None = None
    address: str = ""
    by_link: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a message or a happening. `id` is the message's or the event's."""

    conversation: str
    id: str
    create_time: datetime
    content: Message | Happening

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.conversation}/timeline/{self.id}"

    @property
    def public(self) -> bool:
        """Whether all who take part see it, and not the seller's team only."""
        if isinstance(self.content, Message):
            return self.content.kind is Kind.PUBLIC
        return self.content.type not in FOR_THE_TEAM

    @property
    def news(self) -> bool:
        """Whether it moves the conversation in lists: what one side does not see moves it for neither."""
        return self.public and (isinstance(self.content, Message) or self.content.type not in NOT_NEWS)

    def visible_to(self, seat: Seat) -> bool:
        """Whether it may be shown from this place."""
        return seat.in_team or (self.public and (seat.since is None or self.create_time >= seat.since))


@dataclass(frozen=True, slots=True)
class Report:
    """What another service reported: a happening, and the conversations that it belongs to.

    `conversations` holds (subject, origin) for each of them; an inquiry's is named by `inquiry` instead,
    because it cannot come into existence through a report. `sale_of` names the inquiry from which an order
    came that is confirmed.
    """

    happening: Happening
    seller: str
    buyer: str
    subjects: tuple[Subject, ...] = ()
    inquiry: str = ""
    sale_of: str = ""
    sale_time: datetime | None = None
    rating: RatingFact | None = None
    reminder: Reminder | None = None


@dataclass(frozen=True, slots=True)
class Reminder:
    """When the buyer is reminded that revision `revision` of `offer` ends."""

    offer: str
    revision: int
    due: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """What a conversation is about, and the conversation from which it came (else empty). `begins`: what is
    reported is usually the first that is heard of it.
    """

    name: str
    origin: str = ""
    begins: bool = False


def message_entry(message: Message) -> Entry:
    """The entry of a message."""
    return Entry(message.conversation, message.id, message.create_time, message)
