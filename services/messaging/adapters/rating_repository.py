"""Keeps in PostgreSQL what ratings are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.rating_tables import rating_entry as entries
from services.messaging.domain.rating import Exclusion, Rating, RatingEntry, RatingFact, RatingKind

_ADD: Final = insert(entries).on_conflict_do_nothing()
_SUMS: Final = (
    select(
        entries.c.kind,
        entries.c.exclusion,
        func.count().label("entries"),
        func.coalesce(func.sum(entries.c.score), 0).label("total"),
    )
    .where(entries.c.seller == bindparam("seller"), entries.c.create_time >= bindparam("since"))
    .group_by(entries.c.kind, entries.c.exclusion)
)


class RatingRepository:
    """Implements `app.ports.Ratings`."""

    async def add(self, tx: Transaction, entry: RatingEntry) -> None:
        """Adds an entry, once for each event."""
        fact = entry.fact
        values = {
            "event_id": entry.event_id,
            "seller": fact.seller,
            "kind": fact.kind.value,
            "resource": fact.resource,
            "score": fact.score,
            "exclusion": None if fact.exclusion is None else fact.exclusion.value,
            "create_time": entry.create_time,
        }
        await tx.execute(_ADD, values)

    async def rating(self, tx: Transaction, seller: str, *, since: datetime) -> Rating:
        """What the entries since then come to."""
        total = feedback = unanswered = 0
        exclusions: dict[Exclusion, int] = {}
        for row in await tx.fetch_all(_SUMS, {"seller": seller, "since": since}):
            if row.exclusion is not None:
                reason = Exclusion(row.exclusion)
                exclusions[reason] = exclusions.get(reason, 0) + row.entries
                continue
            total += int(row.total)
            if row.kind == RatingKind.FEEDBACK.value:
                feedback += row.entries
            else:
                unanswered += row.entries
        return Rating(seller, since, total, feedback, unanswered, exclusions)

    async def entries(self, tx: Transaction, *, seller: str, page: PageRequest) -> Page[RatingEntry]:
        """Keyset by (create time, event id), newest first."""
        query = select(entries).where(entries.c.seller == seller)
        query = keyset(query, (entries.c.create_time, entries.c.event_id), page, descending=True)
        found = [_entry(row) for row in await tx.fetch_all(query)]
        return page_of(found, page, lambda last: cursor_of(last.create_time, last.event_id))


def _entry(row: Row[Any]) -> RatingEntry:
    exclusion = None if row.exclusion is None else Exclusion(row.exclusion)
    fact = RatingFact(row.seller, RatingKind(row.kind), row.resource, row.score, exclusion)
    return RatingEntry(fact, row.event_id, row.create_time)
