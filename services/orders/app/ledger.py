"""Reading the books."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database
from chassis.kernel.page import Page, PageRequest
from services.orders.app.ports import LedgerFilter, LedgerLine, Repository


@dataclass(frozen=True, slots=True)
class ListLedgerEntries:
    """The lines of the books of `seller`, or those about one payment of his."""

    seller: str
    page: PageRequest
    payment: str = ""


class LedgerQueries:
    """The reads of the ledger. Who may read whose is declared beside the method."""

    def __init__(self, database: Database, repository: Repository) -> None:
        self._database = database
        self._repository = repository

    async def list(self, _call: Call, query: ListLedgerEntries) -> Page[LedgerLine]:
        """Lines, newest first."""
        wanted = LedgerFilter(query.seller, query.payment)
        return await self._database.read(lambda tx: self._repository.ledger_page(tx, wanted, query.page))
