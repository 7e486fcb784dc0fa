"""What the events of the other services mean for timelines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from chassis.kernel.money import Money
from chassis.wire import money, optional_instant
from parley.gating.v1 import events_pb2 as gating_events
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1.fulfilment_pb2 import Cancellation
from services.messaging.domain import rating as ratings
from services.messaging.domain.rating import RatingFact
from services.messaging.domain.side import Side
from services.messaging.domain.timeline import EventType, Happening, Reminder, Report, Subject

_REQUEST_EVENTS: Mapping[type[Any], tuple[EventType, Side]] = {
    gating_events.OrderRequestSubmitted: (EventType.REQUEST_SUBMITTED, Side.BUYER),
    gating_events.OrderRequestInformationAsked: (EventType.REQUEST_INFORMATION_ASKED, Side.SELLER),
    gating_events.OrderRequestInformationAnswered: (EventType.REQUEST_INFORMATION_ANSWERED, Side.BUYER),
    gating_events.OrderRequestReminded: (EventType.REQUEST_REMINDED, Side.SYSTEM),
    gating_events.OrderRequestReopened: (EventType.REQUEST_REOPENED, Side.SYSTEM),
    gating_events.OrderRequestConverted: (EventType.REQUEST_CONVERTED, Side.SYSTEM),
    gating_events.OrderRequestDeclined: (EventType.REQUEST_DECLINED, Side.SELLER),
    gating_events.OrderRequestWithdrawn: (EventType.REQUEST_WITHDRAWN, Side.BUYER),
    gating_events.OrderRequestExpired: (EventType.REQUEST_EXPIRED, Side.SYSTEM),
    gating_events.OrderRequestClosed: (EventType.REQUEST_CLOSED, Side.SYSTEM),
}
_OFFER_EVENTS: Mapping[type[Any], tuple[EventType, Side | None]] = {
    offers_events.OfferSent: (EventType.OFFER_SENT, Side.SELLER),
    offers_events.OfferOpened: (EventType.OFFER_OPENED, Side.BUYER),
    offers_events.OfferRevised: (EventType.OFFER_REVISED, Side.SELLER),
    # Either side makes a counter-offer: the author of the newest revision tells which.
    offers_events.OfferCountered: (EventType.OFFER_COUNTERED, None),
    offers_events.OfferAccepted: (EventType.OFFER_ACCEPTED, Side.BUYER),
    offers_events.OfferDeclined: (EventType.OFFER_DECLINED, Side.BUYER),
    offers_events.OfferWithdrawn: (EventType.OFFER_WITHDRAWN, Side.SELLER),
    offers_events.OfferExpired: (EventType.OFFER_EXPIRED, Side.SYSTEM),
    offers_events.OfferRevived: (EventType.OFFER_REVIVED, Side.SELLER),
    offers_events.OfferPackageRetired: (EventType.OFFER_PACKAGE_RETIRED, Side.SELLER),
    offers_events.OfferNewQuoteRequested: (EventType.OFFER_NEW_QUOTE_REQUESTED, Side.BUYER),
}
_ORDER_EVENTS: Mapping[type[Any], tuple[EventType, Side]] = {
    orders_events.OrderPlaced: (EventType.ORDER_PLACED, Side.BUYER),
    orders_events.OrderProcessingStarted: (EventType.ORDER_PROCESSING_STARTED, Side.SELLER),
    orders_events.OrderConfirmed: (EventType.ORDER_CONFIRMED, Side.SELLER),
    orders_events.OrderDeclined: (EventType.ORDER_DECLINED, Side.SELLER),
    orders_events.OrderWithdrawn: (EventType.ORDER_WITHDRAWN, Side.BUYER),
    orders_events.OrderPaymentMethodChanged: (EventType.ORDER_PAYMENT_METHOD_CHANGED, Side.SYSTEM),
    orders_events.OrderPaid: (EventType.ORDER_PAID, Side.SYSTEM),
    orders_events.OrderPaymentFailed: (EventType.ORDER_PAYMENT_FAILED, Side.SYSTEM),
    orders_events.OrderPaymentRetried: (EventType.ORDER_PAYMENT_RETRIED, Side.SYSTEM),
    orders_events.OrderPaymentActionRequired: (EventType.ORDER_PAYMENT_ACTION_REQUIRED, Side.SYSTEM),
    orders_events.OrderPaymentVoided: (EventType.ORDER_PAYMENT_VOIDED, Side.SYSTEM),
    orders_events.OrderStarted: (EventType.ORDER_STARTED, Side.SELLER),
    orders_events.OrderDelivered: (EventType.ORDER_DELIVERED, Side.SELLER),
    orders_events.OrderChangesRequested: (EventType.ORDER_CHANGES_REQUESTED, Side.BUYER),
    orders_events.OrderCompleted: (EventType.ORDER_COMPLETED, Side.BUYER),
    # Either party or the operator cancels: the event tells which.
    orders_events.OrderCancelled: (EventType.ORDER_CANCELLED, Side.SYSTEM),
    orders_events.OrderPaymentUnmarked: (EventType.ORDER_PAYMENT_UNMARKED, Side.SELLER),
    orders_events.OrderRefunded: (EventType.ORDER_REFUNDED, Side.SYSTEM),
    orders_events.OrderRefundFailed: (EventType.ORDER_REFUND_FAILED, Side.SYSTEM),
}
_ANSWERS = (offers_events.OfferAccepted, offers_events.OfferDeclined)
_BY_ITSELF = (orders_events.OrderStarted, orders_events.OrderCompleted)
_CANCELLERS = {Cancellation.PARTY_BUYER: Side.BUYER, Cancellation.PARTY_SELLER: Side.SELLER}
REQUEST_EVENTS = tuple(_REQUEST_EVENTS)
"""The events of gating that stand in a timeline. An approval stands there as the offer that it is."""
OFFER_EVENTS = tuple(_OFFER_EVENTS)
"""The events of offers that stand in a timeline."""
ORDER_EVENTS = tuple(_ORDER_EVENTS)
"""The events of orders that stand in a timeline. Quotes stand there as the offers that they are."""


def request_report(message: Any) -> Report:
    """What an event about an order request means for its timeline."""
    kind, side = _REQUEST_EVENTS[type(message)]
    facts = message.order_request
    return Report(
        happening=Happening(kind, side, facts.name),
        seller=facts.seller,
        buyer=facts.buyer,
        subjects=(Subject(facts.name, begins=isinstance(message, gating_events.OrderRequestSubmitted)),),
        rating=_rating_fact(message),
    )


def _rating_fact(message: Any) -> RatingFact | None:
    """What the end of a request means for the seller's rating."""
    facts = message.order_request
    if isinstance(message, gating_events.OrderRequestExpired):
        return ratings.request_expired(
            facts.seller,
            facts.name,
            answered=facts.HasField("first_response_time"),
            unavailable=facts.arrived_while_unavailable,
        )
    if isinstance(message, gating_events.OrderRequestDeclined):
        return ratings.request_declined(facts.seller, facts.name)
    if isinstance(message, gating_events.OrderRequestClosed):
        return ratings.request_closed(facts.seller, facts.name)
    return None


