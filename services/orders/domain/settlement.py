"""What an operator decides where the provider never told what became of a charge or a refund.

Only once the last enquiry is over: until then the provider's own answer may come, and two answers would be
one too many.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from services.orders.domain import payment as payments
from services.orders.domain import refunding, refusals
from services.orders.domain.attempt import Charge, Outcome
from services.orders.domain.payment import ENQUIRIES_END_AFTER, UNRESOLVED, Payment
from services.orders.domain.refund import RefundAnswer

NOT_MOVED: Final = "settled_by_operator"
"""The code of a charge or a refund that an operator decided did not happen."""


def settle_charge(payment: Payment, *, moved: bool, note: str, now: datetime) -> Payment:
    """The last attempt took the money, or never will. Refusal TRANSITION_FORBIDDEN."""
    if payment.state not in UNRESOLVED or now < payment.enquiries_end_time:
        raise refusals.transition_forbidden(payment.name, payment.state.value, "settle", ())
    number = payment.last_attempt.number
    charge = Charge(Outcome.CAPTURED) if moved else Charge(Outcome.SOFT_DECLINE, NOT_MOVED)
    settled = payments.resolve(payment, number, charge, now=now)
    attempts = (*settled.attempts[:-1], replace(settled.last_attempt, note=note))
    return replace(settled, attempts=attempts)


def settle_refund(payment: Payment, number: int, *, moved: bool, note: str, now: datetime) -> Payment:
    """A refund went back, or never will. Refusal TRANSITION_FORBIDDEN."""
    refund = payment.refunds[number - 1] if number <= len(payment.refunds) else None
    over = refund is not None and now >= refund.create_time + ENQUIRIES_END_AFTER
    if refund is None or refund.state not in refunding.UNRESOLVED or not over:
        state = payment.state.value if refund is None else refund.state.value
        raise refusals.transition_forbidden(payment.name, state, "settle", ())
    answer = RefundAnswer(True) if moved else RefundAnswer(False, NOT_MOVED)
    settled = refunding.resolve(payment, number, answer, now=now)
    refunds = tuple(replace(one, note=note) if one.number == number else one for one in settled.refunds)
    return replace(settled, refunds=refunds)
