"""What offers does when a time has come."""

from __future__ import annotations

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from services.offers.app.ports import Offers
from services.offers.domain import offer as offers


class Timers:
    """One method for each kind of timer."""

    def __init__(self, database: Database, offers: Offers, clock: Clock) -> None:
        self._database = database
        self._offers = offers
        self._clock = clock

    async def expire(self, timer: DueTimer) -> None:
        """Ends an offer whose time ran out. It touches open offers only, and decides by their own expiry."""

        async def work(tx: Transaction) -> None:
            offer = await self._offers.load_for_update(tx, timer.key)
            changed, event = offers.expire(offer, now=self._clock.now())
            if event is not None:
                await self._offers.save(tx, changed, before=offer)
                tx.record(event)

        await self._database.fire(timer, work)
