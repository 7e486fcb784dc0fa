"""The record of who changed orders and payments, which the database keeps by itself."""

from __future__ import annotations

from typing import Final

from alembic import op

from chassis import audit
from chassis.audit import Followed

revision = "0004"
down_revision = "0003"

_ORDERS: Final = Followed(
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
    ),
)
# A payment, and with it its attempts, belongs to the record of the order or subscription that owes it.
_OWNER: Final = "coalesce('orders/' || {row}.order_id, 'subscriptions/' || {row}.subscription_id)"
_PAYMENT: Final = Followed(
    "payment",
    subject=_OWNER,
    resource=f"{_OWNER} || '/payments/' || {{row}}.id",
    shown=("purpose", "sequence", "state", "provider", "capture_time"),
    computed={"amount": "{row}.amount || ' ' || {row}.currency"},
    ignored=(
        "id",
        "order_id",
        "subscription_id",
        "seller",
        "buyer",
        "version",
        "create_time",
        "update_time",
        "currency",
        "amount",
    ),
)
_OWNER_OF_ATTEMPT: Final = _OWNER.format(row="payment")
_OF_ATTEMPT: Final = "FROM payment WHERE id = {row}.payment_id"
_ATTEMPT: Final = Followed(
    "payment_attempt",
    subject=f"SELECT {_OWNER_OF_ATTEMPT} {_OF_ATTEMPT}",
    resource=(
        f"SELECT {_OWNER_OF_ATTEMPT} || '/payments/' || id || '/attempts/' || {{row}}.number {_OF_ATTEMPT}"
    ),
    shown=("number", "outcome", "decline_code", "submit_time", "resolve_time"),
    ignored=("payment_id",),
    version="0",
)


def upgrade() -> None:
    audit.create(op)
    for followed in (_ORDERS, _PAYMENT, _ATTEMPT):
        audit.follow(op, followed)


def downgrade() -> None:
    for followed in (_ATTEMPT, _PAYMENT, _ORDERS):
        audit.unfollow(op, followed.table)
    audit.drop(op)
