"""Orders as the owners of payments, and how the owner of any payment is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.db import Transaction
from services.orders.app.ports import PaymentOwner, PaymentOwners, Repository
from services.orders.domain import actions, fulfilment, refunding
from services.orders.domain import payment as payments
from services.orders.domain.order import Order, State
from services.orders.domain.payment import Payment
from services.orders.domain.refund import Refund


@dataclass(frozen=True, slots=True)
class OrderOwner:
    """A locked order; implements the port `PaymentOwner`."""

    order: Order
    repository: Repository

    def is_owed(self, payment: Payment) -> bool:
        """A cancelled order owes nothing more."""
        del payment
        return self.order.state is not State.CANCELLED

    async def action_required(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """The buyer is told."""
        changed, event = actions.action_required(self.order, payment, now=now)
        await self.repository.save(tx, changed, expected=self.order.version)
        tx.record(event)

    async def settled(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """The order is paid, or its payment failed."""
        changed, event = payments.settled(self.order, payment, now=now)
        await self.repository.save(tx, changed, expected=self.order.version)
        tx.record(event)

    async def given_up(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """Nothing was taken for a cancelled order, and nothing shall be."""
        changed, event = fulfilment.given_up(self.order, payment, now=now)
        await self.repository.save(tx, changed, expected=self.order.version)
        tx.record(event)

    async def refunded(self, tx: Transaction, payment: Payment, refund: Refund, *, now: datetime) -> None:
        """The order shows what went back."""
        changed, event = refunding.given_back(self.order, payment, refund, now=now)
        await self.repository.save(tx, changed, expected=self.order.version)
        tx.record(event)

    async def refund_failed(
        self, tx: Transaction, payment: Payment, refund: Refund, *, now: datetime
    ) -> None:
        """The parties are told that nothing went back."""
        changed, event = refunding.not_given_back(self.order, payment, refund, now=now)
        await self.repository.save(tx, changed, expected=self.order.version)
        tx.record(event)


class OrderOwners:
    """Implements the port `PaymentOwners`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def lock(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, PaymentOwner]:
        """The orders, locked."""
        # One after the other, always in this order: two who lock several wait for each other and never block.
        found = [await self._repository.load(tx, name, for_update=True) for name in sorted(names)]
        return {one.name: OrderOwner(one, self._repository) for one in found if one is not None}


class AllOwners:
    """Finds the owner of a payment by the collection that its name begins with."""

    def __init__(self, owners: Mapping[str, PaymentOwners]) -> None:
        """`owners` by collection: `orders`, `subscriptions`."""
        self._owners = owners

    async def lock(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, PaymentOwner]:
        """The owners, locked; LookupError for a collection that owns no payments."""
        found: dict[str, PaymentOwner] = {}
        for collection in sorted({name.partition("/")[0] for name in names}):
            mine = [name for name in names if name.startswith(f"{collection}/")]
            found |= await self._owners[collection].lock(tx, mine)
        return found