_WAITING = (
    offers_events.OfferSent,
    offers_events.OfferRevised,
    offers_events.OfferCountered,
    offers_events.OfferRevived,
)
"""After these a revision waits for the other side."""
REMINDER_BEFORE = timedelta(hours=24)
"""How long before its end the buyer is reminded of an offer."""


def offer_report(message: Any) -> Report:
    """What an event about an offer means: it stands beside its origin and, once there is one, its order."""
    kind, side = _OFFER_EVENTS[type(message)]
    facts = message.offer
    if side is None:
        by_buyer = facts.author == offer_pb2.OfferRevision.AUTHOR_BUYER
        side = Side.BUYER if by_buyer else Side.SELLER
    if facts.automatic and type(message) in _ANSWERS:
        # The seller's settings answered the buyer's counter-offer.
        side = Side.SELLER
    subjects = []
    if facts.order_request:
        subjects.append(Subject(facts.order_request))
    if facts.order:
        origin = origin_of(facts.order_request, facts.conversation)
        # The order that an acceptance makes is heard of from the order itself a little later.
        begins = isinstance(message, offers_events.OfferAccepted)
        subjects.append(Subject(facts.order, origin, begins=begins))
    return Report(
        happening=Happening(
            kind,
            side,
            facts.name,
            facts.revision,
            money(facts.total, field="total"),
            by_link=facts.by_link,
        ),
        seller=facts.seller,
        buyer=facts.buyer,
        subjects=tuple(subjects),
        inquiry=facts.conversation,
        reminder=_reminder(message),
    )


def _reminder(message: Any) -> Reminder | None:
    facts = message.offer
    ends = optional_instant(facts, "expire_time")
    by_seller = facts.author == offer_pb2.OfferRevision.AUTHOR_SELLER
    if ends is None or not by_seller or not isinstance(message, _WAITING):
        return None
    return Reminder(facts.name, facts.revision, ends - REMINDER_BEFORE)


def order_report(message: Any) -> Report:
    """What an event about an order means for its timeline."""
    kind, side = _ORDER_EVENTS[type(message)]
    facts = message.order
    if isinstance(message, _BY_ITSELF) and message.automatic:
        side = Side.SYSTEM
    elif isinstance(message, orders_events.OrderCancelled):
        side = _CANCELLERS.get(message.cancelled_by, Side.SYSTEM)
    return Report(
        happening=Happening(kind, side, facts.name, amount=_amount_of(message)),
        seller=facts.seller,
        buyer=facts.buyer,
        subjects=(
            Subject(
                facts.name,
                origin_of(facts.order_request, facts.origin_conversation),
                begins=isinstance(message, orders_events.OrderPlaced) and not facts.offer,
            ),
        ),
        sale_of=facts.origin_conversation,
        sale_time=optional_instant(facts, "confirm_time"),
    )


def _amount_of(message: Any) -> Money:
    """What an event about an order is about: what was to go back, or else the total."""
    if isinstance(message, orders_events.OrderRefunded | orders_events.OrderRefundFailed):
        return money(message.amount, field="amount")
    return money(message.order.total, field="total")


def origin_of(order_request: str, inquiry: str) -> str:
    """The conversation from which an order came."""
    if order_request:
        return f"conversations/{order_request.rpartition('/')[2]}"
    return inquiry
