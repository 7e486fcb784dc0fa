"""Whether an order is for a product or a service, and the record of orders that tells of it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from chassis import audit
from chassis.audit import Followed

revision = "0017"
down_revision = "0016"

_SHOWN: Final = (
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
)


def _followed(*shown: str) -> Followed:
    return Followed(
        "orders",
        subject="'orders/' || {row}.id",
        resource="'orders/' || {row}.id",
        shown=shown,
        computed={
            "total": "{row}.total || ' ' || {row}.currency",
            "refunded": "CASE WHEN {row}.refunded > 0 THEN {row}.refunded || ' ' || {row}.currency END",
            "labels": "nullif(array_to_string({row}.labels, ', '), '')",
        },
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
            "buyer_unread",
            "refunded",
            "labels",
        ),
    )


def upgrade() -> None:
    # Whatever was ordered before was a service; a constant default rewrites no row.
    op.add_column("orders", sa.Column("kind", sa.Text, nullable=False, server_default="SERVICE"))
    op.create_check_constraint("ck_orders_kind", "orders", "kind IN ('SERVICE', 'PRODUCT')")
    audit.follow(op, _followed(*_SHOWN, "kind"))


def downgrade() -> None:
    audit.follow(op, _followed(*_SHOWN))
    op.drop_column("orders", "kind")
