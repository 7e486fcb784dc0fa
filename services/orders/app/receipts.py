"""Receipts of payments, for their two parties."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.refusal import not_found
from services.orders.app.ports import Repository
from services.orders.domain.receipt import Receipt, receipt_of


@dataclass(frozen=True, slots=True)
class GetReceipt:
    """The receipt of the payment of this name."""

    payment: str


class ReceiptQueries:
    """Reads receipts."""

    def __init__(self, database: Database, repository: Repository) -> None:
        self._database = database
        self._repository = repository

    async def get(self, call: Call, query: GetReceipt) -> Receipt:
        """The receipt, as it is now."""
        name = f"{query.payment}/receipt"

        async def work(tx: Transaction) -> Receipt:
            payment = await self._repository.load_payment(tx, query.payment)
            if payment is None:
                raise not_found(name)
            call.party(buyer=payment.buyer, seller=payment.seller, name=name)
            # A subscription has the id of its order.
            order = await self._repository.load(tx, f"orders/{payment.owner.partition('/')[2]}")
            if order is None:
                raise LookupError(f"the order of {payment.name} does not exist")
            return receipt_of(payment, order)

        return await self._database.read(work)
