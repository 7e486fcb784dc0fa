"""What gating does when time has come."""

from __future__ import annotations

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from services.gating.app.order_requests import save_moved
from services.gating.app.ports import OrderRequests
from services.gating.domain import order_request


class Timers:
    """One method for each kind of timer."""

    def __init__(self, database: Database, *, requests: OrderRequests, clock: Clock) -> None:
        self._database = database
        self._requests = requests
        self._clock = clock

    async def expire_order_request(self, timer: DueTimer) -> None:
        """Ends a request that nobody decided, or about which nobody answered, in time; never over a final
        state.
        """

        async def work(tx: Transaction) -> None:
            request = await self._requests.find(tx, timer.key, lock=True)
            moved = None if request is None else order_request.expire(request, now=self._clock.now())
            if moved is not None:
                await save_moved(tx, self._requests, moved)

        await self._database.fire(timer, work)

    async def remind_of_order_request(self, timer: DueTimer) -> None:
        """Tells the seller that somebody waits, once for each point; the next one is set together with it."""

        async def work(tx: Transaction) -> None:
            request = await self._requests.find(tx, timer.key, lock=True)
            moved = None if request is None else order_request.remind(request, now=self._clock.now())
            if moved is not None:
                await save_moved(tx, self._requests, moved)

        await self._database.fire(timer, work)
