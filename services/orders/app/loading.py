"""How a command gets hold of its order, or of a payment and its owner."""

from __future__ import annotations

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
    owner = await owners.lock(tx, name.partition("/payments/")[0])
    payment = await repository.load_payment(tx, name) if owner is not None else None
    if owner is None or payment is None:
        raise not_found(name)
    return owner, payment
