"""Things that have to happen later are rows, never sleeping tasks: they survive every crash and fire once.

A runner claims due rows; the claim lapses after a while, so that another runner takes over from one that
died. The handler removes the row in the transaction that does the work (``database.fire``), so firing twice
does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from prometheus_client import Counter

from chassis.db import Database, DueTimer
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids, UuidV7
from chassis.kernel.refusal import Refusal
from chassis.telemetry import logger, working

_log = logger(__name__)

POLL_SECONDS: Final = 1.0
LEASE: Final = timedelta(seconds=30)
"""How long a claimed timer is invisible to other runners."""
CONCURRENCY: Final = 16
"""Handlers at work at once. Only what can begin at once is claimed, so that no claim lapses in a queue."""
FIRST_RETRY: Final = timedelta(seconds=1)
LONGEST_RETRY: Final = timedelta(hours=1)

TIMERS = Counter("parley_timers", "Timers that came due, by kind and outcome.", ("kind", "outcome"))

Handler = Callable[[DueTimer], Awaitable[None]]

_CLAIM = (
    "UPDATE timer SET claim = $1, visible_time = $2, attempts = attempts + 1 WHERE (kind, key) IN "
    "(SELECT kind, key FROM timer WHERE visible_time <= $3 AND due_time <= $3 AND kind = ANY($4) "
    "ORDER BY visible_time LIMIT $5 FOR UPDATE SKIP LOCKED) "
    "RETURNING kind, key, due_time, payload, attempts"
)
_POSTPONE = "UPDATE timer SET claim = '', visible_time = $4 WHERE kind = $1 AND key = $2 AND claim = $3"
_NEXT = "SELECT min(visible_time) FROM timer WHERE kind = ANY($1)"


class TimerRunner:
    """Fires the timers of one service. Every replica runs one."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler],
        *,
        ids: Ids | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._handlers = dict(handlers)
        self._kinds = list(handlers)
        self._ids = ids or UuidV7(clock)
        self._stopping = False
        self._claiming = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Fires timers as they come due until cancelled or stopped; a slow handler holds up nobody else."""
        try:
            while not self._stopping:
                self._database.timers_changed.clear()
                try:
                    await self._start_due()
                    pause = await self._until_next()
                except Refusal as refusal:
                    _log.warning("timers_paused", reason=refusal.reason)
                    pause = POLL_SECONDS
                if not self._stopping:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._database.timers_changed.wait(), pause)
            await self._running_ended()
        finally:
            for task in self._running:
                task.cancel()

    def stop(self) -> None:
        """Claims nothing new; `run` ends when what was claimed has run."""
        self._stopping = True
        self._database.timers_changed.set()

    async def run_due(self) -> int:
        """Fires everything that is due now, timers set meanwhile included, and waits for whatever is running;
        answers how many were claimed.
        """
        total = 0
        while True:
            claimed = await self._start_due()
            total += claimed
            await self._running_ended()
            if not claimed or self._stopping:
                return total

    async def _start_due(self) -> int:
        """Starts as many due timers as there are free places."""
        async with self._claiming:
            places = CONCURRENCY - len(self._running)
            claimed = await self._claim(places) if places and self._kinds else []
            for timer in claimed:
                task = asyncio.create_task(self._fire(timer), name=f"timer {timer.kind}")
                self._running.add(task)
                task.add_done_callback(self._ended)
        return len(claimed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_full = len(self._running) == CONCURRENCY
        self._running.discard(task)
        if was_full:
            # Others may have waited for this place.
            self._database.timers_changed.set()

    async def _running_ended(self) -> None:
        while self._running:
            await asyncio.wait(self._running)

    async def _claim(self, places: int) -> list[DueTimer]:
        now, claim = self._clock.now(), self._ids.new()
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, claim, now + LEASE, now, self._kinds, places)
        return [_due(row, claim) for row in rows]

    async def _fire(self, timer: DueTimer) -> None:
        try:
            with working(f"timer {timer.kind}"):
                await self._handlers[timer.kind](timer)
        except Exception as error:  # noqa: BLE001 - whatever it was, the timer fires again
            TIMERS.labels(timer.kind, "failed").inc()
            _log.warning(
                "timer_failed",
                kind=timer.kind,
                key=timer.key,
                attempts=timer.attempts,
                error_type=type(error).__name__,
                exc_info=not isinstance(error, Refusal),
            )
            await self._postpone(timer)
        else:
            TIMERS.labels(timer.kind, "fired").inc()

    async def _postpone(self, timer: DueTimer) -> None:
        delay = min(FIRST_RETRY * 2 ** min(timer.attempts - 1, 20), LONGEST_RETRY)
        # When even this fails, the claim lapses by itself.
        with contextlib.suppress(Refusal):
            async with self._database.connection() as connection:
                await connection.execute(
                    _POSTPONE, timer.kind, timer.key, timer.claim, self._clock.now() + delay
                )

    async def _until_next(self) -> float:
        if len(self._running) >= CONCURRENCY:
            return POLL_SECONDS
        async with self._database.connection() as connection:
            due = await connection.fetchval(_NEXT, self._kinds)
        if due is None:
            return POLL_SECONDS
        seconds: float = (due - self._clock.now()).total_seconds()
        return min(max(seconds, 0.0), POLL_SECONDS)


def _due(row: Any, claim: str) -> DueTimer:
    return DueTimer(row["kind"], row["key"], row["due_time"], row["payload"], row["attempts"], claim)
