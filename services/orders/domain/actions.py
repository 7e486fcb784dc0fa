"""Payments that wait for something that the provider wants of the buyer, as a proof that a card is his."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chassis.kernel.machine import Actor
from services.orders.domain import events
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Charge
from services.orders.domain.order import Order, moved, next_version
from services.orders.domain.payment import Payment, State

ACTION_LIFETIME: Final = timedelta(hours=24)
"""How long the buyer has to act before the charge is called off."""


def require_action(payment: Payment, number: int, charge: Charge, *, now: datetime) -> Payment:
    """The provider wants something of the buyer, whose time runs from the first answer that said so. Changes
    nothing where that is known, or the answer, or where the payment was given up.
    """
    attempt = payments.open_attempt(payment, number)
    if attempt is None or payment.state is State.VOIDED:
        return payment
    known = replace(
        attempt,
        outcome=charge.outcome,
        reference=charge.reference,
        action=charge.action,
        action_expire_time=attempt.action_expire_time or now + ACTION_LIFETIME,
    )
    if known == attempt and payment.state is State.REQUIRES_ACTION:
        return payment
    state = payments.MACHINE.move(payment.state, "requireAction", Actor.TIMER, name=payment.name)
    return payments.with_attempt(payments.next_version(payment, now), known, state)


def action_required(
    order: Order, payment: Payment, *, now: datetime
) -> tuple[Order, events.OrderPaymentActionRequired]:
    """The order whose buyer has something to do before it is paid."""
    moved(order, "paymentActionRequired", Actor.TIMER)
    changed = replace(next_version(order, now), buyer_unread=order.buyer_unread + 1)
    return changed, events.OrderPaymentActionRequired(changed, payment.name)
