"""What sellers sold, added up as orders change, so that no question has to read all orders."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_MEASURES: Final = (
    "orders",
    "value",
    "cancelled_orders",
    "cancelled_value",
    "paid_orders",
    "paid_value",
    "refunded_orders",
    "refunded_value",
)
_NAMES: Final = ", ".join(_MEASURES)

# The one place that says what an order counts for, and in which quarter of an hour: every zone's midnight
# falls between two of them. Empty reason: it counts; else why it does not.
_SALE: Final = """
CREATE FUNCTION sale_of(o orders) RETURNS TABLE (seller text, listing text, currency text, slot timestamptz,
    reason text, orders bigint, value bigint, cancelled_orders bigint, cancelled_value bigint,
    paid_orders bigint, paid_value bigint, refunded_orders bigint, refunded_value bigint)
LANGUAGE sql IMMUTABLE AS $$
SELECT o.seller, split_part(o.package, '/packages/', 1), o.currency,
    date_bin('15 minutes', coalesce(o.confirm_time, o.create_time), '2000-01-01 00:00:00+00'),
    excluded.reason, 1::bigint, amount.counted,
    (o.state = 'CANCELLED' AND counts)::int::bigint,
    CASE WHEN o.state = 'CANCELLED' THEN amount.counted ELSE 0::bigint END,
    (o.payment_state = 'PAID' AND counts)::int::bigint,
    CASE WHEN o.payment_state = 'PAID' THEN amount.counted ELSE 0::bigint END,
    (o.refunded > 0 AND counts)::int::bigint, CASE WHEN counts THEN o.refunded ELSE 0::bigint END
FROM (SELECT CASE WHEN o.confirm_time IS NOT NULL THEN
        CASE WHEN o.price_agreed_elsewhere THEN 'PRICE_AGREED_ELSEWHERE' ELSE '' END
        WHEN o.state IN ('DECLINED', 'WITHDRAWN') THEN o.state ELSE 'UNDECIDED' END) AS excluded (reason),
    LATERAL (SELECT excluded.reason = '') AS judged (counts),
    LATERAL (SELECT CASE WHEN counts THEN o.total ELSE 0::bigint END) AS amount (counted)
$$
"""
# Changes are added beside each other and folded into the sums later: sums that every order of a seller had to
# add to would let one order wait for the other.
_FOLLOW: Final = """
CREATE FUNCTION follow_sales() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO sales_change (seller, listing, currency, slot, reason, <names>)
        SELECT * FROM sale_of(NEW);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO sales_change (seller, listing, currency, slot, reason, <names>)
        SELECT seller, listing, currency, slot, reason, <negative> FROM sale_of(OLD);
    END IF;
    RETURN NULL;
END $$
"""
_KNOWN: Final = """
INSERT INTO sales_change (seller, listing, currency, slot, reason, <names>)
SELECT sale.* FROM orders, sale_of(orders) AS sale
"""
_INPUTS: Final = (
    "seller",
    "package",
    "currency",
    "total",
    "state",
    "payment_state",
    "create_time",
    "confirm_time",
    "refunded",
    "price_agreed_elsewhere",
)
_ADDED: Final = """
CREATE TRIGGER follow_sales AFTER INSERT OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION follow_sales()
"""
_CHANGED: Final = """
CREATE TRIGGER follow_changed_sales AFTER UPDATE OF <inputs> ON orders FOR EACH ROW
WHEN ((<old>) IS DISTINCT FROM (<new>)) EXECUTE FUNCTION follow_sales()
"""
_CANCELLED: Final = "state = 'CANCELLED' AND NOT price_agreed_elsewhere"
_REFUNDED: Final = "refunded > 0"
_EXCLUDED: Final = "confirm_time IS NULL OR price_agreed_elsewhere"


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("listing", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _MEASURES),
    )


def upgrade() -> None:
    op.create_table(
        "sales_change",
        sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()")),
        *_columns(),
        sa.PrimaryKeyConstraint("seller", "id", name="pk_sales_change"),
    )
    # By listing first: a chart of one listing, or of all together ('*'), reads nothing else.
    op.create_table(
        "sales_quarter",
        *_columns(),
        sa.PrimaryKeyConstraint("seller", "listing", "slot", "currency", "reason", name="pk_sales_quarter"),
    )
    op.create_index("ix_sales_quarter_seller_slot", "sales_quarter", ["seller", "slot"])
    # By time first: all listings of a time.
    op.create_table(
        "sales_day",
        *_columns(),
        sa.PrimaryKeyConstraint("seller", "slot", "listing", "currency", "reason", name="pk_sales_day"),
    )
    op.create_index(
        "ix_orders_sale", "orders", ["seller", sa.text("coalesce(confirm_time, create_time)"), "id"]
    )
    # The few that are looked for among many.
    for name, condition in (
        ("cancelled", _CANCELLED),
        ("refunded", _REFUNDED),
        ("excluded", _EXCLUDED),
    ):
        op.create_index(
            f"ix_orders_sale_{name}",
            "orders",
            ["seller", sa.text("coalesce(confirm_time, create_time)"), "id"],
            postgresql_where=sa.text(condition),
        )
    op.execute(_SALE)
    negative = ", ".join(f"-{name}" for name in _MEASURES)
    op.execute(_FOLLOW.replace("<names>", _NAMES).replace("<negative>", negative))
    op.execute(_ADDED)
    changed = _CHANGED.replace("<inputs>", ", ".join(_INPUTS))
    for row in ("OLD", "NEW"):
        changed = changed.replace(f"<{row.lower()}>", ", ".join(f"{row}.{name}" for name in _INPUTS))
    op.execute(changed)
    # The service folds them when it runs.
    op.execute(_KNOWN.replace("<names>", _NAMES))


def downgrade() -> None:
    op.execute("DROP TRIGGER follow_changed_sales ON orders")
    op.execute("DROP TRIGGER follow_sales ON orders")
    op.execute("DROP FUNCTION follow_sales()")
    op.execute("DROP FUNCTION sale_of(orders)")
    for name in (
        "ix_orders_sale_excluded",
        "ix_orders_sale_refunded",
        "ix_orders_sale_cancelled",
        "ix_orders_sale",
    ):
        op.drop_index(name, "orders")
    for table in ("sales_day", "sales_quarter", "sales_change"):
        op.drop_table(table)
