"""Payments of subscriptions beside those of orders, and whose money each of them is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("payment", sa.Column("subscription_id", sa.Text))
    op.add_column("payment", sa.Column("seller", sa.Text))
    op.add_column("payment", sa.Column("buyer", sa.Text))
    op.add_column(
        "payment", sa.Column("sequence", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
    op.alter_column("payment", "sequence", server_default=None)
    op.execute(
        "UPDATE payment SET seller = orders.seller, buyer = orders.buyer "
        "FROM orders WHERE orders.id = payment.order_id"
    )
    op.alter_column("payment", "seller", nullable=False)
    op.alter_column("payment", "buyer", nullable=False)
    op.alter_column("payment", "order_id", nullable=True)
    op.create_check_constraint("ck_payment_owner", "payment", "num_nonnulls(order_id, subscription_id) = 1")
    op.drop_constraint("ck_payment_purpose", "payment")
    op.create_check_constraint(
        "ck_payment_purpose",
        "payment",
        "(purpose = 'ORDER_TOTAL' AND order_id IS NOT NULL AND sequence = 0) OR "
        "(purpose IN ('SUBSCRIPTION_PERIOD', 'PLAN_CHANGE') AND subscription_id IS NOT NULL "
        "AND sequence > 0)",
    )
    # Still the last line against a second charge: one payment for each purpose of an owner, forever.
    op.drop_constraint("uq_payment_order_id", "payment")
    op.create_unique_constraint("uq_payment_order_id", "payment", ["order_id", "purpose", "sequence"])
    op.create_unique_constraint(
        "uq_payment_subscription_id", "payment", ["subscription_id", "purpose", "sequence"]
    )


def downgrade() -> None:
    op.execute(
        "DELETE FROM payment_attempt WHERE payment_id IN (SELECT id FROM payment WHERE order_id IS NULL)"
    )
    op.execute("DELETE FROM payment WHERE order_id IS NULL")
    op.drop_constraint("uq_payment_subscription_id", "payment")
    op.drop_constraint("uq_payment_order_id", "payment")
    op.create_unique_constraint("uq_payment_order_id", "payment", ["order_id", "purpose"])
    op.drop_constraint("ck_payment_purpose", "payment")
    op.create_check_constraint("ck_payment_purpose", "payment", "purpose IN ('ORDER_TOTAL')")
    op.drop_constraint("ck_payment_owner", "payment")
    op.alter_column("payment", "order_id", nullable=False)
    for column in ("sequence", "buyer", "seller", "subscription_id"):
        op.drop_column("payment", column)
