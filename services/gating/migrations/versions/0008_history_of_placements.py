"""When orders began and ended to be open, and when offers did: past placements can be judged again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

COLUMNS = (
    ("known_order", "confirm_time"),
    ("known_order", "close_time"),
    ("offer", "change_time"),
    ("offered_package", "offer_time"),
)

BACKFILL = (
    "UPDATE known_order SET confirm_time = confirmed_order.confirm_time FROM confirmed_order "
    "WHERE confirmed_order.name = known_order.name"
)


def upgrade() -> None:
    # Absent: before this was kept. Nobody knows it any more.
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.DateTime(timezone=True), nullable=True))
    op.execute(BACKFILL)


def downgrade() -> None:
    for table, column in COLUMNS:
        op.drop_column(table, column)
