"""A payment and its attempts: the machine exhaustively, and every rule about means and keys."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind, Refusal
from services.orders.domain import actions
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Action, Charge, Outcome
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.events import OrderPaid, OrderPaymentFailed, OrderPaymentRetried
from services.orders.domain.order import Order, PaymentState
from services.orders.domain.order import State as OrderState
from services.orders.domain.payment import MACHINE, Payment, Purpose, State
from tests.unit.orders.purchases import BUYER, HOUR, NOW, PAYMENT_ID, SELLER, eur, in_state, paying

LATER = NOW + HOUR
CAPTURED = Charge(Outcome.CAPTURED)
SOFT = Charge(Outcome.SOFT_DECLINE, "insufficient_funds")
WAITING = Charge(Outcome.REQUIRES_ACTION, reference="pi_1", action=Action("https://bank.example", "secret"))
HARD = Charge(Outcome.HARD_DECLINE, "stolen_card")


def in_payment_state(state: State, *, charge: Charge = SOFT) -> tuple[Order, Payment]:
    order, created = paying()
    submitting = payments.submit(created, now=NOW)
    match state:
        case State.CREATED:
            return order, created
        case State.SUBMITTING:
            return order, submitting
        case State.UNKNOWN:
            return order, payments.lose(submitting, 1, now=NOW)
        case State.REQUIRES_ACTION:
            return order, actions.require_action(submitting, 1, WAITING, now=NOW)
        case State.VOIDED:
            order = replace(order, payment_state=PaymentState.VOIDED)
            return order, payments.void(submitting, actor=Actor.TIMER, now=NOW)
        case State.CAPTURED | State.DECLINED:
            answer = CAPTURED if state is State.CAPTURED else charge
            payment = payments.resolve(submitting, 1, answer, now=NOW)
            return payments.settled(order, payment, now=NOW)[0], payment


EXPECTED = {
    (State.CREATED, "submit", Actor.TIMER): State.SUBMITTING,
    (State.SUBMITTING, "resubmit", Actor.TIMER): State.SUBMITTING,
    (State.UNKNOWN, "resubmit", Actor.TIMER): State.SUBMITTING,
    (State.SUBMITTING, "capture", Actor.TIMER): State.CAPTURED,
    (State.UNKNOWN, "capture", Actor.TIMER): State.CAPTURED,
    (State.SUBMITTING, "decline", Actor.TIMER): State.DECLINED,
    (State.UNKNOWN, "decline", Actor.TIMER): State.DECLINED,
    (State.SUBMITTING, "lose", Actor.TIMER): State.UNKNOWN,
    (State.UNKNOWN, "lose", Actor.TIMER): State.UNKNOWN,
    (State.REQUIRES_ACTION, "resubmit", Actor.TIMER): State.SUBMITTING,
    (State.REQUIRES_ACTION, "capture", Actor.TIMER): State.CAPTURED,
    (State.REQUIRES_ACTION, "decline", Actor.TIMER): State.DECLINED,
    (State.REQUIRES_ACTION, "lose", Actor.TIMER): State.UNKNOWN,
    (State.REQUIRES_ACTION, "requireAction", Actor.TIMER): State.REQUIRES_ACTION,
    (State.SUBMITTING, "requireAction", Actor.TIMER): State.REQUIRES_ACTION,
    (State.UNKNOWN, "requireAction", Actor.TIMER): State.REQUIRES_ACTION,
    (State.REQUIRES_ACTION, "resume", Actor.BUYER): State.REQUIRES_ACTION,
    (State.REQUIRES_ACTION, "void", Actor.TIMER): State.VOIDED,
    (State.VOIDED, "capture", Actor.TIMER): State.CAPTURED,
    (State.VOIDED, "decline", Actor.TIMER): State.DECLINED,
    (State.CREATED, "void", Actor.BUYER): State.VOIDED,
    (State.CREATED, "void", Actor.SELLER): State.VOIDED,
    (State.CREATED, "void", Actor.OPERATOR): State.VOIDED,
    (State.CREATED, "void", Actor.TIMER): State.VOIDED,
    (State.SUBMITTING, "void", Actor.TIMER): State.VOIDED,
    (State.UNKNOWN, "void", Actor.TIMER): State.VOIDED,
    (State.DECLINED, "retry", Actor.BUYER): State.CREATED,
    (State.DECLINED, "retry", Actor.SELLER): State.CREATED,
    (State.DECLINED, "renew", Actor.TIMER): State.CREATED,
    (State.CAPTURED, "refund", Actor.SELLER): State.CAPTURED,
    (State.CAPTURED, "refund", Actor.OPERATOR): State.CAPTURED,
}


def test_the_table_is_the_specification() -> None:
    cells = itertools.product(State, MACHINE.events, Actor)
    table = {cell: MACHINE.move(*cell) for cell in cells if MACHINE.can(*cell)}
    assert table == EXPECTED


@pytest.mark.covers("X06")
@pytest.mark.parametrize(("state", "actor"), list(itertools.product(State, Actor)))
def test_retry_in_every_state_by_every_actor(state: State, actor: Actor) -> None:
    order, payment = in_payment_state(state)
    explained = [one for one in payments.explain_payment(payment, order, actor) if one.action == "retry"]
    if (state, "retry", actor) in EXPECTED:
        assert [one.allowed for one in explained] == [True]
        renewed, changed, event = payments.retry(payment, order, actor=actor, token="", now=LATER)
        assert (renewed.state, changed.payment_state) == (State.CREATED, PaymentState.PENDING)
        assert isinstance(event, OrderPaymentRetried)
        return
    assert not any(one.allowed for one in explained)
    with pytest.raises(Refusal) as refused:
        payments.retry(payment, order, actor=actor, token="other", now=LATER)
    known = actor in {Actor.BUYER, Actor.SELLER}
    assert refused.value.kind is (Kind.PRECONDITION if known else Kind.DENIED)
    assert refused.value.metadata["resource"] == payment.name
    assert bool(explained) is known


@pytest.mark.parametrize("step", [payments.submit, payments.resubmit])
@pytest.mark.parametrize("state", State)
def test_submitting_obeys_the_table(step: Callable[..., Payment], state: State) -> None:
    _, payment = in_payment_state(state)
    event = "submit" if step is payments.submit else "resubmit"
    if (state, event, Actor.TIMER) in EXPECTED:
        assert step(payment, now=LATER).state is State.SUBMITTING
    else:
        with pytest.raises(Refusal):
            step(payment, now=LATER)


@pytest.mark.covers("B35")
def test_nothing_is_due_before_the_confirmation_nor_offline_nor_for_nothing() -> None:
    pending = in_state(OrderState.PENDING, method=PaymentMethod.ONLINE)
    with pytest.raises(ValueError, match="not confirmed"):
        payments.due(pending, payment_id="p", provider="sandbox", now=NOW)
    confirmed = in_state(OrderState.CONFIRMED, method=PaymentMethod.ONLINE)
    for state in PaymentState:
        found = payments.due(
            replace(confirmed, payment_state=state), payment_id="p", provider="sandbox", now=NOW
        )
        assert (found is not None) is (state is PaymentState.PENDING)


@pytest.mark.covers("B35")
def test_each_attempt_has_its_own_key_and_a_lost_one_keeps_it() -> None:
    order, payment = paying()
    first = payments.submit(payment, now=NOW)
    lost = payments.lose(first, 1, now=LATER)
    assert lost.last_attempt.outcome is Outcome.UNKNOWN
    again = payments.resubmit(lost, now=LATER)
    assert [attempt.key for attempt in again.attempts] == [first.last_attempt.key]
    declined = payments.resolve(again, 1, SOFT, now=LATER)
    failed, event = payments.settled(order, declined, now=LATER)
    assert isinstance(event, OrderPaymentFailed)
    assert (failed.state, failed.payment_state) == (OrderState.CONFIRMED, PaymentState.FAILED)
    renewed, _, _ = payments.retry(declined, failed, actor=Actor.BUYER, token="", now=LATER)
    second = payments.submit(renewed, now=LATER)
    assert len({attempt.key for attempt in second.attempts}) == 2
    assert second.last_attempt.token == first.last_attempt.token


@pytest.mark.covers("B35")
def test_a_captured_payment_is_final_and_late_answers_change_nothing() -> None:
    order, payment = paying()
    captured = payments.resolve(payments.submit(payment, now=NOW), 1, CAPTURED, now=LATER)
    paid, event = payments.settled(order, captured, now=LATER)
    assert isinstance(event, OrderPaid)
    assert (paid.payment_state, captured.capture_time) == (PaymentState.PAID, LATER)
    assert payments.resolve(captured, 1, HARD, now=LATER) is captured
    assert payments.lose(captured, 1, now=LATER) is captured
    assert payments.resolve(captured, 9, HARD, now=LATER) is captured


def test_losing_twice_is_losing_once() -> None:
    _, unknown = in_payment_state(State.UNKNOWN)
    assert payments.lose(unknown, 1, now=LATER) is unknown


@pytest.mark.parametrize(
    ("charge", "token", "refused"),
    [
        (SOFT, "", False),
        (SOFT, "sandbox_success", False),
        (SOFT, "other", False),
        (HARD, "", True),
        (HARD, "sandbox_success", True),
        (HARD, "other", False),
    ],
)
def test_a_hard_decline_needs_another_means(charge: Charge, token: str, refused: bool) -> None:
    order, payment = in_payment_state(State.DECLINED, charge=charge)
    if not refused:
        renewed, _, _ = payments.retry(payment, order, actor=Actor.BUYER, token=token, now=LATER)
        assert renewed.token == (token or "sandbox_success")
        return
    with pytest.raises(Refusal) as found:
        payments.retry(payment, order, actor=Actor.BUYER, token=token, now=LATER)
    assert (found.value.kind, found.value.reason) == (Kind.PRECONDITION, "PAYMENT_MEANS_REFUSED")
    assert found.value.metadata == {"payment": payment.name, "decline_code": "stolen_card"}


def test_what_was_settled_offline_is_not_retried() -> None:
    order, payment = in_payment_state(State.DECLINED)
    offline = replace(order, payment_method=PaymentMethod.OFFLINE, payment_state=PaymentState.OFFLINE)
    with pytest.raises(Refusal, match="retry is not possible"):
        payments.retry(payment, offline, actor=Actor.BUYER, token="other", now=LATER)


def test_the_provider_is_asked_after_an_hour_then_daily_five_times() -> None:
    hours = [payments.next_enquiry(number) for number in range(1, 8)]
    assert hours == [timedelta(hours=1), *[timedelta(days=1)] * 5, None]


def subscribed(**changes: Any) -> Payment:
    given: dict[str, Any] = {
        "payment_id": PAYMENT_ID,
        "parties": (SELLER, BUYER),
        "provider": "sandbox",
        "token": "t",
        "now": NOW,
        "sequence": 3,
    }
    return payments.new("subscriptions/s", Purpose.SUBSCRIPTION_PERIOD, eur(500), **{**given, **changes})


def test_a_period_of_a_subscription_is_paid_like_an_order() -> None:
    payment = subscribed()
    assert payment.name == f"subscriptions/s/payments/{PAYMENT_ID}"
    assert (payment.seller, payment.buyer, payment.sequence) == (SELLER, BUYER, 3)
    with pytest.raises(ValueError, match="owes nothing"):
        payments.new(
            "subscriptions/s",
            Purpose.SUBSCRIPTION_PERIOD,
            eur(0),
            payment_id=PAYMENT_ID,
            parties=(SELLER, BUYER),
            provider="sandbox",
            token="t",
            now=NOW,
        )


@pytest.mark.parametrize("state", State)
def test_a_schedule_makes_only_a_declined_payment_due_again(state: State) -> None:
    _, payment = in_payment_state(state)
    if state is State.DECLINED:
        assert payments.due_again(payment, actor=Actor.TIMER, token="", now=LATER).state is State.CREATED
        return
    with pytest.raises(Refusal) as refused:
        payments.due_again(payment, actor=Actor.TIMER, token="", now=LATER)
    assert refused.value.kind is Kind.PRECONDITION


def test_a_schedule_never_repeats_a_hard_decline_by_the_same_means() -> None:
    _, payment = in_payment_state(State.DECLINED, charge=HARD)
    with pytest.raises(Refusal) as refused:
        payments.due_again(payment, actor=Actor.TIMER, token="", now=LATER)
    assert refused.value.reason == "PAYMENT_MEANS_REFUSED"
    assert payments.due_again(payment, actor=Actor.TIMER, token="new", now=LATER).token == "new"


def test_a_payment_without_attempts_has_no_last_one() -> None:
    with pytest.raises(ValueError, match="never tried"):
        _ = paying()[1].last_attempt


def test_the_time_of_the_buyer_begins_once_and_ends_at_a_moment() -> None:
    order, waiting = in_payment_state(State.REQUIRES_ACTION)
    until = NOW + actions.ACTION_LIFETIME
    assert waiting.last_attempt.action_expire_time == until
    assert actions.require_action(waiting, 1, WAITING, now=LATER) is waiting
    other = replace(WAITING, action=Action("https://bank.example/2"))
    moved_on = actions.require_action(waiting, 1, other, now=LATER)
    assert (moved_on.action, moved_on.last_attempt.action_expire_time) == (other.action, until)
    just_before = until - timedelta(microseconds=1)
    assert payments.lose(waiting, 1, now=just_before) is waiting
    assert not payments.is_action_over(waiting, now=just_before)
    assert payments.is_action_over(waiting, now=until)
    lost = payments.lose(waiting, 1, now=until)
    assert (lost.state, lost.action) == (State.UNKNOWN, None)
    assert lost.enquiries_end_time == until + payments.ENQUIRIES_END_AFTER
    taken = payments.resolve(lost, 1, CAPTURED, now=until)
    assert (taken.state, taken.last_attempt.action, taken.last_attempt.reference) == (
        State.CAPTURED,
        None,
        "pi_1",
    )
    assert actions.require_action(taken, 1, WAITING, now=until) is taken
    changed, _ = actions.action_required(order, waiting, now=NOW)
    assert changed.payment_state is order.payment_state


def test_what_was_given_up_waits_for_nobody() -> None:
    _, voided = in_payment_state(State.VOIDED)
    assert actions.require_action(voided, 1, WAITING, now=LATER) is voided


def test_a_period_is_attended_only_when_the_buyer_tries_it_again() -> None:
    assert paying()[1].is_attended
    period = subscribed()
    assert not period.is_attended
    declined = payments.resolve(payments.submit(period, now=NOW), 1, SOFT, now=NOW)
    for actor in (Actor.BUYER, Actor.SELLER, Actor.TIMER):
        again = payments.due_again(declined, actor=actor, token="", now=LATER)
        assert again.is_attended is (actor is Actor.BUYER)
