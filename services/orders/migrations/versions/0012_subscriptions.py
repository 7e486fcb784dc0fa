"""Subscriptions, and the time zones of the sellers' accounts."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from chassis import audit
from chassis.audit import Followed

revision = "0012"
down_revision = "0011"

_BUCKET = (
    "CASE WHEN ended_at IS NOT NULL THEN 'INACTIVE' WHEN activate_time IS NULL THEN 'SCHEDULED' "
    "WHEN paused_since IS NOT NULL THEN 'PAUSED' WHEN past_due_since IS NULL THEN 'ACTIVE' ELSE 'OVERDUE' END"
)
_END_REASONS = "'CANCELLED', 'TERM_OVER', 'FAILED_PAYMENTS', 'ORDER_CANCELLED'"

_SUBSCRIPTION: Final = Followed(
    "subscription",
    subject="'subscriptions/' || {row}.id",
    resource="'subscriptions/' || {row}.id",
    shown=(
        "package",
        "time_zone",
        "payment_method",
        "start_time",
        "activate_time",
        "number",
        "period_begin",
        "period_end",
        "cancel_at",
        "pause_at",
        "paused_since",
        "resume_at",
        "past_due_since",
        "retry_at",
        "grace_until",
        "ended_at",
        "end_reason",
    ),
    computed={
        "balance": "{row}.balance || ' ' || {row}.currency",
        "price": "{row}.plan -> 'price' ->> 1 || ' ' || {row}.currency",
    },
    # Either part of something shown, or the service's own bookkeeping; the bucket follows from the rest.
    ignored=(
        "id",
        "version",
        "seller",
        "buyer",
        "order_request",
        "origin_conversation",
        "create_time",
        "update_time",
        "anchor_day",
        "currency",
        "worth",
        "worth_from",
        "balance",
        "changes",
        "unpaid",
        "charging",
        "retries",
        "bucket",
    ),
)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _number(name: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "subscription",
        _text("id"),
        _number("version", sa.BigInteger),
        _text("seller"),
        _text("buyer"),
        _text("package"),
        _text("order_request"),
        _text("origin_conversation"),
        sa.Column("plan", JSONB, nullable=False),
        sa.Column("next_plan", JSONB),
        _text("time_zone"),
        _text("payment_method"),
        _text("payment_token"),
        _instant("create_time", nullable=False),
        _instant("update_time", nullable=False),
        _instant("start_time", nullable=False),
        _instant("activate_time"),
        _number("number"),
        sa.Column("period_begin", sa.Date, nullable=False),
        sa.Column("period_end", sa.Date, nullable=False),
        _number("anchor_day"),
        _text("currency"),
        _number("worth", sa.BigInteger),
        sa.Column("worth_from", sa.Date, nullable=False),
        _number("balance", sa.BigInteger),
        _number("changes"),
        _instant("cancel_at"),
        _instant("pause_at"),
        _instant("paused_since"),
        _instant("resume_at"),
        sa.Column("unpaid", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("charging", sa.Boolean, nullable=False),
        _instant("past_due_since"),
        _number("retries"),
        _instant("retry_at"),
        _instant("grace_until"),
        _instant("ended_at"),
        _text("end_reason", nullable=True),
        sa.Column("bucket", sa.Text, sa.Computed(_BUCKET, persisted=True)),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
        # The id is that of the order: there is no second subscription for it, ever.
        sa.ForeignKeyConstraint(["id"], ["orders.id"], name="fk_subscription_id_orders"),
        *_checks(),
    )
    newest_first = [sa.text("create_time DESC"), sa.text("id DESC")]
    for party in ("seller", "buyer"):
        op.create_index(f"ix_subscription_{party}", "subscription", [party, *newest_first])
        op.create_index(f"ix_subscription_{party}_bucket", "subscription", [party, "bucket", *newest_first])
    op.create_table(
        "seller_zone",
        _text("seller"),
        _number("version", sa.BigInteger),
        _text("time_zone"),
        sa.PrimaryKeyConstraint("seller", name="pk_seller_zone"),
    )
    op.create_foreign_key(
        "fk_payment_subscription_id_subscription", "payment", "subscription", ["subscription_id"], ["id"]
    )
    audit.follow(op, _SUBSCRIPTION)


def downgrade() -> None:
    audit.unfollow(op, "subscription")
    op.drop_constraint("fk_payment_subscription_id_subscription", "payment")
    op.drop_table("seller_zone")
    op.drop_table("subscription")


def _checks() -> tuple[sa.CheckConstraint, ...]:
    conditions = {
        "version": "version >= 1",
        "payment_method": "payment_method IN ('ONLINE', 'OFFLINE')",
        "period": "period_begin <= period_end AND number >= 0 AND anchor_day BETWEEN 1 AND 31",
        "amounts": "worth >= 0 AND balance >= 0",
        "end": f"(ended_at IS NULL) = (end_reason IS NULL) AND end_reason IN ({_END_REASONS})",
        # What is over owes nothing, and is not dunned.
        "over": "ended_at IS NULL OR (unpaid = '{}' AND NOT charging AND retry_at IS NULL "
        "AND grace_until IS NULL AND cancel_at IS NULL)",
        "dunning": "past_due_since IS NOT NULL OR (retry_at IS NULL AND grace_until IS NULL)",
    }
    return tuple(
        sa.CheckConstraint(condition, name=f"ck_subscription_{name}")
        for name, condition in conditions.items()
    )
