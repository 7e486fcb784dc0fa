"""Gating's own tables, as the newest migration leaves them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from chassis.db import metadata

METADATA: Final = metadata()


class _TransactionId(sa.types.UserDefinedType[int]):
    """PostgreSQL's 64 bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _version(*, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column("version", sa.BigInteger, primary_key=primary_key, nullable=False, autoincrement=False)


def _document(name: str) -> sa.Column[Any]:
    return sa.Column(name, JSONB, nullable=False)


order_settings = sa.Table(
    "order_settings",
    METADATA,
    _text("seller", primary_key=True),
    _version(),
    _document("document"),
    _instant("create_time"),
    _instant("update_time"),
)

order_settings_version = sa.Table(
    "order_settings_version",
    METADATA,
    _text("seller", primary_key=True),
    _version(primary_key=True),
    _document("document"),
    _instant("save_time"),
    sa.Column("author", sa.Text, nullable=False, server_default=sa.text("''")),
    # What somebody did is found when it is to be handed out or erased; so it is below.
    sa.Index("ix_order_settings_version_author", "author"),
)

seller_plan = sa.Table(
    "seller_plan",
    METADATA,
    _text("seller", primary_key=True),
    _version(),
    _text("tier"),
    _instant("expire_time", nullable=True),
)

availability = sa.Table(
    "availability",
    METADATA,
    _text("subject", primary_key=True),
    _version(),
    sa.Column("available", sa.Boolean, nullable=False),
    _instant("end_time", nullable=True),
    sa.Column("messages_closed", sa.Boolean, nullable=False),
)

absence = sa.Table(
    "absence",
    METADATA,
    _text("id", primary_key=True),
    _text("seller"),
    _text("subject"),
    _text("label"),
    _text("author"),
    _instant("start_time"),
    _instant("end_time"),
    _instant("create_time"),
    sa.Column("messages_closed", sa.Boolean, nullable=False),
    sa.Column("place", sa.SmallInteger, nullable=False),
    # Those who plan at once race for places, so that there are never more absences than places.
    sa.Index("uq_absence_subject_place", "subject", "place", unique=True),
    sa.Index("ix_absence_subject_start_time_id", "subject", "start_time", "id"),
    sa.Index("ix_absence_seller_start_time_id", "seller", "start_time", "id"),
    sa.Index("ix_absence_author", "author"),
)

buyer_verification = sa.Table(
    "buyer_verification",
    METADATA,
    _text("buyer", primary_key=True),
    _version(primary_key=True),
    sa.Column("verified", sa.Boolean, nullable=False),
    _instant("expire_time", nullable=True),
    _text("author"),
    _instant("set_time"),
)
"""Rows are added, never changed; the newest of a buyer holds."""

listing = sa.Table(
    "listing",
    METADATA,
    _text("name", primary_key=True),
    _version(),
    _text("title"),
    _text("intake"),
    sa.Column("published", sa.Boolean, nullable=False),
    _document("packages"),
)

offer = sa.Table(
    "offer",
    METADATA,
    _text("name", primary_key=True),
    _version(),
    _text("seller"),
    _text("buyer"),
    _text("order_request"),
    _text("order_name"),
    _text("package"),
    _text("state"),
    sa.Column("by_seller", sa.Boolean, nullable=False),
    _instant("expire_time", nullable=True),
    _instant("change_time", nullable=True),
    sa.Index("ix_offer_order_request", "order_request", postgresql_where=sa.text("order_request <> ''")),
)

offered_package = sa.Table(
    "offered_package",
    METADATA,
    _text("offer", primary_key=True),
    _text("package", primary_key=True),
    _text("buyer"),
    _text("seller"),
    _instant("offer_time", nullable=True),
    sa.Index("ix_offered_package_buyer_seller", "buyer", "seller"),
)

confirmed_order = sa.Table(
    "confirmed_order",
    METADATA,
    _text("name", primary_key=True),
    _text("buyer"),
    _text("seller"),
    _instant("confirm_time"),
    sa.Index("ix_confirmed_order_buyer_seller", "buyer", "seller"),
)

known_order = sa.Table(
    "known_order",
    METADATA,
    _text("name", primary_key=True),
    _version(),
    _text("seller"),
    _text("buyer"),
    _text("package"),
    _text("intake"),
    _instant("place_time", nullable=True),
    sa.Column("is_open", sa.Boolean, nullable=False),
    _instant("confirm_time", nullable=True),
    _instant("close_time", nullable=True),
    sa.Index("ix_known_order_open", "seller", postgresql_where=sa.text("is_open")),
    sa.Index("ix_known_order_seller_place_time", "seller", "place_time"),
)

