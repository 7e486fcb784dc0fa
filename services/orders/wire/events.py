"""Events: those of others to facts, our own to their public messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from chassis.envelope import EventRecord, record_for
from chassis.kernel.ids import Ids
from chassis.wire import instant, money, optional_instant, optional_timestamp, timestamp, wire_money
from parley.gating.v1 import events_pb2 as gating_events
from parley.messaging.v1 import conversation_pb2, timeline_pb2
from parley.messaging.v1 import events_pb2 as messaging_events
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2
from parley.orders.v1 import events_pb2
from services.orders.app.account_reactions import ZoneFact
from services.orders.app.reactions import MessageFact
from services.orders.domain import events
from services.orders.domain.listing import Listing
from services.orders.domain.order import Order
from services.orders.domain.quotes import Acceptance, OfferFact, OfferState
from services.orders.domain.subscription.events import SubscriptionEvent
from services.orders.wire import values
from services.orders.wire.answers import CANCEL_REASONS, INTAKES, PARTIES, PAYMENT_STATES, STATES
from services.orders.wire.payments import OUTCOMES
from services.orders.wire.subscription_events import subscription_record

_OFFER_STATES = {offer_pb2.Offer.State.Value(f"STATE_{one.value}"): one for one in OfferState}

ListingEvent = offers_events.ListingCreated | offers_events.ListingUpdated | offers_events.ListingRetired
QuoteMessage = (
    offers_events.OfferSent
    | offers_events.OfferOpened
    | offers_events.OfferRevised
    | offers_events.OfferCountered
    | offers_events.OfferDeclined
    | offers_events.OfferWithdrawn
    | offers_events.OfferExpired
    | offers_events.OfferRevived
    | offers_events.OfferNewQuoteRequested
)


def listing_fact(message: ListingEvent) -> Listing:
    """The listing after the change."""
    return values.listing(message.listing, version=message.version)


def offer_fact(message: QuoteMessage) -> OfferFact:
    """The offer after the change."""
    return _offer_fact(message.offer)


def acceptance_fact(message: offers_events.OfferAccepted) -> OfferFact:
    """The accepted offer, with what came with the acceptance."""
    acceptance = Acceptance(
        instant(message.accept_time, field="accept_time"), message.payment_token, message.has_addresses
    )
    return _offer_fact(message.offer, acceptance)


def message_fact(message: messaging_events.MessageSent) -> MessageFact:
    """Who wrote about what, and to whom. The text stays in messaging."""
    return MessageFact(
        message.conversation.subject,
        message.side == conversation_pb2.SIDE_SELLER,
        message.kind == timeline_pb2.Message.KIND_PUBLIC,
        message.channel == timeline_pb2.Message.CHANNEL_EMAIL,
    )


def zone_fact(message: gating_events.OrderSettingsSaved) -> ZoneFact:
    """Where a seller's days begin."""
    settings = message.order_settings
    return ZoneFact(
        settings.name.removesuffix("/orderSettings"), settings.time_zone, settings.settings_version
    )


def _offer_fact(facts: offers_events.OfferFacts, acceptance: Acceptance | None = None) -> OfferFact:
    creates_order = facts.on_accept == offer_pb2.Offer.ON_ACCEPT_CREATE_ORDER
    return OfferFact(
        offer=facts.name,
        version=facts.version,
        seller=facts.seller,
        buyer=facts.buyer,
        order=facts.order,
        order_request=facts.order_request,
        conversation=facts.conversation,
        creates_order=creates_order,
        state=_OFFER_STATES[facts.state],
        line_items=tuple(values.line_item(item) for item in facts.line_items),
        total=money(facts.total, field="total"),
        package=facts.package,
        start_time=optional_instant(facts, "start_time"),
        delivery_days=facts.delivery_days,
        payment_method=values.payment_method(facts.payment_method),
        plan=values.plan(facts),
        acceptance=acceptance,
    )


