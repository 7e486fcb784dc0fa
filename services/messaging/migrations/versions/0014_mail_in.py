"""Addresses to which people answer, the mails that came to them, and by which way a message came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.create_table(
        "reply_address",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reply_address"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_reply_address_conversation_id_conversation"
        ),
    )
    op.create_index(
        "ix_reply_address_newest", "reply_address", ["conversation_id", "user_name", "create_time"]
    )
    op.create_table(
        "received_mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("original", sa.Text(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_received_mail"),
        sa.UniqueConstraint("address", "key", name="uq_received_mail_address"),
        sa.CheckConstraint(
            "outcome in ('POSTED', 'REFUSED', 'AUTOMATIC', 'BOUNCE')", name=op.f("ck_received_mail_outcome")
        ),
        sa.CheckConstraint(
            "(outcome = 'POSTED') = (message_id <> '')", name=op.f("ck_received_mail_message_id")
        ),
    )
    op.create_index("ix_received_mail_user", "received_mail", ["user_name", "create_time", "id"])
    op.add_column("timeline_entry", sa.Column("channel", sa.Text()))


def downgrade() -> None:
    """Removes them."""
    op.drop_column("timeline_entry", "channel")
    op.drop_table("received_mail")
    op.drop_table("reply_address")