gate_change = sa.Table(
    "gate_change",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column(
        "transaction",
        _TransactionId,
        nullable=False,
        server_default=sa.text("pg_current_xact_id()"),
        index=True,
    ),
    _text("subject"),
    _text("buyer"),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=True),
)

order_request = sa.Table(
    "order_request",
    METADATA,
    _text("id", primary_key=True),
    _version(),
    _text("seller"),
    _text("buyer"),
    _text("package"),
    _text("state"),
    _document("snapshot"),
    _document("needs"),
    _document("decision"),
    _document("inquiries"),
    sa.Column("decline_reason", sa.Text, nullable=True),
    _text("decline_text"),
    _text("offer"),
    _text("order_name"),
    sa.Column("ttl", sa.Interval, nullable=False),
    _document("reminder_points"),
    _text("reoffer_policy"),
    sa.Column("remaining", sa.Interval, nullable=True),
    _instant("answer_expire_time", nullable=True),
    sa.Column("reminders", sa.SmallInteger, nullable=False),
    sa.Column("dismissed", sa.Boolean, nullable=False),
    _instant("expire_time", nullable=True),
    _instant("first_response_time", nullable=True),
    _instant("create_time"),
    _instant("update_time"),
    sa.Index(
        "uq_order_request_open",
        "buyer",
        "package",
        unique=True,
        postgresql_where=sa.text("state IN ('pending', 'info_requested', 'offered')"),
    ),
    sa.Index("ix_order_request_buyer_create_time_id", "buyer", "create_time", "id"),
    sa.Index("ix_order_request_buyer_state_create_time_id", "buyer", "state", "create_time", "id"),
    # What a page skips must lie elsewhere in the index, or a page costs as much as all that was dismissed.
    sa.Index("ix_order_request_seller_dismissed_create_time_id", "seller", "dismissed", "create_time", "id"),
    sa.Index(
        "ix_order_request_seller_state_dismissed_create_time_id",
        "seller",
        "state",
        "dismissed",
        "create_time",
        "id",
    ),
)

visit = sa.Table(
    "visit",
    METADATA,
    _text("listing", primary_key=True),
    sa.Column("day", sa.Date, primary_key=True, nullable=False),
    _text("buyer", primary_key=True),
    _text("id"),
    _text("seller"),
    _instant("time"),
    sa.Index("ix_visit_seller_time", "seller", "time"),
    sa.Index("ix_visit_buyer", "buyer"),
)

metric_fact = sa.Table(
    "metric_fact",
    METADATA,
    _text("source", primary_key=True),
    _version(primary_key=True),
    _text("kind"),
    _text("about"),
    _text("seller"),
    _text("listing"),
    _text("buyer"),
    _instant("time"),
    _document("detail"),
    sa.Index("ix_metric_fact_seller_kind_time", "seller", "kind", "time"),
)
"""What happened, one row for each version of a source. Rows are added, never changed."""


def _known(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=True)


metric_request = sa.Table(
    "metric_request",
    METADATA,
    _text("name", primary_key=True),
    _text("seller"),
    _text("listing"),
    _text("buyer"),
    _known("gate_reason"),
    sa.Column("settings_version", sa.BigInteger, nullable=True),
    _known("offer"),
    _known("order_name"),
    *(
        _instant(f"{moment}_time", nullable=True)
        for moment in ("submit", "response", "offer", "convert", "decline", "withdraw", "expire", "close")
    ),
    sa.Index("ix_metric_request_seller_submit_time", "seller", "submit_time"),
)
"""What the facts say of a request or an inquiry; derived from them by a trigger, and by `rebuild_metrics`."""

metric_order = sa.Table(
    "metric_order",
    METADATA,
    _text("name", primary_key=True),
    _text("seller"),
    _text("listing"),
    _text("buyer"),
    _known("order_request"),
    *(
        _instant(f"{moment}_time", nullable=True)
        for moment in ("place", "confirm", "cancel", "decline", "withdraw")
    ),
    sa.Index("ix_metric_order_seller_place_time", "seller", "place_time"),
)
"""What the facts say of an order; derived in the same way."""
