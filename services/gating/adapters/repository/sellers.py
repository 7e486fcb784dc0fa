"""What sellers and the operator declared."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.gating.adapters.documents import settings_document, settings_of
from services.gating.adapters.tables import availability, order_settings, order_settings_version, seller_plan
from services.gating.domain.availability import Availability
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import OrderSettings
from services.gating.domain.settings_history import SettingsVersion, history

_KEY = sa.bindparam("key", type_=sa.Text)
_SETTINGS = sa.select(order_settings).where(order_settings.c.seller == _KEY)
_PLAN = sa.select(seller_plan).where(seller_plan.c.seller == _KEY)
_AVAILABILITY = sa.select(availability).where(availability.c.subject == _KEY)
_LOCKED = {statement: statement.with_for_update() for statement in (_SETTINGS, _PLAN, _AVAILABILITY)}
_KEEP_VERSION = sa.insert(order_settings_version)
_VERSION = order_settings_version.c

HISTORY_PAGE_BYTES: Final = 1_000_000
"""A page of the history ends with the version that reaches this, counted as JSON: one version may have half
of it, and an answer may have 4 MiB."""


def _save(table: sa.Table, key: str) -> tuple[Any, Any]:
    """Statements that store the first version of a row, and a later one where the one before is stored."""
    first = insert(table).on_conflict_do_nothing()
    before = sa.bindparam("before", type_=sa.BigInteger)
    row = (table.c[key] == _KEY) & (table.c.version == before)
    changing = {c.name: sa.bindparam(f"new_{c.name}", type_=c.type) for c in table.c if c.name != key}
    return first, sa.update(table).where(row).values(changing)


_SAVE_SETTINGS = _save(order_settings, "seller")
_SAVE_PLAN = _save(seller_plan, "seller")
_SAVE_AVAILABILITY = _save(availability, "subject")


class SellersRepository:
    """Settings with their history, plans, availability."""

    async def settings(self, tx: Transaction, seller: str, *, lock: bool = False) -> OrderSettings:
        """The settings of a seller; the defaults where none were saved."""
        row = await _find(tx, _SETTINGS, seller, lock)
        if row is None:
            return OrderSettings(seller)
        return settings_of(
            seller,
            row.document,
            version=row.version,
            create_time=row.create_time,
            update_time=row.update_time,
        )

    async def save_settings(self, tx: Transaction, settings: OrderSettings, *, author: str) -> bool:
        """Stores a version, and keeps it in the history; False for a lost race of two first saves."""
        document = settings_document(settings)
        row = {
            "document": document,
            "create_time": settings.create_time,
            "update_time": settings.update_time,
        }
        if not await _store(tx, _SAVE_SETTINGS, ("seller", settings.seller), settings.version, row):
            return False
        history = {"seller": settings.seller, "version": settings.version, "document": document}
        await tx.execute(_KEEP_VERSION, {**history, "save_time": settings.update_time, "author": author})
        return True

    async def settings_versions(
        self, tx: Transaction, seller: str, page: PageRequest
    ) -> Page[SettingsVersion]:
        """The history of a seller, newest first; fewer than asked for where versions are large."""
        since = sa.select(order_settings.c.create_time).where(order_settings.c.seller == seller)
        columns = (_VERSION.version, _VERSION.document, _VERSION.save_time, _VERSION.author)
        # The sum runs along the key, so that rows behind the page are not even read.
        size = sa.func.octet_length(sa.cast(_VERSION.document, sa.Text))
        before = sa.func.sum(size).over(order_by=_VERSION.version.desc(), rows=(None, 0)) - size
        numbered = sa.select(*columns, before.label("before")).where(_VERSION.seller == seller)
        found = keyset(numbered, [_VERSION.version], page, descending=True).subquery()
        statement = (
            sa.select(found, since.scalar_subquery().label("create_time"))
            .where(found.c.before <= HISTORY_PAGE_BYTES)
            .order_by(found.c.version.desc())
        )
        rows = await tx.fetch_all(statement)
        saves = [(_version(seller, row), row.author) for row in rows]
        # The last row is there to tell what the one above it changed, unless it is the first save of all.
        is_whole = not rows or (rows[-1].version == 1 and len(rows) <= page.size)
        shown = page.size if is_whole else len(rows) - 1
        return page_of(
            history(saves), PageRequest(shown, page.cursor), lambda one: cursor_of(one.settings.version)
        )

    async def settings_version(self, tx: Transaction, seller: str, version: int) -> OrderSettings | None:
        """One version of the history."""
        found = await self.settings_versions(tx, seller, PageRequest(1, cursor_of(version + 1)))
        settings = found.items[0].settings if found.items else None
        return None if settings is None or settings.version != version else settings

    async def plan(self, tx: Transaction, seller: str, *, lock: bool = False) -> SellerPlan:
        """The plan of a seller; basic where none was set."""
        row = await _find(tx, _PLAN, seller, lock)
        if row is None:
            return SellerPlan(seller)
        return SellerPlan(seller, Tier(row.tier), row.expire_time, row.version)

    async def save_plan(self, tx: Transaction, plan: SellerPlan) -> bool:
        """Stores a version; False for a lost race of two first ones."""
        row = {"tier": plan.tier.value, "expire_time": plan.expire_time}
        return await _store(tx, _SAVE_PLAN, ("seller", plan.seller), plan.version, row)

    async def availability(self, tx: Transaction, subject: str, *, lock: bool = False) -> Availability:
        """The availability of a seller or listing; available where nothing was declared."""
        row = await _find(tx, _AVAILABILITY, subject, lock)
        if row is None:
            return Availability(subject)
        return Availability(subject, row.available, row.end_time, row.messages_closed, row.version)

    async def save_availability(self, tx: Transaction, availability: Availability) -> bool:
        """Stores a version; False for a lost race of two first ones."""
        row = {
            "available": availability.available,
            "end_time": availability.end_time,
            "messages_closed": availability.messages_closed,
        }
        return await _store(
            tx, _SAVE_AVAILABILITY, ("subject", availability.subject), availability.version, row
        )


def _version(seller: str, row: Any) -> OrderSettings:
    return settings_of(
        seller,
        row.document,
        version=row.version,
        create_time=row.create_time,
        update_time=row.save_time,
    )


async def _find(tx: Transaction, statement: Any, key: str, lock: bool) -> Any:
    return await tx.fetch_one(_LOCKED[statement] if lock else statement, {"key": key})


async def _store(
    tx: Transaction, statements: tuple[Any, Any], key: tuple[str, str], version: int, row: dict[str, Any]
) -> bool:
    first, later = statements
    if version == 1:
        result = await tx.execute(first, {key[0]: key[1], "version": 1, **row})
        return result.rowcount == 1
    parameters = {f"new_{name}": value for name, value in row.items()}
    result = await tx.execute(
        later, {"key": key[1], "before": version - 1, "new_version": version, **parameters}
    )
    # The row is locked by the transaction that read the version before.
    assert result.rowcount == 1
    return True
