"""Writes that would wait for each other anyway, in one round trip and one commit.

While a statement is on its way, whoever brings the same one waits for the *next* trip, and all who wait share
it. One write alone is not held up by this, and under load each costs a fraction of a transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from chassis.kernel.refusal import Refusal

BATCH: Final = 64
"""Writes that share a trip at most."""


class WriteBatches:
    """Stands in for a connection. Each statement has to answer exactly one row. One that fails undoes the
    others of its trip, which are then done again.
    """

    def __init__(self, connection: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._connection = connection
        self._waiting: dict[str, list[_Write]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def fetch(self, text: str, *arguments: Any) -> list[Any]:
        """The row that this statement answers. Raises what it raises by itself: it never fails because of
        those that it shares a trip with.
        """
        write = _Write(arguments)
        if text in self._waiting:
            self._waiting[text].append(write)
        else:
            self._waiting[text] = [write]
            # Not part of the first one's work: when that is cancelled, the others still wait.
            task = asyncio.create_task(self._write_all(text))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return [await write.answer]

    async def _write_all(self, text: str) -> None:
        while batch := self._waiting[text][:BATCH]:
            del self._waiting[text][:BATCH]
            if len(batch) == 1 or not await self._write_together(text, batch):
                await asyncio.gather(*(self._write_alone(text, write) for write in batch))
        del self._waiting[text]

    async def _write_together(self, text: str, batch: list[_Write]) -> bool:
        """False when one of them does not work, and with it none."""
        try:
            async with self._connection() as connection:
                rows = await connection.fetchmany(text, [write.arguments for write in batch])
        except Refusal as refusal:
            # The database is away or full; asking for each would only take longer to find that out.
            for write in batch:
                write.fail(refusal)
        except Exception:  # noqa: BLE001 - whose fault it was is told by doing each alone
            return False
        else:
            if len(rows) != len(batch):
                # Not a statement for this. By itself it says so.
                return False
            for write, row in zip(batch, rows, strict=True):
                write.succeed(row)
        return True

    async def _write_alone(self, text: str, write: _Write) -> None:
        try:
            async with self._connection() as connection:
                (row,) = await connection.fetch(text, *write.arguments)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            write.fail(error)
        else:
            write.succeed(row)


class _Write:
    """The arguments of a statement, and the future of its row."""

    __slots__ = ("answer", "arguments")

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.arguments = arguments
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def succeed(self, row: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(row)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
