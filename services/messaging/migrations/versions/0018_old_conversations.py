"""Which conversations were erased because they are old."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds it."""
    op.add_column("conversation", sa.Column("erase_time", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_conversation_closed",
        "conversation",
        ["close_time"],
        # One that was opened again and closed again is old again.
        postgresql_where=sa.text(
            "close_time is not null and (erase_time is null or erase_time < close_time)"
        ),
    )


def downgrade() -> None:
    """Removes it."""
    op.drop_index("ix_conversation_closed", "conversation")
    op.drop_column("conversation", "erase_time")
