"""What the events of subscriptions mean for a timeline: they stand in the conversation of their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.wire import money
from parley.orders.v1 import subscription_events_pb2 as events
from services.messaging.domain.side import Side
from services.messaging.domain.timeline import EventType, Happening, Report, Subject
from services.messaging.wire.reports import origin_of

_TYPES: Mapping[type[Any], EventType] = {
    events.SubscriptionCreated: EventType.SUBSCRIPTION_CREATED,
    events.SubscriptionActivated: EventType.SUBSCRIPTION_ACTIVATED,
    events.SubscriptionRenewed: EventType.SUBSCRIPTION_RENEWED,
    events.SubscriptionPaid: EventType.SUBSCRIPTION_PAID,
    events.SubscriptionRecovered: EventType.SUBSCRIPTION_RECOVERED,
    events.SubscriptionPaymentFailed: EventType.SUBSCRIPTION_PAYMENT_FAILED,
    events.SubscriptionPaymentRetried: EventType.SUBSCRIPTION_PAYMENT_RETRIED,
    events.SubscriptionPlanChanged: EventType.SUBSCRIPTION_PLAN_CHANGED,
    events.SubscriptionPlanChangeScheduled: EventType.SUBSCRIPTION_PLAN_CHANGE_SCHEDULED,
    events.SubscriptionCancellationScheduled: EventType.SUBSCRIPTION_CANCELLATION_SCHEDULED,
    events.SubscriptionPauseScheduled: EventType.SUBSCRIPTION_PAUSE_SCHEDULED,
    events.SubscriptionPauseRevoked: EventType.SUBSCRIPTION_PAUSE_REVOKED,
    events.SubscriptionPaused: EventType.SUBSCRIPTION_PAUSED,
    events.SubscriptionResumed: EventType.SUBSCRIPTION_RESUMED,
    events.SubscriptionEnded: EventType.SUBSCRIPTION_ENDED,
    events.SubscriptionRefunded: EventType.SUBSCRIPTION_REFUNDED,
    events.SubscriptionCancellationRevoked: EventType.SUBSCRIPTION_CANCELLATION_REVOKED,
    events.SubscriptionPaymentMeansChanged: EventType.SUBSCRIPTION_PAYMENT_MEANS_CHANGED,
    events.SubscriptionPaymentUnmarked: EventType.SUBSCRIPTION_PAYMENT_UNMARKED,
}
_SIDES = {events.SUBSCRIPTION_ACTOR_BUYER: Side.BUYER, events.SUBSCRIPTION_ACTOR_SELLER: Side.SELLER}
_BY_THE_SELLER = (
    events.SubscriptionPlanChanged,
    events.SubscriptionPlanChangeScheduled,
    events.SubscriptionPaymentUnmarked,
)
SUBSCRIPTION_EVENTS = tuple(_TYPES)
"""The events of subscriptions that stand in a timeline."""


def subscription_report(message: Any) -> Report:
    """What an event about a subscription means for the timeline of its order."""
    facts = message.subscription
    side = Side.SELLER if isinstance(message, _BY_THE_SELLER) else Side.SYSTEM
    if "actor" in message.DESCRIPTOR.fields_by_name:
        side = _SIDES.get(message.actor, Side.SYSTEM)
    kind = _TYPES[type(message)]
    if isinstance(message, events.SubscriptionRefunded) and not message.succeeded:
        kind = EventType.SUBSCRIPTION_REFUND_FAILED
    amount = message.amount if "amount" in message.DESCRIPTOR.fields_by_name else facts.plan.price
    return Report(
        happening=Happening(kind, side, facts.name, amount=money(amount, field="amount")),
        seller=facts.seller,
        buyer=facts.buyer,
        subjects=(Subject(facts.order, origin_of(facts.order_request, facts.origin_conversation)),),
    )
