"""Settings, plans, availability, requests, and what is kept of listings, offers and orders."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from chassis import schema

revision = "0001"
down_revision = None

OPEN_STATES = "state IN ('pending', 'info_requested', 'offered')"


def upgrade() -> None:
    schema.create(op)
    _create_declarations()
    _create_projections()
    _create_order_request()


def downgrade() -> None:
    for table in (
        "order_request",
        "confirmed_order",
        "offered_package",
        "offer",
        "listing",
        "availability",
        "seller_plan",
        "order_settings_version",
        "order_settings",
    ):
        op.drop_table(table)
    schema.drop(op)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _version() -> sa.Column[Any]:
    return sa.Column(
        "version", sa.BigInteger, sa.CheckConstraint("version > 0", name="version"), nullable=False
    )


def _document(name: str) -> sa.Column[Any]:
    return sa.Column(name, JSONB, nullable=False)


def _one_of(table: str, column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"ck_{table}_{column}")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _create_declarations() -> None:
    op.create_table(
        "order_settings",
        _text("seller"),
        _version(),
        _document("document"),
        _instant("create_time"),
        _instant("update_time"),
        _key("order_settings", "seller"),
    )
    op.create_table(
        "order_settings_version",
        _text("seller"),
        _version(),
        _document("document"),
        _instant("save_time"),
        _key("order_settings_version", "seller", "version"),
    )
    op.create_table(
        "seller_plan",
        _text("seller"),
        _version(),
        _text("tier"),
        _instant("expire_time", nullable=True),
        _key("seller_plan", "seller"),
        _one_of("seller_plan", "tier", "BASIC", "PREMIUM"),
    )
    op.create_table(
        "availability",
        _text("subject"),
        _version(),
        _flag("available"),
        _instant("end_time", nullable=True),
        _flag("messages_closed"),
        _key("availability", "subject"),
        sa.CheckConstraint("NOT (available AND end_time IS NOT NULL)", name="ck_availability_end_time"),
    )


def _create_projections() -> None:
    op.create_table(
        "listing",
        _text("name"),
        _version(),
        _text("title"),
        _text("intake"),
        _flag("published"),
        _document("packages"),
        _key("listing", "name"),
        _one_of("listing", "intake", "INSTANT", "SELLER_REVIEW", "BY_QUOTE"),
    )
    op.create_table(
        "offer",
        _text("name"),
        _version(),
        _text("seller"),
        _text("buyer"),
        _text("order_request"),
        _text("order_name"),
        _text("package"),
        _text("state"),
        _flag("by_seller"),
        _instant("expire_time", nullable=True),
        _key("offer", "name"),
        _one_of("offer", "state", "OPEN", "ACCEPTED", "DECLINED", "WITHDRAWN", "EXPIRED"),
    )
    op.create_index(
        "ix_offer_order_request", "offer", ["order_request"], postgresql_where=sa.text("order_request <> ''")
    )
    op.create_table(
        "offered_package",
        _text("offer"),
        _text("package"),
        _text("buyer"),
        _text("seller"),
        _key("offered_package", "offer", "package"),
    )
    op.create_index("ix_offered_package_buyer_seller", "offered_package", ["buyer", "seller"])
    op.create_table(
        "confirmed_order",
        _text("name"),
        _text("buyer"),
        _text("seller"),
        _instant("confirm_time"),
        _key("confirmed_order", "name"),
    )
    op.create_index("ix_confirmed_order_buyer_seller", "confirmed_order", ["buyer", "seller"])


def _create_order_request() -> None:
    op.create_table(
        "order_request",
        _text("id"),
        _version(),
        _text("seller"),
        _text("buyer"),
        _text("package"),
        _text("state"),
        _document("snapshot"),
        _document("needs"),
        _document("decision"),
        _document("inquiries"),
        _text("decline_reason", nullable=True),
        _text("decline_text"),
        _text("offer"),
        _text("order_name"),
        sa.Column("ttl", sa.Interval, nullable=False),
        sa.Column("remaining", sa.Interval, nullable=True),
        _instant("expire_time", nullable=True),
        _instant("first_response_time", nullable=True),
        _instant("create_time"),
        _instant("update_time"),
        _key("order_request", "id"),
        _one_of(
            "order_request",
            "state",
            "pending",
            "info_requested",
            "offered",
            "converted",
            "declined",
            "withdrawn",
            "expired",
            "closed",
        ),
        # The deadline runs exactly while the seller is to decide, and rests exactly while the buyer is asked.
        sa.CheckConstraint(
            "(state = 'pending') = (expire_time IS NOT NULL)", name="ck_order_request_expire_time"
        ),
        sa.CheckConstraint(
            "(state = 'info_requested') = (remaining IS NOT NULL)", name="ck_order_request_remaining"
        ),
        sa.CheckConstraint(
            "state <> 'declined' OR decline_reason IS NOT NULL", name="ck_order_request_decline"
        ),
        sa.CheckConstraint("state <> 'offered' OR offer <> ''", name="ck_order_request_offer"),
    )
    op.create_index(
        "uq_order_request_open",
        "order_request",
        ["buyer", "package"],
        unique=True,
        postgresql_where=sa.text(OPEN_STATES),
    )
    op.create_index("ix_order_request_buyer_create_time_id", "order_request", ["buyer", "create_time", "id"])
    op.create_index(
        "ix_order_request_seller_create_time_id", "order_request", ["seller", "create_time", "id"]
    )
