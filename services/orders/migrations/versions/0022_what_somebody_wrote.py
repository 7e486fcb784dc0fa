"""What somebody wrote is found by him, when it is to be handed out or erased."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"

_INDEXES = (("order_note", "author"), ("payment_refund", "requested_by"))


def upgrade() -> None:
    for table, column in _INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table, column in _INDEXES:
        op.drop_index(f"ix_{table}_{column}", table)
