"""What a buyer paid, for what, and what came back of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.kernel.money import Money
from services.orders.domain import refusals
from services.orders.domain.commerce import Address, LineItem, total_of
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment, Purpose
from services.orders.domain.refund import Refund

TITLE_CHARACTERS: Final = 200
"""How long the title of a position can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Made from a payment and its order whenever it is asked for. The line items add up to the total."""

    number: str
    payment: Payment
    order: str
    pay_time: datetime
    line_items: tuple[LineItem, ...]
    billing_address: Address | None

    @property
    def name(self) -> str:
        """`…/payments/{payment}/receipt`."""
        return f"{self.payment.name}/receipt"

    @property
    def total(self) -> Money:
        """What was paid."""
        return self.payment.amount

    @property
    def refunds(self) -> tuple[Refund, ...]:
        """What came back for certain, oldest first."""
        return tuple(one for one in self.payment.refunds if one.is_successful)

    @property
    def net_total(self) -> Money:
        """What was paid and did not come back."""
        return self.total - self.payment.refunded


def receipt_of(payment: Payment, order: Order) -> Receipt:
    """The receipt of a payment of `order`, or of the subscription that it led to.

    Refusal PAYMENT_NOT_RECEIVED where it is not paid.
    """
    if payment.capture_time is None:
        raise refusals.payment_not_received(payment.name, payment.state.value)
    return Receipt(
        number=f"R-{payment.id.upper()}",
        payment=payment,
        order=order.name,
        pay_time=payment.capture_time,
        line_items=_line_items(payment, order),
        billing_address=order.billing_address,
    )


def _line_items(payment: Payment, order: Order) -> tuple[LineItem, ...]:
    if payment.purpose is Purpose.ORDER_TOTAL and total_of(order.line_items) == payment.amount:
        return order.line_items
    # What was charged for a period is less than its price where the buyer had something to his credit.
    title = ", ".join(item.title for item in order.line_items)
    return (LineItem(title[:TITLE_CHARACTERS], 1, payment.amount),)
