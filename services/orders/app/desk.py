"""The desk of a seller's team."""

from __future__ import annotations

from typing import Final, Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from services.orders.domain.desk import FolderCount, folder_counts

SELLERS_AT_ONCE: Final = 500


class Desk(Protocol):
    """The counters of the folders."""

    async def counts(self, tx: Transaction, seller: str) -> tuple[FolderCount, ...]:
        """The folders of a seller in which something lies or lay."""
        ...

    async def sellers(self, tx: Transaction, after: str, size: int) -> tuple[str, ...]:
        """The next sellers with orders or counters, by name."""
        ...

    async def recount(self, tx: Transaction, seller: str) -> bool:
        """Counts the orders of a seller anew; answers whether a counter was wrong."""
        ...


class DeskQueries:
    """The reads. Who may ask is settled by the method's declaration: the team."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self._database = database
        self._desk = desk

    async def folder_counts(self, _call: Call, seller: str) -> tuple[FolderCount, ...]:
        """Every folder, the empty ones too."""
        return folder_counts(await self._database.read(lambda tx: self._desk.counts(tx, seller)))


async def recount_folders(database: Database, *, desk: Desk) -> str:
    """Counts every seller's folders anew, one seller in each transaction; says what was wrong.

    The service cannot miscount; a restore that left the triggers out, or a change by hand, can. Nobody's
    orders change while one seller is counted.
    """
    counted, wrong, last = 0, 0, ""
    while names := await _sellers(database, desk, last):
        for name in names:
            wrong += await _recount(database, desk, name)
        counted, last = counted + len(names), names[-1]
    return f"the folders of {counted} sellers were counted; those of {wrong} were wrong"


async def _sellers(database: Database, desk: Desk, last: str) -> tuple[str, ...]:
    return await database.read(lambda tx: desk.sellers(tx, last, SELLERS_AT_ONCE))


async def _recount(database: Database, desk: Desk, name: str) -> bool:
    return await database.transact(lambda tx: desk.recount(tx, name))
