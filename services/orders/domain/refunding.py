"""What can be done with the refunds of a payment.

Together they never exceed what was captured: the amount of a refund counts from the moment it is asked for
until the provider says for certain that it failed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from chassis.kernel.machine import Actor, Machine, Transition
from chassis.kernel.money import Money
from chassis.kernel.refusal import invalid
from services.orders.domain import events, refusals
from services.orders.domain import payment as payments
from services.orders.domain.order import Order, moved, next_version
from services.orders.domain.payment import Payment
from services.orders.domain.refund import ChargeReference, Refund, RefundAnswer, RefundReason, RefundState

UNRESOLVED: Final = (RefundState.SUBMITTING, RefundState.UNKNOWN)
"""The provider may or may not have given the money back."""

REFUNDS_LIMIT: Final = 100
"""How many refunds a payment may have: they are kept with it."""

MACHINE: Final = Machine[RefundState](
    "refund",
    (
        Transition((RefundState.CREATED,), "submit", (Actor.TIMER,), RefundState.SUBMITTING),
        # Under the same key, once the provider said that it never saw it.
        Transition(UNRESOLVED, "resubmit", (Actor.TIMER,), RefundState.SUBMITTING),
        Transition(UNRESOLVED, "lose", (Actor.TIMER,), RefundState.UNKNOWN),
        Transition(UNRESOLVED, "succeed", (Actor.TIMER,), RefundState.SUCCEEDED),
        Transition(UNRESOLVED, "fail", (Actor.TIMER,), RefundState.FAILED),
    ),
)


def request(
    payment: Payment,
    *,
    actor: Actor,
    amount: Money | None,
    reason: RefundReason,
    text: str,
    requested_by: str,
    now: datetime,
) -> tuple[Payment, Refund]:
    """A refund of `amount`, or of everything that is left.

    Refusals TRANSITION_FORBIDDEN, AMOUNT_INVALID, CURRENCY_MISMATCH and REFUND_EXCEEDS_PAYMENT.
    """
    payments.MACHINE.move(payment.state, "refund", actor, name=payment.name)
    left = payment.refundable
    if payment.last_capture is None:
        raise refusals.transition_forbidden(payment.name, payment.state.value, "refund", ())
    asked = left if amount is None else amount
    if amount is not None and not amount.is_positive:
        raise invalid("amount", "must be more than nothing", reason="AMOUNT_INVALID")
    if not asked <= left or not asked.is_positive or len(payment.refunds) >= REFUNDS_LIMIT:
        raise refusals.refund_exceeds_payment(payment.name, asked, left)
    number = len(payment.refunds) + 1
    refund = Refund(
        number=number,
        key=f"{payment.id}-refund-{number}",
        amount=asked,
        reason=reason,
        text=text,
        requested_by=requested_by,
        state=RefundState.CREATED,
        create_time=now,
    )
    changed = replace(payments.next_version(payment, now), refunds=(*payment.refunds, refund))
    return changed, refund


def submit(payment: Payment, number: int, *, now: datetime) -> tuple[Payment, Refund]:
    """The provider is about to be asked. It is to be stored before."""
    return _move(payment, number, "submit", now)


def resubmit(payment: Payment, number: int, *, now: datetime) -> tuple[Payment, Refund]:
    """The same refund again, under the same key."""
    return _move(payment, number, "resubmit", now)


def lose(payment: Payment, number: int, *, now: datetime) -> Payment:
    """The answer was lost. Changes nothing where that, or the answer, is known."""
    if refund_of(payment, number).state is not RefundState.SUBMITTING:
        return payment
    return _move(payment, number, "lose", now)[0]


def resolve(payment: Payment, number: int, answer: RefundAnswer, *, now: datetime) -> Payment:
    """The provider's answer. Changes nothing where it is known already."""
    refund = refund_of(payment, number)
    if refund.state not in UNRESOLVED:
        return payment
    state = MACHINE.move(refund.state, "succeed" if answer.succeeded else "fail", Actor.TIMER)
    known = replace(refund, state=state, failure_code=answer.failure_code, resolve_time=now)
    return _with(payment, known, now)


def refund_of(payment: Payment, number: int) -> Refund:
    """Refund `number` of a payment; IndexError where there is none."""
    return payment.refunds[number - 1]


def charge_of(payment: Payment) -> ChargeReference:
    """The charge that is given back; ValueError for a payment that nothing was taken for."""
    attempt = payment.last_capture
    if attempt is None:
        raise ValueError(f"no provider took {payment.name}")
    return ChargeReference(attempt.key, attempt.reference)


def given_back(
    order: Order, payment: Payment, refund: Refund, *, now: datetime
) -> tuple[Order, events.OrderRefunded]:
    """The order after a refund of its payment."""
    moved(order, "refunded", Actor.TIMER)
    changed = replace(next_version(order, now), refunded=payment.refunded)
    return changed, events.OrderRefunded(changed, payment.name, refund.number, refund.amount)


def not_given_back(
    order: Order, payment: Payment, refund: Refund, *, now: datetime
) -> tuple[Order, events.OrderRefundFailed]:
    """The order after a refund that the provider refused."""
    moved(order, "refundFailed", Actor.TIMER)
    changed = next_version(order, now)
    return changed, events.OrderRefundFailed(changed, payment.name, refund.number, refund.amount)


def _move(payment: Payment, number: int, event: str, now: datetime) -> tuple[Payment, Refund]:
    refund = refund_of(payment, number)
    moved_on = replace(refund, state=MACHINE.move(refund.state, event, Actor.TIMER, name=refund.key))
    return _with(payment, moved_on, now), moved_on


def _with(payment: Payment, refund: Refund, now: datetime) -> Payment:
    refunds = tuple(refund if one.number == refund.number else one for one in payment.refunds)
    return replace(payments.next_version(payment, now), refunds=refunds)
