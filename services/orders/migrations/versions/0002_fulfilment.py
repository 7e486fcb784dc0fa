"""What comes after the confirmation of an order: work, deliveries, completion, cancellation."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

_BEFORE = ("PENDING", "PROCESSING", "AWAITING_ANSWER", "CONFIRMED", "DECLINED", "WITHDRAWN")
_NEW = ("IN_PROGRESS", "DELIVERED", "COMPLETED", "CANCELLED")
_PAYMENT_BEFORE = ("NOT_DUE", "PENDING", "PAID", "FAILED", "OFFLINE", "FREE")
_ATTEMPTED_BEFORE = ("CREATED", "SUBMITTING", "CAPTURED", "DECLINED", "UNKNOWN")


def _in(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _confirmation(confirmed: tuple[str, ...]) -> str:
    decided = _in("state", confirmed)
    return f"({decided}) = (confirm_time IS NOT NULL) AND ({decided}) = (payment_state <> 'NOT_DUE')"


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("begin_time", sa.DateTime(timezone=True)),
        sa.Column("deliveries", JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("auto_complete_time", sa.DateTime(timezone=True)),
        sa.Column("complete_time", sa.DateTime(timezone=True)),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("cancelled_by", sa.Text),
        sa.Column("cancel_text", sa.Text),
        sa.Column("cancel_time", sa.DateTime(timezone=True)),
    )


def upgrade() -> None:
    for column in _columns():
        op.add_column("orders", column)
    _replace("orders", "ck_orders_state", _in("state", _BEFORE + _NEW))
    _replace("orders", "ck_orders_payment_state", _in("payment_state", (*_PAYMENT_BEFORE, "VOIDED")))
    _replace("orders", "ck_orders_confirmation", _confirmation(("CONFIRMED", *_NEW)))
    _replace("payment", "ck_payment_state", _in("state", (*_ATTEMPTED_BEFORE, "VOIDED")))
    op.create_check_constraint(
        "ck_orders_cancellation",
        "orders",
        "(state = 'CANCELLED') = (cancel_time IS NOT NULL) AND num_nulls(cancel_reason, cancelled_by, "
        "cancel_text, cancel_time) IN (0, 4)",
    )
    op.create_check_constraint(
        "ck_orders_completion", "orders", "(state = 'COMPLETED') = (complete_time IS NOT NULL)"
    )
    op.create_check_constraint(
        "ck_orders_delivery", "orders", "(state = 'DELIVERED') = (auto_complete_time IS NOT NULL)"
    )


def downgrade() -> None:
    for name in ("ck_orders_delivery", "ck_orders_completion", "ck_orders_cancellation"):
        op.drop_constraint(name, "orders")
    _replace("payment", "ck_payment_state", _in("state", _ATTEMPTED_BEFORE))
    _replace("orders", "ck_orders_confirmation", _confirmation(("CONFIRMED",)))
    _replace("orders", "ck_orders_payment_state", _in("payment_state", _PAYMENT_BEFORE))
    _replace("orders", "ck_orders_state", _in("state", _BEFORE))
    for column in _columns():
        op.drop_column("orders", column.name)


def _replace(table: str, name: str, condition: str) -> None:
    op.drop_constraint(name, table)
    op.create_check_constraint(name, table, condition)
