"""What the buyer of an order has not read. The record of changes leaves it out: it would tell his looks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chassis import audit
from chassis.audit import Followed

revision = "0011"
down_revision = "0010"


def _followed(*ignored: str) -> Followed:
    return Followed(
        "orders",
        subject="'orders/' || {row}.id",
        resource="'orders/' || {row}.id",
        shown=(
            "package",
            "intake",
            "state",
            "payment_method",
            "payment_state",
            "delivery_days",
            "start_time",
            "clock_start_time",
            "delivery_due_time",
            "offer",
            "price_agreed_elsewhere",
            "decline_reason",
            "unread",
            "begin_time",
            "auto_complete_time",
            "complete_time",
            "cancel_reason",
            "cancelled_by",
        ),
        computed={"total": "{row}.total || ' ' || {row}.currency"},
        # Either part of something shown, or the service's own notes about events that it took in.
        ignored=(
            "id",
            "version",
            "create_time",
            "update_time",
            "confirm_time",
            "cancel_time",
            "currency",
            "total",
            "quotes",
            "quote_accepted",
            *ignored,
        ),
    )


def upgrade() -> None:
    op.add_column(
        "orders", sa.Column("buyer_unread", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
    op.create_check_constraint("ck_orders_buyer_unread", "orders", "buyer_unread >= 0")
    audit.follow(op, _followed("buyer_unread"))


def downgrade() -> None:
    audit.follow(op, _followed())
    op.drop_constraint("ck_orders_buyer_unread", "orders")
    op.drop_column("orders", "buyer_unread")
