"""The tables of leads and consents. No contact data is in them: it is read from profiles when it is shown."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.messaging.adapters.tables import METADATA

consent_decision = Table(
    "consent_decision",
    METADATA,
    # In the order in which a person decided: the lock of his profile makes it so.
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("user_name", Text, nullable=False),
    # Empty: all sellers.
    Column("seller", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("granted", Boolean, nullable=False),
    # Of the inquiry with which it was given; else empty.
    Column("conversation_id", Text, nullable=False),
    Column("decide_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("type in ('CONTACT_ABOUT_REQUEST', 'MARKETING')", name="type"),
)
Index(
    "ix_consent_decision_user",
    consent_decision.c.user_name,
    consent_decision.c.seller,
    consent_decision.c.type,
    consent_decision.c.position,
)

# Whoever adds to a seller's feed locks its row: positions have no holes and come in the order of commits.
lead_feed = Table(
    "lead_feed",
    METADATA,
    Column("seller", Text, primary_key=True),
    Column("last_position", BigInteger, nullable=False),
)

lead = Table(
    "lead",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("seller", Text, nullable=False),
    # Empty once the person was erased.
    Column("buyer", Text, nullable=False),
    Column("source", Text, nullable=False),
    # The latest.
    Column("conversation_id", Text, nullable=False),
    Column("first_contact_time", DateTime(timezone=True), nullable=False),
    Column("last_contact_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("source in ('INQUIRY', 'ORDER_REQUEST', 'ORDER')", name="source"),
)
Index("uq_lead_buyer_seller", lead.c.buyer, lead.c.seller, unique=True, postgresql_where=lead.c.buyer != "")
Index("ix_lead_seller", lead.c.seller, lead.c.id)

lead_entry = Table(
    "lead_entry",
    METADATA,
    Column("seller", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("lead_id", Uuid(as_uuid=False), nullable=False),
    Column("change", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    # What held before the change or after it.
    Column("consents", ARRAY(Text), nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["lead_id"], ["lead.id"]),
)
Index("ix_lead_entry_lead", lead_entry.c.lead_id)

contact_disclosure = Table(
    "contact_disclosure",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    # Whose data.
    Column("user_name", Text, nullable=False),
    Column("seller", Text, nullable=False),
    Column("reader", Text, nullable=False),
    Column("means", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    # Of what is recorded once a day.
    Column("day", Date),
    Column("disclose_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("means in ('PHONE_REVEALED', 'LEADS_LISTED', 'LEADS_EXPORTED')", name="means"),
)
Index(
    "ix_contact_disclosure_user",
    contact_disclosure.c.user_name,
    contact_disclosure.c.disclose_time,
    contact_disclosure.c.id,
)
Index(
    "uq_contact_disclosure_day",
    contact_disclosure.c.user_name,
    contact_disclosure.c.seller,
    contact_disclosure.c.reader,
    contact_disclosure.c.means,
    contact_disclosure.c.day,
    unique=True,
)
