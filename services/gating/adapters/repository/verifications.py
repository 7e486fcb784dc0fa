"""What was said of buyers: rows are added, never changed, and the newest one holds."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.gating.adapters.tables import buyer_verification as table
from services.gating.domain.verification import BuyerVerification

_NEWEST = (
    sa.select(table).where(table.c.buyer == sa.bindparam("buyer")).order_by(table.c.version.desc()).limit(1)
)
_ADD = insert(table).on_conflict_do_nothing()


class VerificationsRepository:
    """Verifications by buyer."""

    async def verification(self, tx: Transaction, buyer: str) -> BuyerVerification:
        """What was said last; version 0 where nothing was."""
        row = await tx.fetch_one(_NEWEST, {"buyer": buyer})
        return BuyerVerification(buyer) if row is None else verification_of(row)

    async def add_verification(self, tx: Transaction, added: BuyerVerification) -> bool:
        """Stores a version; False where somebody else stored it first."""
        row = {
            "buyer": added.buyer,
            "version": added.version,
            "verified": added.verified,
            "expire_time": added.expire_time,
            "author": added.author,
            "set_time": added.set_time,
        }
        return (await tx.execute(_ADD, row)).rowcount == 1

    async def page_of_verifications(
        self, tx: Transaction, buyer: str, page: PageRequest
    ) -> Page[BuyerVerification]:
        """Everything that was said, newest first."""
        statement = keyset(
            sa.select(table).where(table.c.buyer == buyer), [table.c.version], page, descending=True
        )
        found = [verification_of(row) for row in await tx.fetch_all(statement)]
        return page_of(found, page, lambda each: cursor_of(each.version))


def verification_of(row: Any) -> BuyerVerification:
    """A row as what it says."""
    return BuyerVerification(row.buyer, row.verified, row.expire_time, row.author, row.set_time, row.version)
