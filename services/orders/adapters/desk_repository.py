"""The counters of the folders. A trigger of `orders` keeps them: see docs/decisions."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from chassis.db import Transaction
from services.orders.adapters.tables import order_folder_count as counters
from services.orders.domain.desk import FolderCount
from services.orders.domain.order import Folder

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
