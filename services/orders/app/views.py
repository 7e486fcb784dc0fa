"""What a caller gets to see: a resource together with who looks at it."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.kernel.machine import Actor
from chassis.kernel.page import Page
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as `actor` sees it; `warnings` are for the seller who just acted."""

    order: Order
    actor: Actor
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment as `actor` sees it; `order` is None for a payment of a subscription."""

    payment: Payment
    order: Order | None
    actor: Actor


@dataclass(frozen=True, slots=True)
class OrdersView:
    """A page of orders as `actor` sees them."""

    page: Page[Order]
    actor: Actor


@dataclass(frozen=True, slots=True)
class PaymentsView:
    """A page of the payments of `order` as `actor` sees them."""

    page: Page[Payment]
    order: Order
    actor: Actor
