"""The record of facts and visits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.envelope import EventRecord
from services.gating.adapters.tables import metric_fact, visit
from services.gating.domain.facts import Fact, Visit
from services.gating.wire.stories import own_content

_KEEP: Final = insert(metric_fact).on_conflict_do_nothing()
_ADD_VISIT: Final = insert(visit).on_conflict_do_nothing()


class RecordRepository:
    """Adds what happened; what is there already stays as it is."""

    async def keep(self, tx: Transaction, fact: Fact) -> None:
        """Keeps a fact, in one statement."""
        await tx.execute(_KEEP, fact_row(fact))

    async def add_visit(self, tx: Transaction, found: Visit) -> bool:
        """Keeps a visit, in one statement; False where that buyer's of that day is kept."""
        row = {
            "listing": found.listing,
            "day": found.day,
            "buyer": found.buyer,
            "id": found.id,
            "seller": found.seller,
            "time": found.time,
        }
        return (await tx.execute(_ADD_VISIT, row)).rowcount == 1


def with_fact(record: EventRecord) -> EventRecord:
    """The record of an event of gating, with the fact that it tells, if it tells one."""
    content = own_content(record.message)
    if content is None:
        return record
    fact = Fact(record.aggregate, record.version, record.time, content)
    return replace(record, rows=((metric_fact, fact_row(fact)),))


def fact_row(fact: Fact) -> dict[str, Any]:
    """Every column of a fact."""
    content = fact.content
    return {
        "source": fact.source,
        "version": fact.version,
        "kind": content.kind.value,
        "about": content.about,
        "seller": content.seller,
        "listing": content.listing,
        "buyer": content.buyer,
        "time": fact.time,
        "detail": dict(content.detail),
    }
