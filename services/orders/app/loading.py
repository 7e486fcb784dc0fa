"""How a command gets hold of its order, or of a payment and its owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Transaction
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import not_found, stale_etag
from services.orders.app.ports import PaymentOwner, PaymentOwners, Repository
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment


@dataclass(frozen=True, slots=True)
class ChangeOrder:
    """An order that is to be moved without further arguments; `etag` may be empty."""

    name: str
    etag: str = ""


async def load_for_change(
    repository: Repository, tx: Transaction, call: Call, *, name: str, etag: str
) -> tuple[Order, Actor]:
    """The locked order and who the caller is to it; refusals NOT_FOUND, PERMISSION_DENIED, ETAG_MISMATCH."""
    order = await repository.load(tx, name, for_update=True)
    if order is None:
        raise not_found(name)
    actor = call.party(buyer=order.buyer, seller=order.seller, name=name)
    if etag and etag != order.etag:
        raise stale_etag(name, etag, order.etag)
    return order, actor


async def load_owned(
    repository: Repository, owners: PaymentOwners, tx: Transaction, name: str
) -> tuple[PaymentOwner, Payment]:
    """A payment under the lock of its owner; Refusal NOT_FOUND."""
    (found,) = await load_all_owned(repository, owners, tx, (name,))
    return found


async def load_all_owned(
    repository: Repository, owners: PaymentOwners, tx: Transaction, names: Sequence[str]
) -> Sequence[tuple[PaymentOwner, Payment]]:
    """Payments under the locks of their owners, in this order; Refusal NOT_FOUND."""
    locked = await owners.lock(tx, [owner_of(name) for name in names])
    payments = await repository.load_payments(tx, names)
    for name in names:
        if owner_of(name) not in locked or name not in payments:
            raise not_found(name)
    return [(locked[owner_of(name)], payments[name]) for name in names]


def owner_of(payment: str) -> str:
    """The order or subscription in the name of a payment."""
    return payment.partition("/payments/")[0]


async def order_of(repository: Repository, tx: Transaction, payment: Payment) -> Order | None:
    """The order that a payment belongs to; None for a payment of a subscription."""
    return await repository.load(tx, payment.owner) if payment.owner.startswith("orders/") else None
