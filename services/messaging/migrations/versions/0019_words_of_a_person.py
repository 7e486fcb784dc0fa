"""What a person wrote is found by him, whether it was erased or not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Lets the index hold what was erased as well, which comes after the rest."""
    op.drop_index("ix_timeline_entry_author", "timeline_entry")
    op.create_index(
        "ix_timeline_entry_author",
        "timeline_entry",
        ["author", "erase_time"],
        postgresql_where=sa.text("kind is not null"),
    )


def downgrade() -> None:
    """Takes it out again."""
    op.drop_index("ix_timeline_entry_author", "timeline_entry")
    op.create_index(
        "ix_timeline_entry_author",
        "timeline_entry",
        ["author"],
        postgresql_where=sa.text("kind is not null and erase_time is null"),
    )
