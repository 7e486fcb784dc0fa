"""Ended requests that a team dismissed from its list, and indexes that keep each list as fast as its page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # A constant default rewrites no row.
    op.add_column(
        "order_request", sa.Column("dismissed", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_check_constraint(
        "ck_order_request_dismissed",
        "order_request",
        "NOT (dismissed AND state IN ('pending', 'info_requested', 'offered'))",
    )
    op.create_index(
        "ix_order_request_seller_dismissed_create_time_id",
        "order_request",
        ["seller", "dismissed", "create_time", "id"],
    )
    op.create_index(
        "ix_order_request_seller_state_dismissed_create_time_id",
        "order_request",
        ["seller", "state", "dismissed", "create_time", "id"],
    )
    op.drop_index("ix_order_request_seller_create_time_id", "order_request")


def downgrade() -> None:
    op.create_index(
        "ix_order_request_seller_create_time_id", "order_request", ["seller", "create_time", "id"]
    )
    op.drop_index("ix_order_request_seller_state_dismissed_create_time_id", "order_request")
    op.drop_index("ix_order_request_seller_dismissed_create_time_id", "order_request")
    op.drop_column("order_request", "dismissed")
