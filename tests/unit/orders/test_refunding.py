"""Refunds of a payment: never more than was captured, whatever the provider says when; and their books."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind, Refusal
from services.orders.domain import ledger, refunding
from services.orders.domain.ledger import Account, Entry, LedgerTransaction, Side
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment, State
from services.orders.domain.refund import RefundAnswer, RefundReason, RefundState
from tests.unit.orders.purchases import HOUR, NOW, eur
from tests.unit.orders.test_payment import in_payment_state

LATER = NOW + HOUR
YES, NO = RefundAnswer(True), RefundAnswer(False, "expired_or_canceled_card")


def asked(payment: Payment, amount: Money | None = None, *, actor: Actor = Actor.SELLER) -> Payment:
    changed, _ = refunding.request(
        payment,
        actor=actor,
        amount=amount,
        reason=RefundReason.OTHER,
        text="Sorry",
        requested_by="users/s",
        now=NOW,
    )
    return changed


def paid() -> tuple[Order, Payment]:
    return in_payment_state(State.CAPTURED)


EXPECTED = {
    (RefundState.CREATED, "submit"): RefundState.SUBMITTING,
    **{
        (state, event): target
        for state in (RefundState.SUBMITTING, RefundState.UNKNOWN)
        for event, target in (
            ("resubmit", RefundState.SUBMITTING),
            ("lose", RefundState.UNKNOWN),
            ("succeed", RefundState.SUCCEEDED),
            ("fail", RefundState.FAILED),
        )
    },
}


def test_the_table_is_the_specification() -> None:
    cells = itertools.product(RefundState, refunding.MACHINE.events, Actor)
    table = {cell: refunding.MACHINE.move(*cell) for cell in cells if refunding.MACHINE.can(*cell)}
    assert table == {(state, event, Actor.TIMER): target for (state, event), target in EXPECTED.items()}


@pytest.mark.parametrize(("state", "actor"), list(itertools.product(State, Actor)))
def test_only_what_was_captured_is_refunded_and_not_by_the_buyer(state: State, actor: Actor) -> None:
    _, payment = in_payment_state(state)
    if state is State.CAPTURED and actor in {Actor.SELLER, Actor.OPERATOR}:
        assert asked(payment, actor=actor).refunds[0].amount == payment.amount
        return
    with pytest.raises(Refusal) as refused:
        asked(payment, actor=actor)
    known = actor in {Actor.SELLER, Actor.OPERATOR}
    assert refused.value.kind is (Kind.PRECONDITION if known else Kind.DENIED)


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (eur(10_001), "REFUND_EXCEEDS_PAYMENT"),
        (eur(0), "AMOUNT_INVALID"),
        (eur(-1), "AMOUNT_INVALID"),
        (Money("USD", 1), "CURRENCY_MISMATCH"),
    ],
)
def test_amounts_that_are_refused(amount: Money, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        asked(paid()[1], amount)
    assert refused.value.reason == reason


def test_an_amount_counts_until_the_provider_refuses_it() -> None:
    _, payment = paid()
    payment = asked(payment, eur(9_999))
    with pytest.raises(Refusal) as refused:
        asked(payment, eur(2))
    assert refused.value.metadata["refundable"] == "0.01 EUR"
    payment, _ = refunding.submit(payment, 1, now=NOW)
    payment = refunding.lose(payment, 1, now=NOW)
    assert refunding.lose(payment, 1, now=NOW) is payment
    assert payment.refundable == eur(1)
    failed = refunding.resolve(payment, 1, NO, now=LATER)
    assert (failed.refundable, failed.refunded) == (eur(10_000), eur(0))
    assert refunding.resolve(failed, 1, YES, now=LATER) is failed
    succeeded = refunding.resolve(payment, 1, YES, now=LATER)
    assert (succeeded.refundable, succeeded.refunded) == (eur(1), eur(9_999))
    last = asked(succeeded)
    assert last.refunds[1].amount == eur(1)
    with pytest.raises(Refusal) as refused:
        asked(last)
    assert refused.value.reason == "REFUND_EXCEEDS_PAYMENT"


def test_the_hundred_and_first_refund_is_refused() -> None:
    _, payment = paid()
    for _ in range(refunding.REFUNDS_LIMIT):
        payment = asked(payment, eur(1))
    with pytest.raises(Refusal) as refused:
        asked(payment, eur(1))
    assert refused.value.reason == "REFUND_EXCEEDS_PAYMENT"


def test_the_order_shows_what_went_back() -> None:
    order, payment = paid()
    payment, _ = refunding.submit(asked(payment, eur(3_000)), 1, now=NOW)
    back = refunding.resolve(payment, 1, YES, now=LATER)
    changed, event = refunding.given_back(order, back, back.refunds[0], now=LATER)
    assert (changed.refunded, event.amount, event.refund_number) == (eur(3_000), eur(3_000), 1)
    refused = refunding.resolve(payment, 1, NO, now=LATER)
    same, failure = refunding.not_given_back(order, refused, refused.refunds[0], now=LATER)
    assert (same.refunded, failure.amount) == (None, eur(3_000))


Step = tuple[str, int]


@given(st.lists(st.tuples(st.sampled_from(["ask", "submit", "lose", "yes", "no"]), st.integers(0, 9_000))))
def test_the_books_balance_and_agree_after_every_history(steps: list[Step]) -> None:
    _, payment = paid()
    books = [ledger.captured(payment)]
    for step, number in steps:
        before = payment
        try:
            payment = _take(payment, step, number)
        except (Refusal, IndexError):
            continue
        for old, new in itertools.zip_longest(before.refunds, payment.refunds):
            if new.is_successful and not (old and old.is_successful):
                books.append(ledger.refunded(payment, new))
        assert Money("EUR", 0) <= payment.refunded <= payment.reserved <= payment.amount
    clearing = sum(
        entry.signed for one in books for entry in one.entries if entry.account is Account.PROVIDER_CLEARING
    )
    assert clearing == (payment.amount - payment.refunded).amount
    assert len({one.id for one in books}) == len(books)


def _take(payment: Payment, step: str, number: int) -> Payment:
    if step == "ask":
        return asked(payment, eur(number) if number else None)
    chosen = number % max(len(payment.refunds), 1) + 1
    match step:
        case "submit":
            return refunding.submit(payment, chosen, now=NOW)[0]
        case "lose":
            return refunding.lose(payment, chosen, now=NOW)
        case _:
            return refunding.resolve(payment, chosen, YES if step == "yes" else NO, now=LATER)


def test_nothing_unbalanced_is_ever_a_transaction() -> None:
    _, payment = paid()
    books = ledger.captured(payment)
    debit = Entry(Account.PROVIDER_CLEARING, "sandbox", Side.DEBIT, eur(5))
    for entries in (
        (debit,),
        (debit, replace(debit, side=Side.CREDIT, amount=eur(4))),
        (debit, replace(debit, side=Side.CREDIT, amount=Money("USD", 5))),
        (replace(debit, amount=eur(0)), replace(debit, amount=eur(0), side=Side.CREDIT)),
    ):
        with pytest.raises(ValueError, match=r"balanced|positive"):
            replace(books, entries=entries)
    assert isinstance(books, LedgerTransaction)


def test_only_what_happened_is_booked() -> None:
    _, created = in_payment_state(State.CREATED)
    with pytest.raises(ValueError, match="not captured"):
        ledger.captured(created)
    _, payment = paid()
    payment = asked(payment)
    with pytest.raises(ValueError, match="did not succeed"):
        ledger.refunded(payment, payment.refunds[0])
