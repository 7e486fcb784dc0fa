"""Visits, the record of facts, and what is derived from it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

# One derivation for both: of the facts that a statement just added, and of all facts of a seller. Each column
# is the least or the greatest of what was told, so that the order in which facts come in does not matter.
DERIVE_REQUESTS = """
INSERT INTO metric_request AS held
SELECT about, max(seller), max(listing), max(buyer), max(detail ->> 'gate_reason'),
    max((detail ->> 'settings_version')::bigint), max(detail ->> 'offer'), max(detail ->> 'order'),
    min(time) FILTER (WHERE kind IN ('request_submitted', 'inquiry_started')),
    min(coalesce((detail ->> 'response_time')::timestamptz, CASE WHEN kind IN ('seller_wrote',
        'request_information_asked', 'request_declined', 'request_offered', 'request_converted')
        THEN time END)),
    min(time) FILTER (WHERE kind IN ('request_offered', 'request_converted')),
    min(time) FILTER (WHERE kind = 'request_converted'),
    min(time) FILTER (WHERE kind = 'request_declined'),
    min(time) FILTER (WHERE kind = 'request_withdrawn'),
    min(time) FILTER (WHERE kind = 'request_expired'),
    min(time) FILTER (WHERE kind = 'request_closed')
FROM <facts> AS fact
WHERE about LIKE 'orderRequests/%' OR about LIKE 'conversations/%'
GROUP BY about
ON CONFLICT (name) DO UPDATE SET
    listing = greatest(held.listing, excluded.listing),
    gate_reason = greatest(held.gate_reason, excluded.gate_reason),
    settings_version = greatest(held.settings_version, excluded.settings_version),
    offer = greatest(held.offer, excluded.offer),
    order_name = greatest(held.order_name, excluded.order_name),
    submit_time = least(held.submit_time, excluded.submit_time),
    response_time = least(held.response_time, excluded.response_time),
    offer_time = least(held.offer_time, excluded.offer_time),
    convert_time = least(held.convert_time, excluded.convert_time),
    decline_time = least(held.decline_time, excluded.decline_time),
    withdraw_time = least(held.withdraw_time, excluded.withdraw_time),
    expire_time = least(held.expire_time, excluded.expire_time),
    close_time = least(held.close_time, excluded.close_time);
"""
DERIVE_ORDERS = """
INSERT INTO metric_order AS held
SELECT about, max(seller), max(listing), max(buyer), max(detail ->> 'order_request'),
    min(time),
    min((detail ->> 'confirm_time')::timestamptz),
    min(time) FILTER (WHERE kind = 'order_cancelled'),
    min(time) FILTER (WHERE kind = 'order_declined'),
    min(time) FILTER (WHERE kind = 'order_withdrawn')
FROM <facts> AS fact
WHERE about LIKE 'orders/%'
GROUP BY about
ON CONFLICT (name) DO UPDATE SET
    listing = greatest(held.listing, excluded.listing),
    order_request = greatest(held.order_request, excluded.order_request),
    place_time = least(held.place_time, excluded.place_time),
    confirm_time = least(held.confirm_time, excluded.confirm_time),
    cancel_time = least(held.cancel_time, excluded.cancel_time),
    decline_time = least(held.decline_time, excluded.decline_time),
    withdraw_time = least(held.withdraw_time, excluded.withdraw_time);
"""
DERIVE = DERIVE_REQUESTS + DERIVE_ORDERS

# A trigger, not a statement of the service: whoever adds a fact, the figures follow.
FOLLOW = """
CREATE FUNCTION follow_metric_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    <derive>
    RETURN NULL;
