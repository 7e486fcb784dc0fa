"""Products and services, a facet like the others: it stands before the order in every index of a list."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

OF_LISTING = ("seller", "state", "intake", "has_plan")
OF_WORD = ("seller", "word", "state", "intake", "has_plan")
ORDERS = {
    "name": ("listing_id",),
    "create_time": ("create_time", "listing_id"),
    "price": ("currency", "lowest_price", "listing_id"),
}


def upgrade() -> None:
    # Whatever was there before is a service; a constant default rewrites no row.
    for table in ("listing", "listing_word"):
        op.add_column(table, sa.Column("kind", sa.Text, nullable=False, server_default="SERVICE"))
    op.create_check_constraint("ck_listing_kind", "listing", "kind IN ('SERVICE', 'PRODUCT')")
    _index((*OF_LISTING, "kind"), (*OF_WORD, "kind"))


def downgrade() -> None:
    _index(OF_LISTING, OF_WORD)
    op.drop_constraint("ck_listing_kind", "listing")
    for table in ("listing_word", "listing"):
        op.drop_column(table, "kind")


def _index(of_listing: Sequence[str], of_word: Sequence[str]) -> None:
    for name, order in ORDERS.items():
        op.drop_index(f"ix_listing_{name}", "listing")
        op.create_index(f"ix_listing_{name}", "listing", [*of_listing, *order])
        if name != "name":
            op.drop_index(f"ix_listing_word_{name}", "listing_word")
            op.create_index(f"ix_listing_word_{name}", "listing_word", [*of_word, *order])
    op.drop_constraint("pk_listing_word", "listing_word")
    op.create_primary_key("pk_listing_word", "listing_word", [*of_word, "listing_id"])
