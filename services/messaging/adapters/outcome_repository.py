"""Keeps in PostgreSQL what observers may know."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.adapters.tables import outcome as outcomes
from services.messaging.domain.outcome import ObservedInquiry, Outcome

_NEW: Final = insert(outcomes)
_BEGAN: Final = _NEW.on_conflict_do_update(
    index_elements=[outcomes.c.conversation_id],
    set_={name: _NEW.excluded[name] for name in ("observer", "seller", "marketplace", "create_time")},
)


def _earliest(column: Column[datetime]) -> Any:
    return _NEW.on_conflict_do_update(
        index_elements=[outcomes.c.conversation_id],
        set_={column.name: func.least(column, _NEW.excluded[column.name])},
    )


_CONTACTED: Final = _earliest(outcomes.c.contact_time)
_SOLD: Final = _earliest(outcomes.c.sale_time)
_LOAD: Final = select(outcomes).where(
    outcomes.c.conversation_id == bindparam("id"), outcomes.c.observer.is_not(None)
)


class OutcomeRepository:
    """Implements `app.ports.Outcomes`."""

    async def began(self, tx: Transaction, inquiry: ObservedInquiry, *, time: datetime) -> None:
        """An inquiry with an observer began."""
        values = {
            "conversation_id": key_of(inquiry.conversation),
            "observer": inquiry.observer,
            "seller": inquiry.seller,
            "marketplace": inquiry.marketplace,
            "create_time": time,
        }
        await tx.execute(_BEGAN, values)

    async def contacted(self, tx: Transaction, conversation: str, *, time: datetime) -> None:
        """The seller answered."""
        await tx.execute(_CONTACTED, {"conversation_id": key_of(conversation), "contact_time": time})

    async def sold(self, tx: Transaction, conversation: str, *, time: datetime) -> None:
        """An order that came from it was confirmed."""
        await tx.execute(_SOLD, {"conversation_id": key_of(conversation), "sale_time": time})

    async def load(self, tx: Transaction, conversation: str) -> Outcome | None:
        """The outcome; None where nobody observes."""
        row = await tx.fetch_one(_LOAD, {"id": key_of(conversation)})
        return None if row is None else _outcome(row)

    async def list_for(self, tx: Transaction, *, observer: str, page: PageRequest) -> Page[Outcome]:
        """Keyset by (create time, id), newest first."""
        query = select(outcomes).where(outcomes.c.observer == observer)
        query = keyset(query, (outcomes.c.create_time, outcomes.c.conversation_id), page, descending=True)
        found = [_outcome(row) for row in await tx.fetch_all(query)]
        return page_of(found, page, lambda last: cursor_of(last.create_time, key_of(last.conversation)))


def _outcome(row: Row[Any]) -> Outcome:
    return Outcome(
        conversation=PREFIX + row.conversation_id,
        observer=row.observer,
        seller=row.seller,
        marketplace=row.marketplace,
        create_time=row.create_time,
        contact_time=row.contact_time,
        sale_time=row.sale_time,
    )
