"""The words of listings in every order of a list, beside the facets that a walk along them holds still."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

COLUMNS = ("state", "intake", "has_plan", "create_time", "currency", "lowest_price")
FACETS = ("seller", "word", "state", "intake", "has_plan")
FILL = """
UPDATE listing_word AS word
SET state = listing.state, intake = listing.intake, has_plan = listing.has_plan,
    create_time = listing.create_time, currency = listing.currency, lowest_price = listing.lowest_price
FROM listing
WHERE listing.seller = word.seller AND listing.listing_id = word.listing_id
"""


def upgrade() -> None:
    for column in (
        sa.Column("state", sa.Text),
        sa.Column("intake", sa.Text),
        sa.Column("has_plan", sa.Boolean),
        sa.Column("create_time", sa.DateTime(timezone=True)),
        sa.Column("currency", sa.Text),
        sa.Column("lowest_price", sa.BigInteger),
    ):
        op.add_column("listing_word", column)
    op.execute(FILL)
    for name in COLUMNS:
        op.alter_column("listing_word", name, nullable=False)
    op.drop_constraint("pk_listing_word", "listing_word")
    # A listing has one combination of facets at a time, so a word of it still stands there once.
    op.create_primary_key("pk_listing_word", "listing_word", [*FACETS, "listing_id"])
    op.create_index("ix_listing_word_create_time", "listing_word", [*FACETS, "create_time", "listing_id"])
    op.create_index(
        "ix_listing_word_price", "listing_word", [*FACETS, "currency", "lowest_price", "listing_id"]
    )


def downgrade() -> None:
    op.drop_index("ix_listing_word_price", "listing_word")
    op.drop_index("ix_listing_word_create_time", "listing_word")
    op.drop_constraint("pk_listing_word", "listing_word")
    op.create_primary_key("pk_listing_word", "listing_word", ["seller", "word", "listing_id"])
    for name in reversed(COLUMNS):
        op.drop_column("listing_word", name)
