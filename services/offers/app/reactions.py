"""What offers does when something happens elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.db import Database, Transaction
from chassis.envelope import Delivery
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from services.offers.app.keeping import keep
from services.offers.app.ports import Offers
from services.offers.domain import offer as offers
from services.offers.domain.chain import State


@dataclass(frozen=True, slots=True)
class OriginEnded:
    """An order request or an order takes no offers any more; `state` is what it became."""

    origin: str
    state: str


class Reactions:
    """One method for each kind of fact."""

    def __init__(self, database: Database, offers: Offers, clock: Clock) -> None:
        self._database = database
        self._offers = offers
        self._clock = clock

    async def origin_ended(self, delivery: Delivery, fact: OriginEnded) -> None:
        """Takes back the open offer that answers it. An offer that was accepted before stays accepted."""
        await self._database.react(delivery, lambda tx: self._end(tx, fact))

    async def request_expired(self, delivery: Delivery, fact: OriginEnded) -> None:
        """The same, unless an open offer answered the request in time: its owner hears of that late, and
        takes the request up again.
        """

        async def work(tx: Transaction) -> None:
            await self._offers.lock_origin(tx, fact.origin)
            if await self._offers.find_at_origin(tx, fact.origin, states={State.OPEN}) is None:
                await self._end(tx, fact)

        await self._database.react(delivery, work)

    async def _end(self, tx: Transaction, fact: OriginEnded) -> None:
        await self._offers.end_origin(tx, fact.origin, fact.state)
        offer = await self._offers.find_at_origin(tx, fact.origin, states={State.OPEN})
        if offer is None:
            return
        now = self._clock.now()
        changed, event = (
            offers.expire(offer, now=now)
            if offer.is_overdue(now)
            else offers.withdraw(offer, actor=Actor.SERVICE, now=now)
        )
        await keep(self._offers, tx, changed, event, before=offer)
