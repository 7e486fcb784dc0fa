"""What somebody did is found by him, when it is to be handed out or erased."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

_INDEXES = (("visit", "buyer"), ("absence", "author"), ("order_settings_version", "author"))


def upgrade() -> None:
    for table, column in _INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table, column in _INDEXES:
        op.drop_index(f"ix_{table}_{column}", table)
