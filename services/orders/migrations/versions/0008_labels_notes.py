"""Labels and notes of the seller's team."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "orders", sa.Column("labels", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'"))
    )
    op.create_table(
        "order_label",
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seller", "label", "order_id", name="pk_order_label"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_label_order_id_orders"),
    )
    op.create_index("ix_order_label_order_id", "order_label", ["order_id"])
    op.create_table(
        "order_note",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_order_note"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_note_order_id_orders"),
        sa.CheckConstraint("text <> ''", name="ck_order_note_text"),
    )
    op.create_index("ix_order_note_order_id", "order_note", ["order_id", "create_time", "id"])
    op.create_index("ix_order_note_seller_author", "order_note", ["seller", "author", "create_time"])
    op.create_index("ix_order_note_seller_create_time", "order_note", ["seller", "create_time"])


def downgrade() -> None:
    op.drop_table("order_note")
    op.drop_table("order_label")
    op.drop_column("orders", "labels")
