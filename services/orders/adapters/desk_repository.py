"""The counters of the folders, labels and notes. A trigger of `orders` keeps the counters."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from chassis.db import Transaction
from chassis.kernel.page import Cursor, Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.orders.adapters.tables import order_folder_count as counters
from services.orders.adapters.tables import order_label as labels
from services.orders.adapters.tables import order_note as notes
from services.orders.adapters.tables import orders
from services.orders.domain.desk import FolderCount
from services.orders.domain.note import Note
from services.orders.domain.order import Folder, Order

_COUNTS: Final = (
    sa.select(
        counters.c.folder,
        sa.cast(sa.func.sum(counters.c.orders), sa.BigInteger).label("orders"),
        sa.cast(sa.func.sum(counters.c.unread), sa.BigInteger).label("unread"),
    )
    .where(counters.c.seller == sa.bindparam("seller"))
    .group_by(counters.c.folder)
)
_SELLERS: Final = sa.text(
    "SELECT seller FROM order_folder_count WHERE seller > :after UNION "
    "SELECT seller FROM orders WHERE seller > :after ORDER BY seller LIMIT :size"
).bindparams(sa.bindparam("after", type_=sa.Text), sa.bindparam("size", type_=sa.Integer))
_RECOUNT: Final = sa.text("SELECT recount_order_folders(:seller) AS wrong").bindparams(
    sa.bindparam("seller", type_=sa.Text)
)


_FORGET_LABELS: Final = sa.delete(labels).where(
    labels.c.seller == sa.bindparam("whose"), labels.c.order_id == sa.bindparam("order")
)
_SET_LABELS: Final = (
    sa.update(orders).where(orders.c.id == sa.bindparam("order")).values(labels=sa.bindparam("all"))
)
_SET_READ: Final = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("order"))
    .values(unread=sa.bindparam("team"), buyer_unread=sa.bindparam("by_buyer"))
)
_NOTES: Final = sa.select(notes).where(notes.c.order_id == sa.bindparam("order"))
_COUNT_NOTES: Final = sa.select(sa.func.count()).where(notes.c.order_id == sa.bindparam("order"))


class DeskRepository:
    """Implements the port `Desk`."""

    async def counts(self, tx: Transaction, seller: str) -> tuple[FolderCount, ...]:
        """The folders of a seller in which something lies or lay."""
        rows = await tx.fetch_all(_COUNTS, {"seller": seller})
        return tuple(FolderCount(Folder(row.folder), row.orders, row.unread) for row in rows)

    async def sellers(self, tx: Transaction, after: str, size: int) -> tuple[str, ...]:
        """The next sellers with orders or counters, by name."""
        rows = await tx.fetch_all(_SELLERS, {"after": after, "size": size})
        return tuple(row.seller for row in rows)

    async def recount(self, tx: Transaction, seller: str) -> bool:
        """Counts the orders of a seller anew; answers whether a counter was wrong."""
        return bool(await tx.scalar(_RECOUNT, {"seller": seller}))

    async def set_labels(self, tx: Transaction, order: Order) -> None:
        """Keeps the labels of a locked order, and nothing else of it."""
        await tx.execute(_SET_LABELS, {"order": order.id, "all": list(order.labels)})
        await tx.execute(_FORGET_LABELS, {"whose": order.seller, "order": order.id})
        rows = [{"seller": order.seller, "label": one, "order_id": order.id} for one in order.labels]
        if rows:
            await tx.execute(sa.insert(labels), rows)

    async def set_read(self, tx: Transaction, order: Order) -> None:
        """Keeps what both sides have not read of a locked order, and nothing else of it."""
        row = {"order": order.id, "team": order.unread, "by_buyer": order.buyer_unread}
        await tx.execute(_SET_READ, row)

    async def add_note(self, tx: Transaction, note: Note) -> None:
        """Stores a new note."""
        await tx.execute(sa.insert(notes), _note_row(note))

    async def count_notes(self, tx: Transaction, order: Order) -> int:
        """How many notes an order has."""
        return int(await tx.scalar(_COUNT_NOTES, {"order": order.id}))

    async def notes(self, tx: Transaction, order: Order, request: PageRequest) -> Page[Note]:
        """The notes of an order, oldest first."""
        statement = keyset(_NOTES, (notes.c.create_time, notes.c.id), request)
        rows = await tx.fetch_all(statement, {"order": order.id})
        return page_of([_read_note(row) for row in rows], request, _note_cursor)


def _note_cursor(note: Note) -> Cursor:
    return cursor_of(note.create_time, note.id)


def _note_row(note: Note) -> dict[str, Any]:
    return {
        "id": note.id,
        "order_id": note.order.removeprefix("orders/"),
        "seller": note.seller,
        "author": note.author,
        "text": note.text,
        "create_time": note.create_time,
    }


def _read_note(row: Any) -> Note:
    return Note(row.id, f"orders/{row.order_id}", row.seller, row.author, row.text, row.create_time)
