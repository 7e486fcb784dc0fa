"""Payments of orders that the seller receives himself."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from services.orders.app.loading import ChangeOrder, load_for_change
from services.orders.app.ports import Repository
from services.orders.app.views import OrderView
from services.orders.domain import ledger, offline


@dataclass(frozen=True, slots=True)
class MarkPaid:
    """An order that was paid, and how."""

    name: str
    means: offline.Means
    etag: str = ""


class OfflineCommands:
    """The seller says that he was paid, or takes that back."""

    def __init__(self, database: Database, repository: Repository, *, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._ids = ids

    async def mark(self, call: Call, command: MarkPaid) -> OrderView:
        """Books what the seller got."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await load_for_change(
                self._repository, tx, call, name=command.name, etag=command.etag
            )
            held = next(iter(await self._repository.payments_of(tx, order.name)), None)
            changed, paid, event = offline.mark(
                order,
                held,
                actor=actor,
                means=command.means,
                payment_id=self._ids.new(),
                now=self._clock.now(),
            )
            if held is None:
                await self._repository.add_payment(tx, paid)
            else:
                await self._repository.save_payment(tx, paid, expected=held.version)
            await self._repository.post(tx, ledger.received(paid))
            await self._repository.save(tx, changed, expected=order.version)
            tx.record(event)
            return OrderView(changed, actor)

        return await self._database.command(call, work)

    async def unmark(self, call: Call, command: ChangeOrder) -> OrderView:
        """Books the same the other way round."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await load_for_change(
                self._repository, tx, call, name=command.name, etag=command.etag
            )
            offline.check_unmark(order, actor)
            (held,) = await self._repository.payments_of(tx, order.name)
            changed, open_again, event = offline.unmark(order, held, actor=actor, now=self._clock.now())
            await self._repository.save_payment(tx, open_again, expected=held.version)
            await self._repository.post(tx, ledger.taken_back(open_again))
            await self._repository.save(tx, changed, expected=order.version)
            tx.record(event)
            return OrderView(changed, actor)

        return await self._database.command(call, work)
