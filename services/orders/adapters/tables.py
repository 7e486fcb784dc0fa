"""The tables of the orders service, beside those of the chassis."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.schema import metadata

METADATA: Final = metadata()


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, JSONB(none_as_null=True), nullable=nullable)


orders: Final = sa.Table(
    "orders",
    METADATA,
    _text("id", primary_key=True),
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
    sa.Column("buyer_unread", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("refunded", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    _instant("begin_time", nullable=True),
    sa.Column("deliveries", JSONB, nullable=False, server_default=sa.text("'[]'")),
    _instant("auto_complete_time", nullable=True),
    _instant("complete_time", nullable=True),
    _text("cancel_reason", nullable=True),
    _text("cancelled_by", nullable=True),
    _text("cancel_text", nullable=True),
    _instant("cancel_time", nullable=True),
    sa.Column("options", JSONB, nullable=False, server_default=sa.text("'[]'")),
    sa.Column("labels", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("kind", sa.Text, nullable=False, server_default=sa.text("'SERVICE'")),
)

order_lane: Final[sa.ColumnElement[str]] = sa.literal_column(
    "(CASE WHEN state = 'PROCESSING' AND unread > 0 THEN 'UNREAD' ELSE state END)", sa.Text
)
"""The lane of an order, written as the index has it."""

order_folder_count: Final = sa.Table(
    "order_folder_count",
    METADATA,
    _text("seller", primary_key=True),
    _text("folder", primary_key=True),
    sa.Column("slot", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("orders", sa.BigInteger, nullable=False),
    sa.Column("unread", sa.BigInteger, nullable=False),
)
"""Kept by a trigger of `orders`: nothing here writes to it."""

order_label: Final = sa.Table(
    "order_label",
    METADATA,
    _text("seller", primary_key=True),
    _text("label", primary_key=True),
    _text("order_id", primary_key=True),
)
"""Finds orders by `orders.labels`."""

order_note: Final = sa.Table(
    "order_note",
    METADATA,
    _text("id", primary_key=True),
    _text("order_id"),
    _text("seller"),
    _text("author"),
    _text("text"),
    _instant("create_time"),
)

payment: Final = sa.Table(
    "payment",
    METADATA,
    _text("id", primary_key=True),
    _text("order_id", nullable=True),
    _text("subscription_id", nullable=True),
    _text("seller"),
    _text("buyer"),
    sa.Column("version", sa.BigInteger, nullable=False),
    _text("purpose"),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    _text("currency"),
    sa.Column("amount", sa.BigInteger, nullable=False),
    _text("state"),
    _text("provider"),
    _text("token"),
    _instant("create_time"),
    _instant("update_time"),
    _instant("capture_time", nullable=True),
    sa.Column("reserved", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("refunded", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("attended", sa.Boolean, nullable=False, server_default=sa.false()),
)

payment_attempt: Final = sa.Table(
    "payment_attempt",
    METADATA,
    _text("payment_id", primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    _text("key"),
    _text("token"),
    _instant("submit_time"),
    _text("outcome", nullable=True),
    _text("decline_code"),
    _instant("resolve_time", nullable=True),
    sa.Column("reference", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("note", sa.Text, nullable=False, server_default=sa.text("''")),
    _text("action_url", nullable=True),
    _text("action_secret", nullable=True),
    _instant("action_expire_time", nullable=True),
)

payment_refund: Final = sa.Table(
    "payment_refund",
    METADATA,
    _text("payment_id", primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    _text("key"),
    _text("currency"),
    sa.Column("amount", sa.BigInteger, nullable=False),
    _text("reason"),
    _text("text"),
    _text("requested_by"),
    _text("state"),
    _text("failure_code"),
    _instant("create_time"),
    _instant("resolve_time", nullable=True),
    sa.Column("note", sa.Text, nullable=False, server_default=sa.text("''")),
)

ledger_transaction: Final = sa.Table(
    "ledger_transaction",
    METADATA,
    _text("id", primary_key=True),
    _text("kind"),
    _text("payment_id"),
    _text("payment"),
    _text("seller"),
    _text("buyer"),
    sa.Column("entry_count", sa.Integer, nullable=False),
    _instant("create_time"),
)

ledger_entry: Final = sa.Table(
    "ledger_entry",
    METADATA,
    _text("id", primary_key=True),
    _text("transaction_id"),
    _text("account"),
    _text("party"),
    _text("side"),
    _text("currency"),
    sa.Column("amount", sa.BigInteger, nullable=False),
    _text("seller"),
    _instant("create_time"),
)

listing: Final = sa.Table(
    "listing",
    METADATA,
    _text("name", primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    _json("content"),
)

sandbox_charge: Final = sa.Table(
    "sandbox_charge",
    METADATA,
    _text("key", primary_key=True),
    _text("token"),
    _text("currency"),
    sa.Column("amount", sa.BigInteger, nullable=False),
    _text("outcome"),
    _text("decline_code"),
    _instant("create_time"),
)
"""The books of the sandbox provider: no part of the service's own state."""

sandbox_refund: Final = sa.Table(
    "sandbox_refund",
    METADATA,
    _text("key", primary_key=True),
    _text("charge_key"),
    _text("currency"),
    sa.Column("amount", sa.BigInteger, nullable=False),
    _text("outcome"),
    _text("failure_code"),
    _instant("create_time"),
)


def _sales(name: str, *own: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        *own,
        _text("seller"),
        _text("listing"),
        _text("currency"),
        _instant("slot"),
        _text("reason"),
        *(
            sa.Column(measure, sa.BigInteger, nullable=False, server_default=sa.text("0"))
            for measure in SALES_MEASURES
        ),
    )


SALES_MEASURES: Final = (
    "orders",
    "value",
    "cancelled_orders",
    "cancelled_value",
    "paid_orders",
    "paid_value",
    "refunded_orders",
    "refunded_value",
    "renewals",
    "renewal_value",
    "paid_renewals",
    "paid_renewal_value",
    "refunded_renewals",
    "refunded_renewal_value",
)
sales_change: Final = _sales(
    "sales_change", sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()"))
)
"""What triggers say of each change of an order, until it is folded into the sums."""
sales_quarter: Final = _sales("sales_quarter")
"""Sums by quarters of an hour; listing `*` stands for all of a seller's."""
sales_day: Final = _sales("sales_day")
"""Sums by days of UTC."""
