"""Consents, and who was shown contact data, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from chassis.db import Transaction
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.adapters.lead_tables import consent_decision, contact_disclosure
from services.messaging.domain.consent import ConsentType, Decision
from services.messaging.domain.lead import Disclosure, Means, ShownLead

_ADD = insert(consent_decision)
_NEWEST = (
    select(consent_decision)
    .ext(distinct_on(consent_decision.c.seller, consent_decision.c.type))
    .where(consent_decision.c.user_name == bindparam("user"))
    .order_by(consent_decision.c.seller, consent_decision.c.type, consent_decision.c.position.desc())
)
_DISCLOSE = insert(contact_disclosure).on_conflict_do_nothing()


class ConsentRepository:
    """Implements `app.lead_ports.Consents`."""

    async def decisions(self, tx: Transaction, user: str) -> list[Decision]:
        """The newest for each seller and type."""
        return [decision_of(row) for row in await tx.fetch_all(_NEWEST, {"user": user})]

    async def add(self, tx: Transaction, decision: Decision) -> None:
        """Adds one behind all others of its person."""
        values = {
            "user_name": decision.user,
            "seller": decision.seller,
            "type": decision.type.value,
            "granted": decision.granted,
            "conversation_id": key_of(decision.conversation),
            "decide_time": decision.time,
        }
        await tx.execute(_ADD, values)

    async def history(self, tx: Transaction, user: str, page: PageRequest) -> Page[Decision]:
        """Keyset by position, newest first."""
        query = select(consent_decision).where(consent_decision.c.user_name == user)
        rows = await tx.fetch_all(keyset(query, (consent_decision.c.position,), page, descending=True))
        return page_of([decision_of(row) for row in rows], page, lambda last: cursor_of(last.position))


class DisclosureRepository:
    """Implements `app.lead_ports.Disclosures`."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    async def add(self, tx: Transaction, user: str, disclosure: Disclosure) -> None:
        """Adds one of its own."""
        await tx.execute(_DISCLOSE, _columns(user, disclosure))

    async def add_daily(
        self, tx: Transaction, leads: Sequence[ShownLead], *, reader: str, means: Means, now: datetime
    ) -> None:
        """At most one a day for each reader and person."""
        people = {each.lead.buyer: each.lead for each in leads if each.consents}
        rows = [
            _columns(user, Disclosure(self._ids.new(), means, found.seller, reader, found.conversation, now))
            | {"day": now.astimezone(UTC).date()}
            for user, found in sorted(people.items())
        ]
        if rows:
            await tx.execute(_DISCLOSE, rows)

    async def of_person(self, tx: Transaction, user: str, page: PageRequest) -> Page[Disclosure]:
        """Keyset by (time, id), newest first."""
        table = contact_disclosure
        query = select(table).where(table.c.user_name == user)
        rows = await tx.fetch_all(keyset(query, (table.c.disclose_time, table.c.id), page, descending=True))
        found = [
            Disclosure(
                id=row.id,
                means=Means(row.means),
                seller=row.seller,
                reader=row.reader,
                conversation=PREFIX + row.conversation_id,
                time=row.disclose_time,
            )
            for row in rows
        ]
        return page_of(found, page, lambda last: cursor_of(last.time, last.id))


def decision_of(row: Row[Any]) -> Decision:
    """The decision in a row."""
    return Decision(
        user=row.user_name,
        seller=row.seller,
        type=ConsentType(row.type),
        granted=row.granted,
        time=row.decide_time,
        conversation=f"{PREFIX}{row.conversation_id}" if row.conversation_id else "",
        position=row.position,
    )


def _columns(user: str, disclosure: Disclosure) -> dict[str, Any]:
    return {
        "id": disclosure.id,
        "user_name": user,
        "seller": disclosure.seller,
        "reader": disclosure.reader,
        "means": disclosure.means.value,
        "conversation_id": key_of(disclosure.conversation),
        "disclose_time": disclosure.time,
    }
