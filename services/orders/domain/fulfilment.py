"""From the confirmation to the end of an order: work, deliveries, acceptance, cancellation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chassis.kernel.machine import Actor
from services.orders.domain import events
from services.orders.domain import payment as payments
from services.orders.domain.order import Order, PaymentState, State, moved, next_version
from services.orders.domain.payment import UNRESOLVED, Payment
from services.orders.domain.work import Cancellation, CancelReason, Delivery, Party

_PARTIES: Final = {
    Actor.BUYER: Party.BUYER,
    Actor.SELLER: Party.SELLER,
    Actor.OPERATOR: Party.OPERATOR,
}


def start(order: Order, *, actor: Actor, now: datetime) -> tuple[Order, events.OrderStarted]:
    """The seller begins the work. The delivery clock stays what it is, also when he begins early."""
    return _started(order, moved(order, "start", actor), now, by=actor)


def start_came(order: Order, *, now: datetime) -> tuple[Order, events.OrderStarted | None]:
    """The agreed start came. Changes nothing where the work began or the order ended before."""
    due = order.automatic_start_time
    if due is None or now < due:
        return order, None
    return _started(order, moved(order, "startCame", Actor.TIMER), now, by=Actor.TIMER)


def _started(order: Order, state: State, now: datetime, *, by: Actor) -> tuple[Order, events.OrderStarted]:
    changed = replace(next_version(order, now, by=by), state=state, begin_time=now)
    return changed, events.OrderStarted(changed, by is Actor.TIMER)


def deliver(
    order: Order, *, actor: Actor, text: str, now: datetime, patience: timedelta
) -> tuple[Order, events.OrderDelivered]:
    """The seller delivers; after `patience` it counts as accepted."""
    state = moved(order, "deliver", actor)
    delivery = Delivery(len(order.deliveries) + 1, text, now)
    changed = replace(
        next_version(order, now, by=actor),
        state=state,
        deliveries=(*order.deliveries, delivery),
        auto_complete_time=now + patience,
    )
    return changed, events.OrderDelivered(changed, delivery.number, now + patience)


def request_changes(
    order: Order, *, actor: Actor, text: str, now: datetime
) -> tuple[Order, events.OrderChangesRequested]:
    """The buyer sends the last delivery back."""
    state = moved(order, "requestChanges", actor)
    sent_back = replace(order.deliveries[-1], changes_text=text, changes_time=now)
    changed = replace(
        next_version(order, now, by=actor),
        state=state,
        deliveries=(*order.deliveries[:-1], sent_back),
        auto_complete_time=None,
    )
    return changed, events.OrderChangesRequested(changed, sent_back.number)


def complete(order: Order, *, actor: Actor, now: datetime) -> tuple[Order, events.OrderCompleted]:
    """The buyer accepts the delivery."""
    return _completed(order, moved(order, "complete", actor), now, by=actor)


def time_ran_out(order: Order, *, now: datetime) -> tuple[Order, events.OrderCompleted | None]:
    """The buyer said nothing in time. Changes nothing where he did, or where there is time left."""
    due = order.auto_complete_time
    if due is None or now < due:
        return order, None
    return _completed(order, moved(order, "timeRanOut", Actor.TIMER), now, by=Actor.TIMER)


def _completed(
    order: Order, state: State, now: datetime, *, by: Actor
) -> tuple[Order, events.OrderCompleted]:
    later = next_version(order, now, by=by)
    changed = replace(later, state=state, auto_complete_time=None, complete_time=now)
    return changed, events.OrderCompleted(changed, by is Actor.TIMER)


def cancel(
    order: Order, payment: Payment | None, *, actor: Actor, reason: CancelReason, text: str, now: datetime
) -> tuple[Order, Payment | None, events.OrderCancelled]:
    """A confirmed order ends early; `payment` is the order's, if it has one.

    A charge that was not tried yet is voided together with the order. One that is under way cannot be called
    back: its answer decides later (`payments.settled`, `given_up`).
    """
    state = moved(order, "cancel", actor)
    cancellation = Cancellation(reason, _PARTIES[actor], text, now)
    under_way = payment is not None and payment.state in UNRESOLVED
    changed = replace(
        next_version(order, now, by=actor),
        state=state,
        auto_complete_time=None,
        cancellation=cancellation,
        payment_state=_after_cancellation(order.payment_state, under_way=under_way),
    )
    if payment is not None and payment.state is payments.State.CREATED:
        payment = payments.void(payment, actor=actor, now=now)
    return changed, payment, events.OrderCancelled(changed, cancellation.reason, cancellation.cancelled_by)


def _after_cancellation(state: PaymentState, *, under_way: bool) -> PaymentState:
    if state is PaymentState.FAILED or (state is PaymentState.PENDING and not under_way):
        return PaymentState.VOIDED
    return state


def given_up(order: Order, voided: Payment, *, now: datetime) -> tuple[Order, events.OrderPaymentVoided]:
    """A cancelled order whose charge never reached the provider: it is not submitted again."""
    moved(order, "paymentVoided", Actor.TIMER)
    changed = replace(next_version(order, now), payment_state=PaymentState.VOIDED)
    return changed, events.OrderPaymentVoided(changed, voided.name)
