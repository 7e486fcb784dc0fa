"""Orders, payments with their attempts, the projection of listings, the books of the sandbox provider."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from chassis import schema

revision = "0001"
down_revision = None

_STATES = "'PENDING', 'PROCESSING', 'AWAITING_ANSWER', 'CONFIRMED', 'DECLINED', 'WITHDRAWN'"
_UNDECIDED = "'PENDING', 'PROCESSING', 'AWAITING_ANSWER'"


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, JSONB, nullable=nullable)


def upgrade() -> None:
    schema.create(op)
    _create_orders()
    _create_payments()
    op.create_table(
        "listing",
        _text("name"),
        sa.Column("version", sa.BigInteger, nullable=False),
        _json("content"),
        sa.PrimaryKeyConstraint("name", name="pk_listing"),
    )
    op.create_table(
        "sandbox_charge",
        _text("key"),
        _text("token"),
        _text("currency"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        _text("outcome"),
        _text("decline_code"),
        _instant("create_time"),
        sa.PrimaryKeyConstraint("key", name="pk_sandbox_charge"),
    )


def downgrade() -> None:
    for table in ("sandbox_charge", "listing", "payment_attempt", "payment", "orders"):
        op.drop_table(table)
    schema.drop(op)


def _create_orders() -> None:
    op.create_table(
        "orders",
        _text("id"),
        sa.Column("version", sa.BigInteger, nullable=False),
        _text("seller"),
        _text("buyer"),
        _text("package"),
        _text("intake"),
        _text("state"),
        _json("line_items"),
        _text("currency"),
        sa.Column("total", sa.BigInteger, nullable=False),
        _json("plan", nullable=True),
        _text("payment_method"),
        _text("payment_token"),
        _text("payment_state"),
        sa.Column("delivery_days", sa.Integer, nullable=False),
        _instant("create_time"),
        _instant("update_time"),
        _instant("start_time", nullable=True),
        _instant("clock_start_time", nullable=True),
        _instant("delivery_due_time", nullable=True),
        _instant("confirm_time", nullable=True),
        _json("decision", nullable=True),
        _text("offer"),
        _text("order_request"),
        _text("origin_conversation"),
        _json("quotes"),
        sa.Column("quote_accepted", sa.Boolean, nullable=False),
        _text("requirements"),
        sa.Column("price_agreed_elsewhere", sa.Boolean, nullable=False),
        _text("decline_reason", nullable=True),
        _text("decline_text"),
        _json("billing_address", nullable=True),
        _json("delivery_address", nullable=True),
        sa.Column("unread", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.CheckConstraint("version >= 1", name="ck_orders_version"),
        sa.CheckConstraint(f"state IN ({_STATES})", name="ck_orders_state"),
        sa.CheckConstraint(
            "intake IN ('INSTANT', 'SELLER_REVIEW', 'BY_QUOTE', 'OFFER')", name="ck_orders_intake"
        ),
        sa.CheckConstraint("payment_method IN ('ONLINE', 'OFFLINE')", name="ck_orders_payment_method"),
        sa.CheckConstraint(
            "payment_state IN ('NOT_DUE', 'PENDING', 'PAID', 'FAILED', 'OFFLINE', 'FREE')",
            name="ck_orders_payment_state",
        ),
        # Nothing is due before the confirmation, and something always is decided with it.
        sa.CheckConstraint(
            "(state = 'CONFIRMED') = (confirm_time IS NOT NULL) "
            "AND (state = 'CONFIRMED') = (payment_state <> 'NOT_DUE')",
            name="ck_orders_confirmation",
        ),
        sa.CheckConstraint("total >= 0", name="ck_orders_total"),
        sa.CheckConstraint("unread >= 0", name="ck_orders_unread"),
    )
    op.create_index("ix_orders_buyer", "orders", ["buyer", sa.text("create_time DESC"), sa.text("id DESC")])
    op.create_index("ix_orders_seller", "orders", ["seller", sa.text("create_time DESC"), sa.text("id DESC")])
    # The seller's open work is a small part of all orders ever.
    op.create_index(
        "ix_orders_undecided",
        "orders",
        ["seller", "state", sa.text("create_time DESC"), sa.text("id DESC")],
        postgresql_where=sa.text(f"state IN ({_UNDECIDED})"),
    )


def _create_payments() -> None:
    op.create_table(
        "payment",
        _text("id"),
        _text("order_id"),
        sa.Column("version", sa.BigInteger, nullable=False),
        _text("purpose"),
        _text("currency"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        _text("state"),
        _text("provider"),
        _text("token"),
        _instant("create_time"),
        _instant("update_time"),
        _instant("capture_time", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_payment"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_payment_order_id_orders"),
        # The last line against a second charge: one payment for each order and purpose, forever.
        sa.UniqueConstraint("order_id", "purpose", name="uq_payment_order_id"),
        sa.CheckConstraint("purpose IN ('ORDER_TOTAL')", name="ck_payment_purpose"),
        sa.CheckConstraint(
            "state IN ('CREATED', 'SUBMITTING', 'CAPTURED', 'DECLINED', 'UNKNOWN')", name="ck_payment_state"
        ),
        sa.CheckConstraint("amount > 0", name="ck_payment_amount"),
        sa.CheckConstraint(
            "(state = 'CAPTURED') = (capture_time IS NOT NULL)", name="ck_payment_capture_time"
        ),
    )
    op.create_table(
        "payment_attempt",
        _text("payment_id"),
        sa.Column("number", sa.Integer, nullable=False),
        _text("key"),
        _text("token"),
        _instant("submit_time"),
        _text("outcome", nullable=True),
        _text("decline_code"),
        _instant("resolve_time", nullable=True),
        sa.PrimaryKeyConstraint("payment_id", "number", name="pk_payment_attempt"),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name="fk_payment_attempt_payment_id_payment"),
        sa.UniqueConstraint("key", name="uq_payment_attempt_key"),
        sa.CheckConstraint(
            "outcome IN ('CAPTURED', 'SOFT_DECLINE', 'HARD_DECLINE', 'UNKNOWN')",
            name="ck_payment_attempt_outcome",
        ),
    )
    # At most one attempt of a payment is under way.
    op.create_index(
        "ix_payment_attempt_unresolved",
        "payment_attempt",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("resolve_time IS NULL"),
    )
    op.create_index(
        "ix_payment_attempt_captured",
        "payment_attempt",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("outcome = 'CAPTURED'"),
    )
