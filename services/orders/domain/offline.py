"""Payments that the seller receives himself: by bank transfer, in cash, on an invoice.

Parley moves no money here. The seller says that he was paid, which is booked, and may take it back.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import Actor
from services.orders.domain import events
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Outcome
from services.orders.domain.order import Order, PaymentState, moved, next_version
from services.orders.domain.payment import Payment, Purpose

PROVIDER: Final = "offline"
"""What stands in place of the name of a provider."""


class Means(StrEnum):
    """How the seller was paid."""

    BANK_TRANSFER = "BANK_TRANSFER"
    CASH = "CASH"
    INVOICE = "INVOICE"
    OTHER = "OTHER"


def mark(
    order: Order, payment: Payment | None, *, actor: Actor, means: Means, payment_id: str, now: datetime
) -> tuple[Order, Payment, events.OrderPaid]:
    """The seller was paid. `payment` is the one that the order has already, of an earlier try to pay online
    or of an earlier mark; without one it gets `payment_id`. Refusal TRANSITION_FORBIDDEN.
    """
    moved(order, "markPaid", actor)
    paid = _begun(order, payment_id, now) if payment is None else payments.next_version(payment, now)
    paid = replace(
        paid, state=payments.State.CAPTURED, provider=PROVIDER, token=means.value, capture_time=now
    )
    changed = replace(next_version(order, now), payment_state=PaymentState.PAID)
    return changed, paid, events.OrderPaid(changed, paid.name, Outcome.CAPTURED)


def check_unmark(order: Order, actor: Actor) -> None:
    """Whether the seller can take back that he was paid. Refusal TRANSITION_FORBIDDEN."""
    moved(order, "unmarkPaid", actor)


def unmark(
    order: Order, payment: Payment, *, actor: Actor, now: datetime
) -> tuple[Order, Payment, events.OrderPaymentUnmarked]:
    """The seller was not paid after all. Refusal TRANSITION_FORBIDDEN."""
    moved(order, "unmarkPaid", actor)
    open_again = replace(payments.next_version(payment, now), state=payments.State.VOIDED, capture_time=None)
    changed = replace(next_version(order, now), payment_state=PaymentState.OFFLINE)
    return changed, open_again, events.OrderPaymentUnmarked(changed, payment.name)


def _begun(order: Order, payment_id: str, now: datetime) -> Payment:
    return payments.new(
        order.name,
        Purpose.ORDER_TOTAL,
        order.total,
        payment_id=payment_id,
        parties=(order.seller, order.buyer),
        provider=PROVIDER,
        token="",
        now=now,
    )
