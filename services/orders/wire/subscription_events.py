"""The events of subscriptions as their public messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from chassis.envelope import EventRecord, record_for
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from chassis.wire import optional_timestamp, timestamp, wire_money
from parley.orders.v1 import subscription_events_pb2 as pb
from services.orders.domain.subscription import events
from services.orders.domain.subscription.facts import Subscription
from services.orders.wire import values
from services.orders.wire.subscriptions import BUCKETS, END_REASONS, wire_date

_ACTORS = {
    Actor.BUYER: pb.SUBSCRIPTION_ACTOR_BUYER,
    Actor.SELLER: pb.SUBSCRIPTION_ACTOR_SELLER,
    Actor.OPERATOR: pb.SUBSCRIPTION_ACTOR_OPERATOR,
    Actor.TIMER: pb.SUBSCRIPTION_ACTOR_TIMER,
}
MESSAGES: dict[type[events.SubscriptionEvent], Callable[..., Message]] = {
    events.SubscriptionCreated: pb.SubscriptionCreated,
    events.SubscriptionActivated: pb.SubscriptionActivated,
    events.SubscriptionRenewed: pb.SubscriptionRenewed,
    events.SubscriptionPaid: pb.SubscriptionPaid,
    events.SubscriptionRecovered: pb.SubscriptionRecovered,
    events.SubscriptionPaymentFailed: pb.SubscriptionPaymentFailed,
    events.SubscriptionPaymentRetried: pb.SubscriptionPaymentRetried,
    events.SubscriptionRefunded: pb.SubscriptionRefunded,
    events.SubscriptionPlanChanged: pb.SubscriptionPlanChanged,
    events.SubscriptionPlanChangeScheduled: pb.SubscriptionPlanChangeScheduled,
    events.SubscriptionCancellationScheduled: pb.SubscriptionCancellationScheduled,
    events.SubscriptionCancellationRevoked: pb.SubscriptionCancellationRevoked,
    events.SubscriptionPaymentMeansChanged: pb.SubscriptionPaymentMeansChanged,
    events.SubscriptionPaymentUnmarked: pb.SubscriptionPaymentUnmarked,
    events.SubscriptionPauseScheduled: pb.SubscriptionPauseScheduled,
    events.SubscriptionPauseRevoked: pb.SubscriptionPauseRevoked,
    events.SubscriptionPaused: pb.SubscriptionPaused,
    events.SubscriptionResumed: pb.SubscriptionResumed,
    events.SubscriptionEnded: pb.SubscriptionEnded,
}
"""The message of each event."""


def subscription_facts(one: Subscription) -> pb.SubscriptionFacts:
    """What everybody may know of a subscription: no means of payment."""
    message = pb.SubscriptionFacts(
        name=one.name,
        version=one.version,
        order=one.order,
        seller=one.seller,
        buyer=one.buyer,
        package=one.package,
        order_request=one.order_request,
        origin_conversation=one.origin_conversation,
        bucket=BUCKETS[one.bucket],
        plan=values.wire_plan(one.plan),
        next_plan=values.wire_plan(one.next_plan),
        payment_method=values.METHODS[one.payment_method],
        start_time=timestamp(one.start_time),
        period_number=one.number,
        period_start_date=wire_date(one.period_begin),
        period_end_date=wire_date(one.period_end),
        past_due_time=optional_timestamp(one.past_due_since),
        retry_time=optional_timestamp(one.retry_at),
        grace_end_time=optional_timestamp(one.grace_until),
        cancel_time=optional_timestamp(one.cancel_at),
        pause_time=optional_timestamp(one.paused_since or one.pause_at),
        resume_time=optional_timestamp(one.resume_at),
        end_time=optional_timestamp(one.ended_at),
    )
    if one.end_reason is not None:
        message.end_reason = END_REASONS[one.end_reason]
    return message


def _details(event: events.SubscriptionEvent) -> dict[str, Any]:
    """What an event says beside the subscription."""
    details: dict[str, Any] = {}
    match event:
        case (
            events.SubscriptionRenewed()
            | events.SubscriptionPaid()
            | events.SubscriptionRecovered()
            | events.SubscriptionPaymentFailed()
            | events.SubscriptionRefunded()
            | events.SubscriptionPaymentUnmarked()
            | events.SubscriptionPlanChanged()
        ):
            details["amount"] = wire_money(event.amount)
            if event.payment:
                details["payment"] = f"{event.subscription.name}/payments/{event.payment}"
        case events.SubscriptionPaymentRetried():
            details["payment"] = f"{event.subscription.name}/payments/{event.payment}"
        case events.SubscriptionPlanChangeScheduled():
            details["effective_time"] = timestamp(event.effective_time)
    if isinstance(event, events.SubscriptionPaymentFailed):
        details["hard"] = event.hard
    if isinstance(event, events.SubscriptionRefunded):
        details["succeeded"] = event.succeeded
    actor = getattr(event, "actor", None)
    if actor is not None:
        details["actor"] = _ACTORS[actor]
    return details


def subscription_record(event: events.SubscriptionEvent, *, ids: Ids) -> EventRecord:
    """What is stored in the outbox."""
    one = event.subscription
    message = MESSAGES[type(event)](subscription=subscription_facts(one), **_details(event))
    return record_for(message, aggregate=one.name, version=one.version, ids=ids, time=one.update_time)
