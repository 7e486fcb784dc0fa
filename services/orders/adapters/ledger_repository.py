"""The ledger in PostgreSQL, which itself refuses to change it or to take in what is not balanced."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from chassis.db import Transaction
from chassis.kernel.money import Money
from chassis.kernel.page import Cursor, Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.orders.adapters.tables import ledger_entry, ledger_transaction
from services.orders.app.ports import LedgerFilter, LedgerLine
from services.orders.domain.ledger import Account, Entry, Kind, LedgerTransaction, Side

_LINES: Final = sa.select(
    ledger_entry, ledger_transaction.c.kind, ledger_transaction.c.payment, ledger_transaction.c.buyer
).join(ledger_transaction, ledger_transaction.c.id == ledger_entry.c.transaction_id)

_ADD_TRANSACTION: Final = sa.insert(ledger_transaction)
_ADD_ENTRY: Final = sa.insert(ledger_entry)


class LedgerRepository:
    """The rows of the ledger. They are only ever added."""

    async def post(self, tx: Transaction, new: LedgerTransaction) -> None:
        """Books a transaction, when the work of the running one is done. ConstraintError for one that is
        booked already.
        """
        header = {
            "id": new.id,
            "kind": new.kind.value,
            "payment_id": new.payment.rpartition("/")[2],
            "payment": new.payment,
            "seller": new.seller,
            "buyer": new.buyer,
            "entry_count": len(new.entries),
            "create_time": new.create_time,
        }
        tx.postpone(_ADD_TRANSACTION, header)
        for number, entry in enumerate(new.entries, 1):
            tx.postpone(_ADD_ENTRY, _entry_row(new, number, entry))

    async def ledger_page(
        self, tx: Transaction, wanted: LedgerFilter, request: PageRequest
    ) -> Page[LedgerLine]:
        """The lines of a seller's books, newest first."""
        conditions = [ledger_entry.c.seller == wanted.seller]
        if wanted.payment:
            conditions.append(ledger_transaction.c.payment_id == wanted.payment.rpartition("/")[2])
            conditions.append(ledger_transaction.c.payment == wanted.payment)
        statement = keyset(
            _LINES.where(*conditions),
            (ledger_entry.c.create_time, ledger_entry.c.id),
            request,
            descending=True,
        )
        rows = await tx.fetch_all(statement)
        return page_of([_line(row) for row in rows], request, _cursor)


def _entry_row(one: LedgerTransaction, number: int, entry: Entry) -> dict[str, Any]:
    return {
        "id": f"{one.id}-{number}",
        "transaction_id": one.id,
        "account": entry.account.value,
        "party": entry.party,
        "side": entry.side.value,
        "currency": entry.amount.currency,
        "amount": entry.amount.amount,
        "seller": one.seller,
        "create_time": one.create_time,
    }


def _line(row: Any) -> LedgerLine:
    entry = Entry(Account(row.account), row.party, Side(row.side), Money(row.currency, row.amount))
    return LedgerLine(
        id=row.id,
        transaction=row.transaction_id,
        kind=Kind(row.kind),
        payment=row.payment,
        seller=row.seller,
        buyer=row.buyer,
        create_time=row.create_time,
        entry=entry,
    )


def _cursor(line: LedgerLine) -> Cursor:
    return cursor_of(line.create_time, line.id)