def order_facts(order: Order) -> events_pb2.OrderFacts:
    """What everybody may know of an order: no text, no contact data, nothing of the seller's team."""
    return events_pb2.OrderFacts(
        name=order.name,
        version=order.version,
        seller=order.seller,
        buyer=order.buyer,
        package=order.package,
        intake=INTAKES[order.intake],
        kind=values.KINDS[order.kind],
        state=STATES[order.state],
        total=wire_money(order.total),
        payment_method=values.METHODS[order.payment_method],
        payment_state=PAYMENT_STATES[order.payment_state],
        offer=order.offer,
        order_request=order.order_request,
        origin_conversation=order.origin_conversation,
        plan=values.wire_plan(order.plan),
        confirm_time=optional_timestamp(order.confirm_time),
        price_agreed_elsewhere=order.price_agreed_elsewhere,
        delivery_due_time=optional_timestamp(order.delivery_due_time),
        refund_due=wire_money(order.refund_due) if order.refund_due is not None else None,
        refunded_total=wire_money(order.refunded) if order.refunded is not None else None,
    )


MESSAGES: dict[type[events.OrderEvent], Callable[..., Message]] = {
    events.OrderPlaced: events_pb2.OrderPlaced,
    events.OrderProcessingStarted: events_pb2.OrderProcessingStarted,
    events.OrderQuoteSent: events_pb2.OrderQuoteSent,
    events.OrderQuoteAnswered: events_pb2.OrderQuoteAnswered,
    events.OrderPaymentMethodChanged: events_pb2.OrderPaymentMethodChanged,
    events.OrderConfirmed: events_pb2.OrderConfirmed,
    events.OrderDeclined: events_pb2.OrderDeclined,
    events.OrderWithdrawn: events_pb2.OrderWithdrawn,
    events.OrderPaid: events_pb2.OrderPaid,
    events.OrderPaymentFailed: events_pb2.OrderPaymentFailed,
    events.OrderPaymentRetried: events_pb2.OrderPaymentRetried,
    events.OrderPaymentActionRequired: events_pb2.OrderPaymentActionRequired,
    events.OrderPaymentVoided: events_pb2.OrderPaymentVoided,
    events.OrderPaymentUnmarked: events_pb2.OrderPaymentUnmarked,
    events.OrderRefunded: events_pb2.OrderRefunded,
    events.OrderRefundFailed: events_pb2.OrderRefundFailed,
    events.OrderStarted: events_pb2.OrderStarted,
    events.OrderDelivered: events_pb2.OrderDelivered,
    events.OrderChangesRequested: events_pb2.OrderChangesRequested,
    events.OrderCompleted: events_pb2.OrderCompleted,
    events.OrderCancelled: events_pb2.OrderCancelled,
}
"""The message of each event."""


def event_message(event: events.OrderEvent) -> Message:
    """The public form of an event."""
    return MESSAGES[type(event)](order=order_facts(event.order), **_details(event))


def _details(event: events.OrderEvent) -> dict[str, Any]:
    """What an event says beside the order."""
    match event:
        case events.OrderPaid() | events.OrderPaymentFailed():
            return {"payment": event.payment, "outcome": OUTCOMES[event.outcome]}
        case events.OrderPaymentRetried() | events.OrderPaymentVoided() | events.OrderPaymentUnmarked():
            return {"payment": event.payment}
        case events.OrderPaymentActionRequired():
            return {"payment": event.payment}
        case events.OrderRefunded() | events.OrderRefundFailed():
            amount = wire_money(event.amount)
            return {"payment": event.payment, "refund_number": event.refund_number, "amount": amount}
        case events.OrderStarted() | events.OrderCompleted():
            return {"automatic": event.automatic}
        case events.OrderDelivered():
            due = timestamp(event.auto_complete_time)
            return {"delivery_number": event.delivery_number, "auto_complete_time": due}
        case events.OrderChangesRequested():
            return {"delivery_number": event.delivery_number}
        case events.OrderCancelled():
            party = PARTIES[event.cancelled_by]
            return {"reason": CANCEL_REASONS[event.reason], "cancelled_by": party}
        case _:
            return {}


def event_record(event: events.OrderEvent | SubscriptionEvent, *, ids: Ids) -> EventRecord:
    """What is stored in the outbox."""
    if isinstance(event, SubscriptionEvent):
        return subscription_record(event, ids=ids)
    order = event.order
    return record_for(
        event_message(event), aggregate=order.name, version=order.version, ids=ids, time=order.update_time
    )
