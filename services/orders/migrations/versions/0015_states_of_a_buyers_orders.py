"""A buyer's list by states reads one range of an index for each of them, as a seller's does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_LANE = "(CASE WHEN state = 'PROCESSING' AND unread > 0 THEN 'UNREAD' ELSE state END)"


def upgrade() -> None:
    op.create_index(
        "ix_orders_buyer_lane",
        "orders",
        ["buyer", sa.text(_LANE), sa.text("create_time DESC"), sa.text("id DESC")],
    )


def downgrade() -> None:
    op.drop_index("ix_orders_buyer_lane", "orders")
