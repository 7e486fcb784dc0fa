"""What sellers planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.gating.adapters.repository.sellers import SellersRepository
from services.gating.adapters.tables import absence as table
from services.gating.domain.calendar import MAX_ABSENCES, Absence, Calendar
from services.gating.domain.catalogue import seller_of

_SUBJECT = table.c.subject == sa.bindparam("subject")
_NOW = sa.bindparam("now", type_=table.c.end_time.type)
_PLANNED = sa.select(table).where(_SUBJECT).order_by(table.c.start_time, table.c.id)
_FORGET_ENDED = sa.delete(table).where(_SUBJECT, table.c.end_time <= _NOW)
_COUNT = sa.select(sa.func.count()).select_from(table).where(_SUBJECT)
_PLACE = sa.func.generate_series(0, MAX_ABSENCES - 1).table_valued("number").render_derived("place")
_FREE_PLACE = (
    sa.select(sa.func.min(_PLACE.c.number).label("number"))
    .where(~sa.exists().where(_SUBJECT, table.c.place == _PLACE.c.number))
    .subquery("free")
)
_COLUMNS = [column for column in table.c if column.name != "place"]
_ADD = (
    insert(table)
    .from_select(
        [*(column.name for column in _COLUMNS), "place"],
        sa.select(
            *(sa.bindparam(column.name, type_=column.type) for column in _COLUMNS), _FREE_PLACE.c.number
        ).where(_FREE_PLACE.c.number.is_not(None)),
    )
    .on_conflict_do_nothing()
)
_LOCK = sa.select(table).where(table.c.id == sa.bindparam("key"), _SUBJECT).with_for_update()
_LOCK_BEGUN = (
    sa.select(table)
    .where(_SUBJECT, table.c.start_time <= _NOW, table.c.end_time > _NOW)
    .order_by(table.c.id)
    .with_for_update()
)
_REMOVE = sa.delete(table).where(table.c.id == sa.bindparam("key"))


class CalendarsRepository:
    """Absences, and calendars made of them."""

    def __init__(self, sellers: SellersRepository) -> None:
        self._sellers = sellers

    async def calendar(self, tx: Transaction, subject: str) -> Calendar:
        """Everything that keeps a seller or a listing from taking orders."""
        declared = await self._sellers.availability(tx, subject)
        rows = await tx.fetch_all(_PLANNED, {"subject": subject})
        return Calendar(declared, tuple(_absence(row) for row in rows))

    async def forget_ended(self, tx: Transaction, subject: str, *, now: datetime) -> int:
        """How many absences of `subject` have not ended; the others are forgotten."""
        await tx.execute(_FORGET_ENDED, {"subject": subject, "now": now})
        return int(await tx.scalar(_COUNT, {"subject": subject}))

    async def add_absence(self, tx: Transaction, absence: Absence) -> bool:
        """Stores a new absence; False where somebody else took the place that it would have had."""
        result = await tx.execute(
            _ADD,
            {
                "id": absence.id,
                "seller": seller_of(absence.subject),
                "subject": absence.subject,
                "start_time": absence.start_time,
                "end_time": absence.end_time,
                "messages_closed": absence.messages_closed,
                "label": absence.label,
                "author": absence.author,
                "create_time": absence.create_time,
            },
        )
        return result.rowcount == 1

    async def lock_absence(self, tx: Transaction, name: str) -> Absence | None:
        """An absence; None where there is none of that name."""
        subject, _, absence_id = name.partition("/absences/")
        row = await tx.fetch_one(_LOCK, {"key": absence_id, "subject": subject})
        return None if row is None else _absence(row)

    async def lock_begun(self, tx: Transaction, subject: str, *, now: datetime) -> Sequence[Absence]:
        """The absences of `subject` that have begun and not ended."""
        rows = await tx.fetch_all(_LOCK_BEGUN, {"subject": subject, "now": now})
        return [_absence(row) for row in rows]

    async def remove_absence(self, tx: Transaction, absence: Absence) -> None:
        """Takes a locked absence off the calendar."""
        await tx.execute(_REMOVE, {"key": absence.id})

    async def page_of_absences(
        self, tx: Transaction, parent: str, *, include_listings: bool, now: datetime, page: PageRequest
    ) -> Page[Absence]:
        """Absences that have not ended, by their beginning; those of a seller's listings where asked for."""
        whose = table.c.subject == parent
        if include_listings and parent == seller_of(parent):
            whose = table.c.seller == parent
        statement = sa.select(table).where(whose, table.c.end_time > now)
        rows = await tx.fetch_all(keyset(statement, (table.c.start_time, table.c.id), page))
        found = [_absence(row) for row in rows]
        return page_of(found, page, lambda each: cursor_of(each.start_time, each.id))


def _absence(row: Any) -> Absence:
    return Absence(
        row.id,
        row.subject,
        row.start_time,
        row.end_time,
        row.messages_closed,
        row.label,
        row.author,
        row.create_time,
    )
