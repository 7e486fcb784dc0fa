"""Forgetting what nobody needs any more of deliveries, mails and their links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock

FORGET: Final = "retention"
"""The timer that forgets, once an hour."""
PAUSE: Final = timedelta(hours=1)
BATCH: Final = 1_000
"""Rows that one transaction removes of each record."""


@dataclass(frozen=True, slots=True)
class Record:
    """Something that is forgotten: `forget` removes at most so many of what ended before a time, and answers
    how many.
    """

    forget: Callable[[Transaction, datetime, int], Awaitable[int]]
    kept: timedelta


class Retention:
    """One timer for the whole service, whichever replica it meets."""

    def __init__(self, database: Database, records: Sequence[Record], clock: Clock) -> None:
        self._database = database
        self._records = records
        self._clock = clock

    async def begin(self) -> None:
        """Sets the timer; every start of a process does."""

        async def work(tx: Transaction) -> None:
            tx.schedule(FORGET, "", self._clock.now())

        await self._database.transact(work)

    async def forget(self, timer: DueTimer) -> None:
        """One batch of each record; the next one comes at once where there is more."""

        async def work(tx: Transaction) -> None:
            now = self._clock.now()
            removed = [await record.forget(tx, now - record.kept, BATCH) for record in self._records]
            tx.schedule(FORGET, "", now if max(removed, default=0) >= BATCH else now + PAUSE)

        await self._database.fire(timer, work)
