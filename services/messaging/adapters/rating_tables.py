"""The table of what ratings are made of."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, Table, Text, Uuid

from services.messaging.adapters.tables import METADATA

rating_entry = Table(
    "rating_entry",
    METADATA,
    # The event behind it.
    Column("event_id", Uuid(as_uuid=False), primary_key=True),
    Column("seller", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("resource", Text, nullable=False),
    # Absent where it does not count; then the reason is there.
    Column("score", Integer),
    Column("exclusion", Text),
    Column("create_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("(score is null) <> (exclusion is null)", name="counts"),
    CheckConstraint("score between 1 and 5", name="score"),
)
Index("ix_rating_entry_seller", rating_entry.c.seller, rating_entry.c.create_time, rating_entry.c.event_id)
