"""Leads and their feeds in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.types import Text

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.consent_repository import decision_of
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.adapters.lead_tables import consent_decision, lead, lead_entry, lead_feed
from services.messaging.adapters.profile_tables import profile
from services.messaging.app.lead_ports import LeadChange
from services.messaging.domain.consent import ConsentType, Decision, given
from services.messaging.domain.lead import (
    Change,
    FeedItem,
    Lead,
    ShownLead,
    Source,
    contact_data,
    shown,
)
from services.messaging.domain.profile import EmailState

# One round trip for the lead, which there may be already, and for the entry in the feed.
_CONTACTED = text(
    """
    WITH moved AS (
        INSERT INTO lead_feed (seller, last_position) VALUES (:seller, 1)
        ON CONFLICT (seller) DO UPDATE SET last_position = lead_feed.last_position + 1
        RETURNING last_position
    ), known AS (
        INSERT INTO lead
            (id, seller, buyer, source, conversation_id, first_contact_time, last_contact_time)
        VALUES (:id, :seller, :buyer, :source, :conversation, :time, :time)
        ON CONFLICT (buyer, seller) WHERE buyer <> '' DO UPDATE SET
            conversation_id = excluded.conversation_id, last_contact_time = excluded.last_contact_time
        RETURNING id
    )
    INSERT INTO lead_entry (seller, position, lead_id, change, conversation_id, consents, create_time)
    SELECT :seller, moved.last_position, known.id, :change, :conversation,
        string_to_array(:consents, ','), :time
    FROM moved, known
    """
).bindparams(
    bindparam("id", type_=lead.c.id.type),
    bindparam("time", type_=lead.c.last_contact_time.type),
    *(bindparam(name, type_=Text) for name in ("seller", "conversation", "change", "consents")),
)
_SELLERS = select(lead.c.seller).where(lead.c.buyer == bindparam("buyer"))
# In the order of the names, so that two who add to the same feeds never wait for each other.
_LOCK_FEEDS = text(
    "SELECT seller FROM lead_feed WHERE seller = ANY(:sellers) ORDER BY seller FOR UPDATE"
).bindparams(bindparam("sellers", type_=ARRAY(Text)))
_APPEND = text(
    """
    WITH given AS (
        SELECT * FROM unnest(:sellers, :changes, :consents, :conversations)
            AS given (seller, change, consents, conversation)
    ), found AS (
        SELECT given.*, lead.id, lead.conversation_id
        FROM given JOIN lead ON lead.seller = given.seller AND lead.buyer = :buyer
    ), moved AS (
        UPDATE lead_feed SET last_position = last_position + 1 FROM found
        WHERE lead_feed.seller = found.seller RETURNING lead_feed.seller, last_position
    )
    INSERT INTO lead_entry (seller, position, lead_id, change, conversation_id, consents, create_time)
    SELECT moved.seller, moved.last_position, found.id, found.change,
        coalesce(nullif(found.conversation, ''), found.conversation_id),
        string_to_array(found.consents, ','), :time
    FROM moved JOIN found ON found.seller = moved.seller
    """
).bindparams(
    bindparam("sellers", type_=ARRAY(Text)),
    bindparam("changes", type_=ARRAY(Text)),
    bindparam("consents", type_=ARRAY(Text)),
    bindparam("conversations", type_=ARRAY(Text)),
    bindparam("buyer", type_=Text),
    bindparam("time", type_=lead_entry.c.create_time.type),
)
_LAST_POSITION = select(lead_feed.c.last_position).where(lead_feed.c.seller == bindparam("seller"))
_PERSON = (profile.c.display_name, profile.c.email, profile.c.email_state, profile.c.phone)
_LEADS = select(lead, *_PERSON).outerjoin_from(lead, profile, profile.c.id == lead.c.buyer)
_FEED = (
    select(
        lead_entry.c.position,
        lead_entry.c.change,
        lead_entry.c.create_time.label("change_time"),
        lead_entry.c.conversation_id.label("about"),
        lead,
        *_PERSON,
    )
    .join_from(lead_entry, lead, lead.c.id == lead_entry.c.lead_id)
    .outerjoin(profile, profile.c.id == lead.c.buyer)
)
_DECISIONS = (
    select(consent_decision)
    .ext(distinct_on(consent_decision.c.user_name, consent_decision.c.seller, consent_decision.c.type))
    .where(
        consent_decision.c.user_name == bindparam("buyers", type_=ARRAY(Text)).any_(),
        consent_decision.c.seller.in_(("", bindparam("seller"))),
    )
    .order_by(
        consent_decision.c.user_name,
        consent_decision.c.seller,
        consent_decision.c.type,
        consent_decision.c.position.desc(),
    )
)
_HOLDS = (
    select(consent_decision.c.granted)
    .where(
        consent_decision.c.user_name == lead.c.buyer,
        consent_decision.c.seller.in_(("", lead.c.seller)),
        consent_decision.c.type == bindparam("consent"),
    )
    .order_by(consent_decision.c.position.desc())
    .limit(1)
    .correlate(lead)
    .scalar_subquery()
)


class LeadRepository:
    """Implements `app.lead_ports.Leads`."""

    async def contacted(self, tx: Transaction, change: LeadChange, *, lead_id: str, source: Source) -> None:
        """Makes the lead where there is none."""
        values = {
            "id": lead_id,
            "seller": change.seller,
            "buyer": change.buyer,
            "source": source.value,
            "conversation": key_of(change.conversation),
            "time": change.time,
            "change": change.change.value,
            "consents": ",".join(sorted(change.consents)),
        }
        await tx.execute(_CONTACTED, values)

    async def sellers_of(self, tx: Transaction, buyer: str) -> Sequence[str]:
        """Whose lead somebody is."""
        return [row.seller for row in await tx.fetch_all(_SELLERS, {"buyer": buyer})]

    async def append(self, tx: Transaction, changes: Sequence[LeadChange]) -> None:
        """Numbers them under the locks of the feeds."""
        if not changes:
            return
        sellers = [each.seller for each in changes]
        await tx.fetch_all(_LOCK_FEEDS, {"sellers": sellers})
        values = {
            "sellers": sellers,
            "changes": [each.change.value for each in changes],
            "consents": [",".join(sorted(each.consents)) for each in changes],
            "conversations": [key_of(each.conversation) for each in changes],
            "buyer": changes[0].buyer,
            "time": changes[0].time,
        }
        await tx.execute(_APPEND, values)

    async def last_position(self, tx: Transaction, seller: str) -> int:
        """Of the feed."""
        return int(await tx.scalar(_LAST_POSITION, {"seller": seller}) or 0)

    async def feed(
        self, tx: Transaction, seller: str, *, consent: ConsentType | None, after: int, limit: int
    ) -> list[FeedItem]:
        """In the order of the positions."""
        query = _FEED.where(lead_entry.c.seller == seller, lead_entry.c.position > after)
        if consent is not None:
            query = query.where(lead_entry.c.consents.contains([consent.value]))
        rows = await tx.fetch_all(query.order_by(lead_entry.c.position).limit(limit))
        leads = await self._shown(tx, seller, rows)
        return [
            FeedItem(row.position, Change(row.change), row.change_time, PREFIX + row.about, one)
            for row, one in zip(rows, leads, strict=True)
        ]

    async def table(
        self, tx: Transaction, seller: str, *, consent: ConsentType | None, page: PageRequest
    ) -> Page[ShownLead]:
        """Keyset by id."""
        query = _LEADS.where(lead.c.seller == seller, lead.c.buyer != "")
        values: dict[str, Any] = {}
        if consent is not None:
            query, values = query.where(_HOLDS), {"consent": consent.value}
        rows = await tx.fetch_all(keyset(query, (lead.c.id,), page), values)
        found = await self._shown(tx, seller, rows)
        return page_of(found, page, lambda last: cursor_of(last.lead.id))

    async def _shown(self, tx: Transaction, seller: str, rows: Sequence[Row[Any]]) -> list[ShownLead]:
        """What the seller may know of the leads in the rows, now."""
        buyers = {row.buyer for row in rows if row.buyer}
        decisions: dict[str, list[Decision]] = {}
        if buyers:
            values = {"buyers": sorted(buyers), "seller": seller}
            for each in await tx.fetch_all(_DECISIONS, values):
                decisions.setdefault(each.user_name, []).append(decision_of(each))
        return [_shown_lead(row, decisions.get(row.buyer, [])) for row in rows]


def _shown_lead(row: Row[Any], decisions: Collection[Decision]) -> ShownLead:
    found = Lead(
        seller=row.seller,
        id=row.id,
        buyer=row.buyer,
        source=Source(row.source),
        conversation=PREFIX + row.conversation_id,
        first_contact_time=row.first_contact_time,
        last_contact_time=row.last_contact_time,
        erased=row.buyer == "",
    )
    # Without a profile there is nothing.
    contact = contact_data(
        display_name=row.display_name or "",
        email=row.email or "",
        email_state=EmailState(row.email_state or EmailState.NONE),
        phone=row.phone or "",
    )
    held = given(decisions, row.seller)
    return shown(found, tuple(held[kind] for kind in ConsentType if kind in held), contact)