END $$
"""
REBUILD = """
CREATE FUNCTION rebuild_metrics(whose text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM metric_request WHERE seller = whose;
    DELETE FROM metric_order WHERE seller = whose;
    <derive>
END $$
"""
OF_SELLER = "(SELECT * FROM metric_fact WHERE seller = whose)"

# What is known of the time before facts were kept. A request's last state stands for all that led to it.
KEEP_SETTINGS = """
INSERT INTO metric_fact
SELECT seller || '/orderSettings', version, 'settings_saved', seller || '/orderSettings', seller, '', '',
    save_time, jsonb_build_object('settings_version', version, 'enabled', document -> 'enabled')
FROM order_settings_version
"""
KEEP_SUBMISSIONS = """
INSERT INTO metric_fact
SELECT 'orderRequests/' || id, 1, 'request_submitted', 'orderRequests/' || id, seller,
    split_part(package, '/packages/', 1), buyer, create_time,
    jsonb_build_object('gate_reason', decision -> 'reason',
        'settings_version', decision -> 'settings_version')
FROM order_request
"""
KEEP_STATES = """
INSERT INTO metric_fact
SELECT 'orderRequests/' || id, version, CASE state WHEN 'pending' THEN 'request_reopened'
    WHEN 'info_requested' THEN 'request_information_asked' ELSE 'request_' || state END,
    'orderRequests/' || id, seller, split_part(package, '/packages/', 1), buyer, update_time,
    jsonb_strip_nulls(jsonb_build_object('gate_reason', decision -> 'reason',
        'settings_version', decision -> 'settings_version', 'response_time', first_response_time,
        'offer', nullif(offer, ''), 'order', nullif(order_name, '')))
FROM order_request WHERE version > 1
"""
KEEP_ORDERS = """
INSERT INTO metric_fact
SELECT name, 0, 'order_confirmed', name, seller, '', buyer, confirm_time,
    jsonb_build_object('confirm_time', confirm_time)
FROM confirmed_order
"""


def upgrade() -> None:
    _create_record()
    _create_derived()
    op.execute(FOLLOW.replace("<derive>", DERIVE.replace("<facts>", "fresh")))
    op.execute(REBUILD.replace("<derive>", DERIVE.replace("<facts>", OF_SELLER)))
    op.execute(
        "CREATE TRIGGER follow_metric_facts AFTER INSERT ON metric_fact REFERENCING NEW TABLE AS fresh "
        "FOR EACH STATEMENT EXECUTE FUNCTION follow_metric_facts()"
    )
    for statement in (KEEP_SETTINGS, KEEP_SUBMISSIONS, KEEP_STATES, KEEP_ORDERS):
        op.execute(statement)


def downgrade() -> None:
    for table in ("metric_fact", "metric_order", "metric_request", "visit"):
        op.drop_table(table)
    op.execute("DROP FUNCTION rebuild_metrics(text)")
    op.execute("DROP FUNCTION follow_metric_facts()")


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _create_record() -> None:
    op.create_table(
        "visit",
        _text("listing"),
        sa.Column("day", sa.Date, nullable=False),
        _text("buyer"),
        _text("id"),
        _text("seller"),
        _instant("time"),
        _key("visit", "listing", "day", "buyer"),
    )
    op.create_index("ix_visit_seller_time", "visit", ["seller", "time"])
    op.create_table(
        "metric_fact",
        _text("source"),
        sa.Column("version", sa.BigInteger, nullable=False),
        _text("kind"),
        _text("about"),
        _text("seller"),
        _text("listing"),
        _text("buyer"),
        _instant("time"),
        sa.Column("detail", JSONB, nullable=False),
        _key("metric_fact", "source", "version"),
    )
    op.create_index("ix_metric_fact_seller_kind_time", "metric_fact", ["seller", "kind", "time"])


def _create_derived() -> None:
    op.create_table(
        "metric_request",
        _text("name"),
        _text("seller"),
        _text("listing"),
        _text("buyer"),
        _text("gate_reason", nullable=True),
        sa.Column("settings_version", sa.BigInteger, nullable=True),
        _text("offer", nullable=True),
        _text("order_name", nullable=True),
        *(
            _instant(f"{moment}_time", nullable=True)
            for moment in ("submit", "response", "offer", "convert", "decline", "withdraw", "expire", "close")
        ),
        _key("metric_request", "name"),
    )
    op.create_index("ix_metric_request_seller_submit_time", "metric_request", ["seller", "submit_time"])
    op.create_table(
        "metric_order",
        _text("name"),
        _text("seller"),
        _text("listing"),
        _text("buyer"),
        _text("order_request", nullable=True),
        *(
            _instant(f"{moment}_time", nullable=True)
            for moment in ("place", "confirm", "cancel", "decline", "withdraw")
        ),
        _key("metric_order", "name"),
    )
    op.create_index("ix_metric_order_seller_place_time", "metric_order", ["seller", "place_time"])
