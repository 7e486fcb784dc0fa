"""What subscriptions bring is part of the figures of sales, added up as the orders are."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from chassis import audit
from chassis.audit import Followed

revision = "0020"
down_revision = "0019"

_MEASURES: Final = (
    "renewals",
    "renewal_value",
    "paid_renewals",
    "paid_renewal_value",
    "refunded_renewals",
    "refunded_renewal_value",
)
_NAMES: Final = ", ".join(_MEASURES)
_SUMS: Final = ("sales_change", "sales_quarter", "sales_day")

# The one place that says what a charge of a subscription counts for: nothing once it was called off.
_RENEWAL: Final = """
CREATE FUNCTION renewal_of(p payment) RETURNS TABLE (seller text, listing text, currency text,
    slot timestamptz, reason text, renewals bigint, renewal_value bigint, paid_renewals bigint,
    paid_renewal_value bigint, refunded_renewals bigint, refunded_renewal_value bigint)
LANGUAGE sql STABLE AS $$
SELECT p.seller, split_part(s.package, '/packages/', 1), p.currency,
    date_bin('15 minutes', p.create_time, '2000-01-01 00:00:00+00'), '', 1::bigint, p.amount,
    (p.state = 'CAPTURED')::int::bigint, CASE WHEN p.state = 'CAPTURED' THEN p.amount ELSE 0::bigint END,
    (p.refunded > 0)::int::bigint, p.refunded
FROM subscription AS s WHERE s.id = p.subscription_id AND p.state <> 'VOIDED'
$$
"""
_FOLLOW: Final = """
CREATE FUNCTION follow_renewals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO sales_change (seller, listing, currency, slot, reason, <all>)
        SELECT seller, listing, currency, slot, reason, <nothing>, <names> FROM renewal_of(NEW);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO sales_change (seller, listing, currency, slot, reason, <all>)
        SELECT seller, listing, currency, slot, reason, <nothing>, <negative> FROM renewal_of(OLD);
    END IF;
    RETURN NULL;
END $$
"""
_ADDED: Final = """
CREATE TRIGGER follow_added_renewals AFTER INSERT ON payment FOR EACH ROW
WHEN (NEW.subscription_id IS NOT NULL) EXECUTE FUNCTION follow_renewals()
"""
_REMOVED: Final = """
CREATE TRIGGER follow_removed_renewals AFTER DELETE ON payment FOR EACH ROW
WHEN (OLD.subscription_id IS NOT NULL) EXECUTE FUNCTION follow_renewals()
"""
_CHANGED: Final = """
CREATE TRIGGER follow_changed_renewals AFTER UPDATE OF state, refunded ON payment FOR EACH ROW
WHEN (NEW.subscription_id IS NOT NULL
    AND ((OLD.state = 'CAPTURED', OLD.state = 'VOIDED', OLD.refunded)
        IS DISTINCT FROM (NEW.state = 'CAPTURED', NEW.state = 'VOIDED', NEW.refunded)))
EXECUTE FUNCTION follow_renewals()
"""
_KNOWN: Final = """
INSERT INTO sales_change (seller, listing, currency, slot, reason, <all>)
SELECT renewal.seller, renewal.listing, renewal.currency, renewal.slot, renewal.reason, <nothing>, <names>
FROM payment, LATERAL renewal_of(payment) AS renewal WHERE payment.subscription_id IS NOT NULL
"""
_REFUNDED: Final = """
UPDATE payment SET refunded = back.amount FROM (
    SELECT payment_id, sum(amount) AS amount FROM payment_refund WHERE state = 'SUCCEEDED' GROUP BY payment_id
) AS back WHERE back.payment_id = payment.id
"""
_OF_ORDERS: Final = (
    "orders",
    "value",
    "cancelled_orders",
    "cancelled_value",
    "paid_orders",
    "paid_value",
    "refunded_orders",
    "refunded_value",
)
_OWNER: Final = "coalesce('orders/' || {row}.order_id, 'subscriptions/' || {row}.subscription_id)"


def _payment(*ignored: str) -> Followed:
    return Followed(
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
            *ignored,
        ),
    )


def upgrade() -> None:
    # Both follow from the refunds, which are recorded themselves.
    audit.follow(op, _payment("reserved", "refunded"))
    op.add_column(
        "payment", sa.Column("refunded", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
    op.execute(_REFUNDED)
    op.create_check_constraint("ck_payment_refunded", "payment", "refunded BETWEEN 0 AND reserved")
    for table in _SUMS:
        for name in _MEASURES:
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.create_index(
        "ix_payment_renewal",
        "payment",
        ["seller", "create_time", "id"],
        postgresql_where=sa.text("subscription_id IS NOT NULL"),
    )
    for statement in (_RENEWAL, _FOLLOW, _ADDED, _REMOVED, _CHANGED, _KNOWN):
        op.execute(_filled(statement))


def downgrade() -> None:
    for which in ("added", "removed", "changed"):
        op.execute(f"DROP TRIGGER follow_{which}_renewals ON payment")
    op.execute("DROP FUNCTION follow_renewals()")
    op.execute("DROP FUNCTION renewal_of(payment)")
    op.drop_index("ix_payment_renewal", "payment")
    for table in _SUMS:
        for name in reversed(_MEASURES):
            op.drop_column(table, name)
    audit.follow(op, _payment())
    op.drop_constraint("ck_payment_refunded", "payment")
    op.drop_column("payment", "refunded")


def _filled(statement: str) -> str:
    parts = {
        "all": ", ".join((*_OF_ORDERS, *_MEASURES)),
        "nothing": ", ".join("0" for _ in _OF_ORDERS),
        "names": _NAMES,
        "negative": ", ".join(f"-{name}" for name in _MEASURES),
    }
    for name, part in parts.items():
        statement = statement.replace(f"<{name}>", part)
    return statement
