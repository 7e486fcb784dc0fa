"""Things that have to happen later are rows, never sleeping tasks: they survive every crash and fire once.

A runner claims due rows; the claim lapses after a while, so that another runner takes over from one that
died. The handler removes the row in the transaction that does the work (``database.fire``), so firing twice
does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
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
TOGETHER: Final = 64
"""Timers that a group handler gets at once, at most."""
GROUPS: Final = 2
"""Groups at work at once: one waits for somebody else while the other works."""
FIRST_RETRY: Final = timedelta(seconds=1)
LONGEST_RETRY: Final = timedelta(hours=1)

TIMERS = Counter("parley_timers", "Timers that came due, by kind and outcome.", ("kind", "outcome"))

Handler = Callable[[DueTimer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class GroupHandler:
    """Handles several timers of one kind at once, which share round trips and a commit. Where that fails,
    each is handled alone, so that one that does not work holds up no other.
    """

    handle: Callable[[Sequence[DueTimer]], Awaitable[None]]


# A claim that a crash of the database forgets lapses like any other, so nobody waits for the disk. Kinds are
# looked at one by one: thousands that are due of one are no work for those who look for another.
_CLAIM = (
    "UPDATE timer SET claim = $1, visible_time = $2, attempts = timer.attempts + 1 FROM ("
    "SELECT due.* FROM (SELECT set_config('synchronous_commit', 'off', true)) AS fast, "
    "unnest($4::text[]) AS wanted (kind), LATERAL (SELECT kind, key, visible_time AS since FROM timer "
    "WHERE timer.kind = wanted.kind AND visible_time <= $3 AND due_time <= $3 "
    "ORDER BY visible_time LIMIT $5 FOR UPDATE SKIP LOCKED) AS due ORDER BY due.since LIMIT $5) AS claimed "
    "WHERE timer.kind = claimed.kind AND timer.key = claimed.key "
    "RETURNING timer.kind, timer.key, timer.due_time, timer.payload, timer.attempts"
)
_POSTPONE = "UPDATE timer SET claim = '', visible_time = $4 WHERE kind = $1 AND key = $2 AND claim = $3"
_NEXT = (
    "SELECT min(next) FROM unnest($1::text[]) AS wanted (kind), LATERAL (SELECT visible_time AS next "
    "FROM timer WHERE timer.kind = wanted.kind ORDER BY visible_time LIMIT 1) AS earliest"
)


class TimerRunner:
    """Fires the timers of one service. Every replica runs one."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler | GroupHandler],
        *,
        ids: Ids | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._handlers = {kind: one for kind, one in handlers.items() if not isinstance(one, GroupHandler)}
        self._groups = {kind: one for kind, one in handlers.items() if isinstance(one, GroupHandler)}
        self._ids = ids or UuidV7(clock)
        self._stopping = False
        self._claiming = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()
        self._running_groups: set[asyncio.Task[None]] = set()

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
            for task in (*self._running, *self._running_groups):
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
            started = 0
            if places := self._places:
                claimed = await self._claim(list(self._handlers), places)
                for timer in claimed:
                    self._start(self._running, self._fire(timer), timer.kind)
                started += len(claimed)
            for kind, handler in self._groups.items():
                while self._group_places:
                    claimed = await self._claim([kind], TOGETHER)
                    if claimed:
                        self._start(self._running_groups, self._fire_together(handler, claimed), kind)
                    started += len(claimed)
                    if len(claimed) < TOGETHER:
                        break
        return started

    @property
    def _places(self) -> int:
        return CONCURRENCY - len(self._running) if self._handlers else 0

    @property
    def _group_places(self) -> int:
        return GROUPS - len(self._running_groups) if self._groups else 0

    def _start(self, running: set[asyncio.Task[None]], work: Coroutine[Any, Any, None], kind: str) -> None:
        task = asyncio.create_task(work, name=f"timer {kind}")
        running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_full = len(self._running) >= CONCURRENCY or len(self._running_groups) >= GROUPS
        self._running.discard(task)
        self._running_groups.discard(task)
        if was_full:
            # Others may have waited for this place.
            self._database.timers_changed.set()

    async def _running_ended(self) -> None:
        while running := self._running | self._running_groups:
            await asyncio.wait(running)

    async def _claim(self, kinds: Sequence[str], most: int) -> list[DueTimer]:
        now, claim = self._clock.now(), self._ids.new()
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, claim, now + LEASE, now, kinds, most)
        return [_due(row, claim) for row in rows]

    async def _fire_together(self, handler: GroupHandler, timers: Sequence[DueTimer]) -> None:
        if len(timers) == 1:
            await self._fire(timers[0])
            return
        kind = timers[0].kind
        try:
            with working(f"timer {kind}"):
                await handler.handle(timers)
        except Exception as error:  # noqa: BLE001 - whose fault it was is told by doing each alone
            _log.warning("timers_failed", kind=kind, count=len(timers), error_type=type(error).__name__)
            for timer in timers:
                await self._fire(timer)
        else:
            TIMERS.labels(kind, "fired").inc(len(timers))

    async def _fire(self, timer: DueTimer) -> None:
        try:
            with working(f"timer {timer.kind}"):
                await self._handle(timer)
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

    async def _handle(self, timer: DueTimer) -> None:
        if timer.kind in self._groups:
            await self._groups[timer.kind].handle([timer])
        else:
            await self._handlers[timer.kind](timer)

    async def _postpone(self, timer: DueTimer) -> None:
        delay = min(FIRST_RETRY * 2 ** min(timer.attempts - 1, 20), LONGEST_RETRY)
        # When even this fails, the claim lapses by itself.
        with contextlib.suppress(Refusal):
            async with self._database.connection() as connection:
                await connection.execute(
                    _POSTPONE, timer.kind, timer.key, timer.claim, self._clock.now() + delay
                )

    async def _until_next(self) -> float:
        kinds = [*(self._handlers if self._places else ()), *(self._groups if self._group_places else ())]
        if not kinds:
            return POLL_SECONDS
        async with self._database.connection() as connection:
            due = await connection.fetchval(_NEXT, kinds)
        if due is None:
            return POLL_SECONDS
        seconds: float = (due - self._clock.now()).total_seconds()
        return min(max(seconds, 0.0), POLL_SECONDS)


def _due(row: Any, claim: str) -> DueTimer:
    return DueTimer(row["kind"], row["key"], row["due_time"], row["payload"], row["attempts"], claim)
