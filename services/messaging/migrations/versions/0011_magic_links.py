"""Links in mails by which their readers answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.add_column("timeline_entry", sa.Column("by_link", sa.Boolean()))
    op.create_table(
        "magic_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text()),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_action", sa.Text()),
        sa.Column("use_time", sa.DateTime(timezone=True)),
        sa.Column("used_order", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_magic_link"),
        sa.CheckConstraint("kind in ('offer', 'inquiry')", name=op.f("ck_magic_link_kind")),
        sa.CheckConstraint("used_action in ('accept', 'decline')", name=op.f("ck_magic_link_used_action")),
        sa.CheckConstraint("(used_action is null) = (use_time is null)", name=op.f("ck_magic_link_use_time")),
    )
    op.create_index("ix_magic_link_recipient", "magic_link", ["recipient"])
    op.create_index("ix_magic_link_mail", "magic_link", ["mail_id"])


def downgrade() -> None:
    """Removes them."""
    op.drop_table("magic_link")
    op.drop_column("timeline_entry", "by_link")
