"""The tables of subscriptions and of what they need to know of the sellers' accounts."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.orders.adapters.tables import METADATA


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _number(name: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


subscription: Final = sa.Table(
    "subscription",
    METADATA,
    _text("id", primary_key=True),
    _number("version", sa.BigInteger),
    _text("seller"),
    _text("buyer"),
    _text("package"),
    _text("order_request"),
    _text("origin_conversation"),
    sa.Column("plan", JSONB(none_as_null=True), nullable=False),
    sa.Column("next_plan", JSONB(none_as_null=True), nullable=True),
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
    _text("cancelled_by", nullable=True),
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
    # Computed by the database from the facts, as the property of the domain is, for the index of the lists.
    sa.Column("bucket", sa.Text, sa.FetchedValue()),
)

seller_zone: Final = sa.Table(
    "seller_zone",
    METADATA,
    _text("seller", primary_key=True),
    _number("version", sa.BigInteger),
    _text("time_zone"),
)
"""The time zone of each seller's account, as gating publishes it."""
