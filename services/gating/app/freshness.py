"""Keeps what is in memory close behind the database, whoever changed it.

Every transaction that touches an input of the gate leaves a row in the log of changes (triggers write it, so
no path can forget to). A look at the log tells what was committed since the look before; that is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from chassis.db import Database
from chassis.kernel.refusal import Refusal
from services.gating.app.ports import Change, ChangeLog, Changes, Monotonic

MAX_AGE_SECONDS: Final = 1.0
"""Nothing is decided by what was true longer ago than this."""

LOOK_AHEAD_SECONDS: Final = 0.25
"""After this the log is looked at again while decisions go on."""

START_ANEW_SECONDS: Final = 60.0
"""After this, knowing all changes is worth less than loading again. Far shorter than the log is kept."""

PRUNE_SECONDS: Final = 60.0


class Freshness:
    """Calls `forget` with each change that was committed, or None when anything may have changed."""

    def __init__(
        self,
        database: Database,
        log: ChangeLog,
        forget: Callable[[Change | None], None],
        monotonic: Monotonic,
    ) -> None:
        self._database = database
        self._log = log
        self._forget = forget
        self._monotonic = monotonic
        self._seen: Changes | None = None
        self._looked = 0.0
        self._prune_at = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def ensure(self) -> None:
        """Returns when what is in memory may be used: at once, as long as somebody asks often enough. Refusal
        UNAVAILABLE where a look at the log is needed and it cannot be read.
        """
        if not self.holds():
            # Others may wait for it, too: it outlives a caller who goes away.
            await asyncio.shield(self._begin())

    def holds(self) -> bool:
        """Whether what is in memory may be used as it is, for whoever asks too often to wait for `ensure`.
        Begins the next look early enough, when it is asked.
        """
        age = self._monotonic() - self._looked
        if age < LOOK_AHEAD_SECONDS and self._seen is not None:
            return True
        self._begin()
        return age < MAX_AGE_SECONDS and self._seen is not None

    def _begin(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._ended)
        return self._looking

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._looking is task:
            self._looking = None
        if not task.cancelled():
            # A look ahead that failed has no caller; the next one is begun by whoever asks next.
            task.exception()

    async def _look(self) -> None:
        started = self._monotonic()
        before = self._seen
        is_too_old = started - self._looked >= START_ANEW_SECONDS
        since = "" if before is None or is_too_old else before.snapshot
        found = await self._database.read(lambda tx: self._log.since(tx, since))
        if before is None or is_too_old or found.epoch != before.epoch or found.changes is None:
            self._forget(None)
        for change in found.changes or ():
            self._forget(change)
        self._seen, self._looked = found, started
        if started >= self._prune_at:
            self._prune_at = started + PRUNE_SECONDS
            # Only room is at stake.
            with suppress(Refusal):
                await self._database.write_once(self._log.prune)
