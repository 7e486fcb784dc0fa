"""Erasures, and what was erased of a timeline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("request_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_time", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
        sa.CheckConstraint("state in ('requested', 'erasing', 'done')", name=op.f("ck_erasure_state")),
        sa.CheckConstraint("(state = 'done') = (done_time is not null)", name=op.f("ck_erasure_done_time")),
    )
    op.create_index(
        "uq_erasure_open", "erasure", ["user_name"], unique=True, postgresql_where=sa.text("state <> 'done'")
    )
    op.add_column("timeline_entry", sa.Column("erase_time", sa.DateTime(timezone=True)))
    # What a person wrote is found when it is to be handed out or erased.
    op.create_index(
        "ix_timeline_entry_author",
        "timeline_entry",
        ["author"],
        postgresql_where=sa.text("kind is not null and erase_time is null"),
    )


def downgrade() -> None:
    """Removes them."""
    op.drop_index("ix_timeline_entry_author", "timeline_entry")
    op.drop_column("timeline_entry", "erase_time")
    op.drop_table("erasure")
