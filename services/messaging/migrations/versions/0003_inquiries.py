"""Inquiries with summary and observer, conversations that are closed and put away, outcomes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them. A conversation that was closed before this counts as closed now."""
    for column in ("summary", "observer"):
        op.add_column("conversation", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    for column in ("buyer_archived", "seller_archived"):
        op.add_column(
            "conversation", sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.text("false"))
        )
    op.add_column("conversation", sa.Column("close_time", sa.DateTime(timezone=True)))
    op.add_column("conversation", sa.Column("decline_reason", sa.Text()))
    op.execute("UPDATE conversation SET close_time = now() WHERE state = 'closed'")
    op.create_check_constraint(
        op.f("ck_conversation_close_time"), "conversation", "(state = 'closed') = (close_time is not null)"
    )
    for side in ("buyer", "seller"):
        op.drop_index(f"ix_conversation_{side}", "conversation")
        op.create_index(
            f"ix_conversation_{side}", "conversation", [side, f"{side}_archived", "last_entry_time", "id"]
        )
    op.create_table(
        "outcome",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("observer", sa.Text()),
        sa.Column("seller", sa.Text()),
        sa.Column("marketplace", sa.Text()),
        sa.Column("create_time", sa.DateTime(timezone=True)),
        sa.Column("contact_time", sa.DateTime(timezone=True)),
        sa.Column("sale_time", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("conversation_id", name="pk_outcome"),
    )
    op.create_index("ix_outcome_observer", "outcome", ["observer", "create_time", "conversation_id"])


def downgrade() -> None:
    """Removes them."""
    op.drop_table("outcome")
    for side in ("buyer", "seller"):
        op.drop_index(f"ix_conversation_{side}", "conversation")
        op.create_index(f"ix_conversation_{side}", "conversation", [side, "last_entry_time", "id"])
    op.drop_constraint(op.f("ck_conversation_close_time"), "conversation")
    for column in (
        "decline_reason",
        "close_time",
        "seller_archived",
        "buyer_archived",
        "observer",
        "summary",
    ):
        op.drop_column("conversation", column)
