"""Which orders exist and which of them are open: a gate may close at a number of open orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Only what changes the number is noted, and under a name of its own: an order must not make every replica
# load the seller's settings again.
NOTE = """
CREATE FUNCTION note_open_orders_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO gate_change (subject, buyer) VALUES (coalesce(NEW.seller, OLD.seller) || '/openOrders', '');
    RETURN NULL;
END $$
"""
TRIGGERS = (
    ("note_order_opened", "INSERT", "NEW.is_open"),
    ("note_order_changed", "UPDATE", "OLD.is_open <> NEW.is_open"),
    ("note_order_gone", "DELETE", "OLD.is_open"),
)

# What was confirmed before is open as far as anybody knows. Version 0: any event about it is news.
BACKFILL = (
    "INSERT INTO known_order (name, version, seller, buyer, package, intake, is_open) "
    "SELECT name, 0, seller, buyer, '', '', true FROM confirmed_order"
)


def upgrade() -> None:
    op.create_table(
        "known_order",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("buyer", sa.Text, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("intake", sa.Text, nullable=False),
        sa.Column("place_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_known_order"),
    )
    op.execute(BACKFILL)
    op.create_index("ix_known_order_open", "known_order", ["seller"], postgresql_where=sa.text("is_open"))
    op.create_index("ix_known_order_seller_place_time", "known_order", ["seller", "place_time"])
    op.execute(NOTE)
    for name, happening, condition in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {happening} ON known_order "
            f"FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION note_open_orders_change()"
        )


def downgrade() -> None:
    op.drop_table("known_order")
    op.execute("DROP FUNCTION note_open_orders_change()")
