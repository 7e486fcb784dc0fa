"""Feedback, and what ratings are made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.add_column("conversation", sa.Column("feedback_rating", sa.Integer()))
    op.add_column("conversation", sa.Column("feedback_text", sa.Text()))
    op.add_column("conversation", sa.Column("feedback_time", sa.DateTime(timezone=True)))
    op.create_table(
        "rating_entry",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("seller", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("score", sa.Integer()),
        sa.Column("exclusion", sa.Text()),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_rating_entry"),
        sa.CheckConstraint("(score is null) <> (exclusion is null)", name=op.f("ck_rating_entry_counts")),
        sa.CheckConstraint("score between 1 and 5", name=op.f("ck_rating_entry_score")),
    )
    op.create_index("ix_rating_entry_seller", "rating_entry", ["seller", "create_time", "event_id"])


def downgrade() -> None:
    """Removes them."""
    op.drop_table("rating_entry")
    for column in ("feedback_time", "feedback_text", "feedback_rating"):
        op.drop_column("conversation", column)
