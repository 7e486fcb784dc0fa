"""The table of erasures."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from services.messaging.adapters.tables import METADATA

erasure = Table(
    "erasure",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("user_name", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("confirmed", ARRAY(Text), nullable=False),
    Column("request_time", DateTime(timezone=True), nullable=False),
    Column("done_time", DateTime(timezone=True)),
    CheckConstraint("state in ('requested', 'erasing', 'done')", name="state"),
    CheckConstraint("(state = 'done') = (done_time is not null)", name="done_time"),
)
# One at a time for each person.
Index("uq_erasure_open", erasure.c.user_name, unique=True, postgresql_where=erasure.c.state != "done")
