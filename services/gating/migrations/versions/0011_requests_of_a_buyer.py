"""An index that keeps a buyer's list of some states as fast as its page."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index(
        "ix_order_request_buyer_state_create_time_id",
        "order_request",
        ["buyer", "state", "create_time", "id"],
    )


def downgrade() -> None:
    op.drop_index("ix_order_request_buyer_state_create_time_id", "order_request")
