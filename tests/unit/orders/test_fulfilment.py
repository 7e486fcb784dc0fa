"""The tail of an order: what the functions do beside the state, and what a cancellation does to a charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal
from services.orders.domain import fulfilment
from services.orders.domain import order as orders
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Charge, Outcome
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.order import DELIVERIES_LIMIT, Order, PaymentState, State
from services.orders.domain.payment import Payment
from services.orders.domain.work import CancelReason, Party
from tests.unit.orders.purchases import HOUR, NOW, PATIENCE, in_state, paying

LATER = NOW + HOUR


def cancelled(order: Order, payment: Payment | None) -> tuple[Order, Payment | None]:
    return fulfilment.cancel(
        order, payment, actor=Actor.SELLER, reason=CancelReason.NO_CAPACITY, text="Ill", now=LATER
    )[:2]


@pytest.mark.covers("G09")
def test_beginning_early_moves_no_clock() -> None:
    order = replace(in_state(State.CONFIRMED), start_time=NOW + 5 * HOUR)
    order = orders.with_confirmation(order, at=NOW)
    begun, event = fulfilment.start(order, actor=Actor.SELLER, now=LATER)
    assert (begun.begin_time, event.automatic) == (LATER, False)
    assert begun.clock_start_time == NOW + 5 * HOUR
    assert begun.delivery_due_time == NOW + 5 * HOUR + timedelta(days=begun.delivery_days)


def test_the_agreed_start_begins_the_work_once_and_never_too_early() -> None:
    agreed = orders.with_confirmation(replace(in_state(State.CONFIRMED), start_time=LATER), at=NOW)
    assert fulfilment.start_came(agreed, now=LATER - timedelta(microseconds=1)) == (agreed, None)
    begun, event = fulfilment.start_came(agreed, now=LATER)
    assert event is not None
    assert (begun.state, event.automatic) == (State.IN_PROGRESS, True)
    for order in (begun, in_state(State.CONFIRMED), cancelled(agreed, None)[0]):
        assert fulfilment.start_came(order, now=LATER) == (order, None)


def test_time_accepts_only_what_is_delivered_and_only_in_time() -> None:
    delivered = in_state(State.DELIVERED)
    due = NOW + PATIENCE
    assert delivered.auto_complete_time == due
    assert fulfilment.time_ran_out(delivered, now=due - timedelta(microseconds=1)) == (delivered, None)
    done, event = fulfilment.time_ran_out(delivered, now=due)
    assert event is not None
    assert (done.state, done.complete_time, event.automatic) == (State.COMPLETED, due, True)
    for state in set(State) - {State.DELIVERED}:
        order = in_state(state)
        assert order.auto_complete_time is None
        assert fulfilment.time_ran_out(order, now=due) == (order, None)


def test_the_last_delivery_cannot_be_sent_back() -> None:
    order = in_state(State.IN_PROGRESS)
    for number in range(1, DELIVERIES_LIMIT + 1):
        order, _ = fulfilment.deliver(order, actor=Actor.SELLER, text="Here", now=NOW, patience=PATIENCE)
        assert [one.number for one in order.deliveries] == list(range(1, number + 1))
        if number < DELIVERIES_LIMIT:
            order, _ = fulfilment.request_changes(order, actor=Actor.BUYER, text="Bigger", now=LATER)
            assert (order.deliveries[-1].changes_text, order.auto_complete_time) == ("Bigger", None)
    assert orders.allowed_actions(order, Actor.BUYER) == ("complete", "cancel")
    with pytest.raises(Refusal) as refused:
        fulfilment.request_changes(order, actor=Actor.BUYER, text="Bigger", now=LATER)
    assert refused.value.reason == "TRANSITION_FORBIDDEN"


@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.SELLER, Actor.OPERATOR])
def test_a_cancellation_says_who_and_why(actor: Actor) -> None:
    order, _, event = fulfilment.cancel(
        in_state(State.DELIVERED), None, actor=actor, reason=CancelReason.POLICY, text="No", now=LATER
    )
    assert order.cancellation is not None
    assert (order.cancellation.text, order.cancellation.cancel_time) == ("No", LATER)
    assert event.cancelled_by is order.cancellation.cancelled_by is Party(actor.name)
    assert event.reason is CancelReason.POLICY


def test_what_was_not_tried_is_voided_and_what_was_declined_is_not_owed() -> None:
    order, created = paying()
    ended, voided = cancelled(order, created)
    assert voided is not None
    assert (ended.payment_state, voided.state) == (PaymentState.VOIDED, payments.State.VOIDED)
    soft = Charge(Outcome.SOFT_DECLINE, "insufficient_funds")
    declined = payments.resolve(payments.submit(created, now=NOW), 1, soft, now=NOW)
    failed, _ = payments.settled(order, declined, now=NOW)
    ended, same = cancelled(failed, declined)
    assert (ended.payment_state, same) == (PaymentState.VOIDED, declined)
    assert not any(one.allowed for one in payments.explain_payment(declined, ended, Actor.BUYER))
    assert ended.refund_due is None


def test_what_was_taken_is_owed_and_what_was_paid_otherwise_is_not() -> None:
    order, created = paying()
    captured = payments.resolve(payments.submit(created, now=NOW), 1, Charge(Outcome.CAPTURED), now=NOW)
    paid, _ = payments.settled(order, captured, now=NOW)
    assert paid.refund_due is None
    ended, same = cancelled(paid, captured)
    assert (ended.payment_state, ended.refund_due, same) == (PaymentState.PAID, order.total, captured)
    for state in (PaymentState.OFFLINE, PaymentState.FREE):
        other = replace(in_state(State.CONFIRMED), payment_state=state)
        ended, _ = cancelled(other, None)
        assert (ended.payment_state, ended.refund_due) == (state, None)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("outcome", [Outcome.CAPTURED, Outcome.HARD_DECLINE])
@pytest.mark.parametrize("given_up", [False, True])
def test_a_charge_under_way_cannot_be_called_back_and_its_answer_counts(
    outcome: Outcome, lost: bool, given_up: bool
) -> None:
    order, created = paying()
    payment = payments.submit(created, now=NOW)
    if lost:
        payment = payments.lose(payment, 1, now=NOW)
    ended, same = cancelled(order, payment)
    assert (ended.payment_state, ended.refund_due, same) == (PaymentState.PENDING, None, payment)
    if given_up:
        payment = payments.void(payment, actor=Actor.TIMER, now=LATER)
        ended, event = fulfilment.given_up(ended, payment, now=LATER)
        assert (ended.payment_state, event.payment) == (PaymentState.VOIDED, payment.name)
        assert payments.lose(payment, 1, now=LATER) is payment
    resolved = payments.resolve(payment, 1, Charge(outcome), now=LATER)
    settled, _ = payments.settled(ended, resolved, now=LATER)
    taken = outcome is Outcome.CAPTURED
    assert settled.state is State.CANCELLED
    assert settled.payment_state is (PaymentState.PAID if taken else PaymentState.VOIDED)
    assert settled.refund_due == (order.total if taken else None)


def test_only_a_cancelled_order_gives_a_charge_up() -> None:
    order, created = paying()
    voided = payments.void(payments.submit(created, now=NOW), actor=Actor.TIMER, now=LATER)
    with pytest.raises(Refusal):
        fulfilment.given_up(order, voided, now=LATER)


def test_a_declined_charge_of_work_under_way_can_still_be_paid() -> None:
    order, created = paying()
    declined = payments.resolve(
        payments.submit(created, now=NOW), 1, Charge(Outcome.SOFT_DECLINE, "funds"), now=NOW
    )
    failed, _ = payments.settled(order, declined, now=NOW)
    begun, _ = fulfilment.start(failed, actor=Actor.SELLER, now=NOW)
    _, changed, _ = payments.retry(declined, begun, actor=Actor.BUYER, token="", now=LATER)
    assert (changed.state, changed.payment_state) == (State.IN_PROGRESS, PaymentState.PENDING)
    offline, _ = orders.change_payment_method(
        begun, actor=Actor.BUYER, method=PaymentMethod.OFFLINE, token="", now=LATER
    )
    assert offline.payment_state is PaymentState.OFFLINE
