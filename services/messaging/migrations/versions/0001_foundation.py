"""Conversations and their timelines, beside the tables that every service has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from chassis import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates them."""
    schema.create(op)
    op.create_table(
        "conversation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("seller", sa.Text(), nullable=False),
        sa.Column("buyer", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("marketplace", sa.Text(), nullable=False),
        sa.Column("buyer_unread", sa.Integer(), nullable=False),
        sa.Column("seller_unread", sa.Integer(), nullable=False),
        sa.Column("receipts", JSONB(), nullable=False),
        sa.Column("entry_count", sa.BigInteger(), nullable=False),
        sa.Column("last_entry_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversation"),
        sa.CheckConstraint("state in ('open', 'closed')", name=op.f("ck_conversation_state")),
        sa.CheckConstraint("buyer_unread >= 0 and seller_unread >= 0", name=op.f("ck_conversation_unread")),
    )
    op.create_index("ix_conversation_buyer", "conversation", ["buyer", "last_entry_time", "id"])
    op.create_index("ix_conversation_seller", "conversation", ["seller", "last_entry_time", "id"])
    op.create_table(
        "timeline_entry",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text()),
        sa.Column("author", sa.Text()),
        sa.Column("text", sa.Text()),
        sa.Column("read_time", sa.DateTime(timezone=True)),
        sa.Column("event_type", sa.Text()),
        sa.Column("resource", sa.Text()),
        sa.Column("revision", sa.Integer()),
        sa.Column("currency", sa.Text()),
        sa.Column("amount", sa.BigInteger()),
        sa.PrimaryKeyConstraint("conversation_id", "id", name="pk_timeline_entry"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_timeline_entry_conversation_id_conversation"
        ),
        sa.UniqueConstraint("conversation_id", "position", name="uq_timeline_entry_conversation_id_position"),
        sa.CheckConstraint("(kind is null) <> (event_type is null)", name=op.f("ck_timeline_entry_content")),
        sa.CheckConstraint("kind in ('public', 'internal_note')", name=op.f("ck_timeline_entry_kind")),
        sa.CheckConstraint("side in ('buyer', 'seller', 'system')", name=op.f("ck_timeline_entry_side")),
    )
    op.create_index("ix_timeline_entry_order", "timeline_entry", ["conversation_id", "create_time", "id"])


def downgrade() -> None:
    """Removes them."""
    op.drop_table("timeline_entry")
    op.drop_table("conversation")
    schema.drop(op)
