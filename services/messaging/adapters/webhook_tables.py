"""The tables of webhooks."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
)

from services.messaging.adapters.tables import METADATA

webhook_endpoint = Table(
    "webhook_endpoint",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("seller", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text, nullable=False),
    Column("old_secret_expire_time", DateTime(timezone=True)),
    Column("state", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("state in ('enabled', 'disabled')", name="state"),
)
Index("ix_webhook_endpoint_seller", webhook_endpoint.c.seller, webhook_endpoint.c.id)

webhook_delivery = Table(
    "webhook_delivery",
    METADATA,
    Column("endpoint_id", Uuid(as_uuid=False), primary_key=True),
    # The entry's.
    Column("id", Uuid(as_uuid=False), primary_key=True),
    # Within a conversation, in the order of its entries: its lock makes it so.
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Integer, nullable=False),
    Column("problem", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("attempt_time", DateTime(timezone=True)),
    ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoint.id"], ondelete="CASCADE"),
    CheckConstraint("state in ('waiting', 'delivered', 'failed')", name="state"),
)
Index(
    "ix_webhook_delivery_waiting",
    webhook_delivery.c.endpoint_id,
    webhook_delivery.c.conversation_id,
    webhook_delivery.c.position,
    postgresql_where=webhook_delivery.c.state == "waiting",
)
Index(
    "ix_webhook_delivery_list",
    webhook_delivery.c.endpoint_id,
    webhook_delivery.c.create_time,
    webhook_delivery.c.id,
)
Index(
    "ix_webhook_delivery_ended",
    webhook_delivery.c.create_time,
    postgresql_where=webhook_delivery.c.state != "waiting",
)
