"""Things that have to happen later are rows, never sleeping tasks: they survive every crash and fire once.

A runner claims due rows; the claim lapses after a while, so that another runner takes over from one that
died. The handler removes the row in the transaction that does the work (``database.fire``), so firing twice
does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter as Counted
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
LANE_PLACES: Final = 64
"""Handlers at work at once in a lane: they mostly wait."""
SHARE: Final = 4
"""Of the handlers at work in a lane, how many may be one owner's."""
TOGETHER: Final = 64
"""Timers that a group handler gets at once, at most."""
GROUPS: Final = 2
"""Groups at work at once: one waits for somebody else while the other works."""
FIRST_RETRY: Final = timedelta(seconds=1)
LONGEST_RETRY: Final = timedelta(hours=1)

TIMERS = Counter("parley_timers", "Timers that came due, by kind and outcome.", ("kind", "outcome"))

Handler = Callable[[DueTimer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class LaneHandler:
    """Handles timers that wait for strangers, in places of their own: kinds of one lane share `LANE_PLACES`.
    `owner` says, as the beginning of a key, whose a timer is; `SHARE` of one owner run at once, so that one
    who never answers takes neither the places of others nor those of other lanes.
    """

    handle: Handler
    lane: str
    owner: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class GroupHandler:
    """Handles several timers of one kind at once, which share round trips and a commit. Where that fails,
    each is handled alone, so that one that does not work holds up no other.
    """

    handle: Callable[[Sequence[DueTimer]], Awaitable[None]]


# A claim that a crash of the database forgets lapses like any other, so nobody waits for the disk. Kinds are
# looked at one by one: thousands that are due of one are no work for those who look for another.
CLAIM = (
    "UPDATE timer SET claim = $1, visible_time = $2, attempts = timer.attempts + 1 FROM ("
    "SELECT due.* FROM (SELECT set_config('synchronous_commit', 'off', true)) AS fast, "
    "unnest($4::text[]) AS wanted (kind), LATERAL (SELECT kind, key, visible_time AS since FROM timer "
    "WHERE timer.kind = wanted.kind AND visible_time <= $3 AND due_time <= $3 AND NOT key LIKE ANY($6) "
    "ORDER BY visible_time LIMIT $5 FOR UPDATE SKIP LOCKED) AS due ORDER BY due.since LIMIT $5) AS claimed "
    "WHERE timer.kind = claimed.kind AND timer.key = claimed.key "
    "RETURNING timer.kind, timer.key, timer.due_time, timer.payload, timer.attempts"
)
_POSTPONE = "UPDATE timer SET claim = '', visible_time = $4 WHERE kind = $1 AND key = $2 AND claim = $3"
_RELEASE = (
    "UPDATE timer SET claim = '', visible_time = $4, attempts = attempts - 1 "
    "WHERE kind = $1 AND key = ANY($2::text[]) AND claim = $3"
)
_NEXT = (
    "SELECT min(next) FROM unnest($1::text[]) AS wanted (kind), LATERAL (SELECT visible_time AS next "
    "FROM timer WHERE timer.kind = wanted.kind AND NOT key LIKE ANY($2) "
    "ORDER BY visible_time LIMIT 1) AS earliest"
)


class _Lane:
    """The places that some kinds share, and who is at work in them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.handlers: dict[str, Handler] = {}
        self.owners: dict[str, Callable[[str], str]] = {}
        self.running: dict[asyncio.Task[None], str] = {}

    @property
    def places(self) -> int:
        return self._most - len(self.running)

    def owner(self, timer: DueTimer) -> str:
        """Whose it is; empty where nobody asks."""
        return self.owners[timer.kind](timer.key) if timer.kind in self.owners else ""

    @property
    def crowded(self) -> list[str]:
        """Owners of whom no more may run."""
        counts = Counted(owner for owner in self.running.values() if owner)
        return [owner for owner, count in counts.items() if count >= SHARE]

    def begins(self, timers: Sequence[DueTimer]) -> tuple[list[DueTimer], list[DueTimer]]:
        """Which of them may run, and which are too many of one owner."""
        counts, begin, rest = Counted(self.running.values()), list[DueTimer](), list[DueTimer]()
        for timer in timers:
            owner = self.owner(timer)
            counts[owner] += 1
            (rest if owner and counts[owner] > SHARE else begin).append(timer)
        return begin, rest


def _lanes(handlers: Mapping[str, Handler | LaneHandler | GroupHandler]) -> list[_Lane]:
    lanes: dict[str, _Lane] = {}
    for kind, one in handlers.items():
        if isinstance(one, GroupHandler):
            continue
        if isinstance(one, LaneHandler):
            lane = lanes.setdefault(one.lane, _Lane(LANE_PLACES))
            lane.handlers[kind], lane.owners[kind] = one.handle, one.owner
        else:
            lanes.setdefault("", _Lane(CONCURRENCY)).handlers[kind] = one
    return list(lanes.values())


class TimerRunner:
    """Fires the timers of one service. Every replica runs one."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler | LaneHandler | GroupHandler],
        *,
        ids: Ids | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._lanes = _lanes(handlers)
        self._handlers = {kind: one for lane in self._lanes for kind, one in lane.handlers.items()}
        self._groups = {kind: one for kind, one in handlers.items() if isinstance(one, GroupHandler)}
        self._ids = ids or UuidV7(clock)
        self._stopping = False
        self._claiming = asyncio.Lock()
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
            for task in self._at_work:
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
            for lane in self._lanes:
                started += await self._start_lane(lane)
            for kind, handler in self._groups.items():
                while self._group_places:
                    claimed = await self._claim([kind], TOGETHER)
                    if claimed:
                        task = self._start(self._fire_together(handler, claimed), kind)
                        self._running_groups.add(task)
                    started += len(claimed)
                    if len(claimed) < TOGETHER:
                        break
        return started

    async def _start_lane(self, lane: _Lane) -> int:
        started = 0
        # Again, where those of one owner stood before those of others.
        while places := lane.places:
            claimed = await self._claim(list(lane.handlers), places, but=lane.crowded)
            begin, rest = lane.begins(claimed)
            for timer in begin:
                lane.running[self._start(self._fire(timer), timer.kind)] = lane.owner(timer)
            started += len(begin)
            if not rest:
                break
            await self._release(rest)
        return started

    @property
    def _group_places(self) -> int:
        return GROUPS - len(self._running_groups) if self._groups else 0

    @property
    def _at_work(self) -> set[asyncio.Task[None]]:
        return self._running_groups.union(*(lane.running for lane in self._lanes))

    def _start(self, work: Coroutine[Any, Any, None], kind: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"timer {kind}")
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        others_wait = len(self._running_groups) >= GROUPS
        self._running_groups.discard(task)
        for lane in self._lanes:
            if task in lane.running:
                others_wait = not lane.places or lane.running[task] in lane.crowded
                del lane.running[task]
        if others_wait:
            # For this place.
            self._database.timers_changed.set()

    async def _running_ended(self) -> None:
        while running := self._at_work:
            await asyncio.wait(running)

    async def _claim(self, kinds: Sequence[str], most: int, *, but: Sequence[str] = ()) -> list[DueTimer]:
        now, claim = self._clock.now(), self._ids.new()
        async with self._database.connection() as connection:
            rows = await connection.fetch(CLAIM, claim, now + LEASE, now, kinds, most, _beginning(but))
        return [_due(row, claim) for row in rows]

    async def _release(self, timers: Sequence[DueTimer]) -> None:
        now = self._clock.now()
        async with self._database.connection() as connection:
            for kind in {timer.kind for timer in timers}:
                keys = [timer.key for timer in timers if timer.kind == kind]
                await connection.execute(_RELEASE, kind, keys, timers[0].claim, now)

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
        kinds, crowded = [*(self._groups if self._group_places else ())], list[str]()
        for lane in self._lanes:
            if lane.places:
                kinds.extend(lane.handlers)
                crowded.extend(lane.crowded)
        if not kinds:
            return POLL_SECONDS
        async with self._database.connection() as connection:
            due = await connection.fetchval(_NEXT, kinds, _beginning(crowded))
        if due is None:
            return POLL_SECONDS
        seconds: float = (due - self._clock.now()).total_seconds()
        return min(max(seconds, 0.0), POLL_SECONDS)


def _beginning(texts: Sequence[str]) -> list[str]:
    """Patterns of what begins with one of the texts."""
    return [re.sub(r"([\\%_])", r"\\\1", text) + "%" for text in texts]


def _due(row: Any, claim: str) -> DueTimer:
    return DueTimer(row["kind"], row["key"], row["due_time"], row["payload"], row["attempts"], claim)
