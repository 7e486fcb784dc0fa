"""The record of orders knows labels, notes and refunds."""

from __future__ import annotations

from typing import Final

from alembic import op

from chassis import audit
from chassis.audit import Followed

revision = "0014"
down_revision = "0013"

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
_IGNORED: Final = (
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
)
_TOTAL: Final = "{row}.total || ' ' || {row}.currency"
# Nothing of it on most orders: an entry says what is there.
_REFUNDED: Final = "CASE WHEN {row}.refunded > 0 THEN {row}.refunded || ' ' || {row}.currency END"
_LABELS: Final = "nullif(array_to_string({row}.labels, ', '), '')"

_ORDERS: Final = Followed(
    "orders",
    subject="'orders/' || {row}.id",
    resource="'orders/' || {row}.id",
    shown=_SHOWN,
    computed={"total": _TOTAL, "refunded": _REFUNDED, "labels": _LABELS},
    ignored=(*_IGNORED, "refunded", "labels"),
)
_ORDERS_BEFORE: Final = Followed(
    "orders",
    subject="'orders/' || {row}.id",
    resource="'orders/' || {row}.id",
    shown=_SHOWN,
    computed={"total": _TOTAL},
    ignored=_IGNORED,
)
_NOTE: Final = Followed(
    "order_note",
    subject="'orders/' || {row}.order_id",
    resource="'orders/' || {row}.order_id || '/notes/' || {row}.id",
    shown=("author",),
    ignored=("id", "order_id", "seller", "create_time"),
    version="0",
)


def upgrade() -> None:
    audit.follow(op, _ORDERS)
    audit.follow(op, _NOTE)


def downgrade() -> None:
    audit.unfollow(op, "order_note")
    audit.follow(op, _ORDERS_BEFORE)
