"""Attachments, and who downloaded them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.add_column("timeline_entry", sa.Column("documents", JSONB()))
    op.create_table(
        "attachment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid()),
        sa.Column("for_team", sa.Boolean(), nullable=False),
        sa.Column("send_time", sa.DateTime(timezone=True)),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attachment"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_attachment_conversation_id_conversation"
        ),
        sa.CheckConstraint("kind in ('offer', 'other')", name=op.f("ck_attachment_kind")),
        sa.CheckConstraint("side in ('buyer', 'seller', 'system')", name=op.f("ck_attachment_side")),
        sa.CheckConstraint(
            "state in ('storing', 'ready', 'sent', 'removed')", name=op.f("ck_attachment_state")
        ),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_attachment_size_bytes")),
        sa.CheckConstraint(
            "state <> 'sent' or (message_id is not null and send_time is not null)",
            name=op.f("ck_attachment_sent"),
        ),
    )
    op.create_index("ix_attachment_conversation", "attachment", ["conversation_id", "author", "state"])
    op.create_table(
        "attachment_download",
        sa.Column("attachment_id", sa.Uuid(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("download_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("attachment_id", "user", name="pk_attachment_download"),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name="fk_attachment_download_attachment_id_attachment",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Removes them."""
    op.drop_table("attachment_download")
    op.drop_table("attachment")
    op.drop_column("timeline_entry", "documents")
