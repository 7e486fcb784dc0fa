"""What work in a transaction gets to see: statements, and what is to happen together with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy.engine import Row
from sqlalchemy.sql.expression import Executable

from chassis import statements
from chassis.effects import Effects, TimerSetting
from chassis.statements import Parameters, Result
from chassis.storage_errors import translated

_REMOVE_TIMERS = "DELETE FROM timer WHERE kind = $1 AND key = ANY($2::text[])"


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer whose time has come, claimed by one runner. `attempts` counts this one."""

    kind: str
    key: str
    due: datetime
    payload: Mapping[str, Any]
    attempts: int
    claim: str


class _Write(NamedTuple):
    parameters: Mapping[str, Any]
    lost: Exception | None


class Transaction:
    """The transaction that runs, of `chassis.db`."""

    __slots__ = ("_connection", "_effects", "_postponed", "_writable")

    def __init__(self, connection: Any, effects: Effects, *, writable: bool = True) -> None:
        self._connection = connection
        self._effects = effects
        self._writable = writable
        self._postponed: dict[Executable, list[_Write]] = {}

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Result:
        """Runs a Core statement; a sequence of parameters runs it once for each. ConstraintError when it
        breaks a constraint; the transaction can then only be left by raising.
        """
        try:
            return await statements.run(self._connection, statement, parameters)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise translated(error) from error

    async def fetch_all(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> list[Row[Any]]:
        """Every row. Raises what `execute` raises."""
        try:
            return await statements.rows(self._connection, statement, parameters)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise translated(error) from error

    async def fetch_one(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Row[Any] | None:
        """The first row, or None."""
        found = await self.fetch_all(statement, parameters)
        return found[0] if found else None

    async def scalar(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, or None."""
        found = await self.fetch_all(statement, parameters)
        return found[0][0] if found else None

    def postpone(
        self, statement: Executable, parameters: Mapping[str, Any], *, lost: Exception | None = None
    ) -> None:
        """Runs a Core statement once the work is done: all rows of one statement in one round trip, the
        statements in the order in which they came first. Nothing that the work reads later shows it.

        `lost`, for a statement that answers one row or none (RETURNING), is raised where it answers none.
        """
        self._require_writable()
        self._postponed.setdefault(statement, []).append(_Write(parameters, lost))

    async def write_postponed(self) -> None:
        """Runs what was postponed. Raises what `execute` raises."""
        for statement, writes in self._postponed.items():
            answering = [one.lost for one in writes if one.lost is not None]
            rows = [one.parameters for one in writes]
            if not answering:
                await self.execute(statement, rows)
            elif await self._count_answers(statement, rows) < len(rows):
                # Which one it was, is found out by whoever does each alone.
                raise answering[0]
        self._postponed.clear()

    async def _count_answers(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
        try:
            return await statements.count_answers(self._connection, statement, rows)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise translated(error) from error

    def record(self, *events: Any) -> None:
        """Publishes domain events once this commits: one for each new version of an aggregate."""
        self._require_writable()
        self._effects.record(events)

    def schedule(self, kind: str, key: str, due: datetime, payload: Mapping[str, Any] | None = None) -> None:
        """Sets the timer (kind, key), replacing the one that is set."""
        self._require_writable()
        self._effects.timers[kind, key] = TimerSetting(due, payload or {})

    def unschedule(self, kind: str, key: str) -> None:
        """Removes the timer (kind, key), if it is set, after all other work of the transaction."""
        self._require_writable()
        self._effects.timers[kind, key] = None

    async def remove_timer(self, kind: str, key: str) -> None:
        """Removes the timer (kind, key) at once: before rows are locked that its handler locks after it."""
        await self.remove_timers(kind, (key,))

    async def remove_timers(self, kind: str, keys: Sequence[str]) -> None:
        """Removes several timers of one kind, like `remove_timer`."""
        self._require_writable()
        await self._connection.execute(_REMOVE_TIMERS, kind, keys)

    def _require_writable(self) -> None:
        if not self._writable:
            raise RuntimeError("a read changes nothing")
