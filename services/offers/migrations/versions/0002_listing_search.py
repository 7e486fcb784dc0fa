"""Columns, words and indexes by which listings are searched."""

from __future__ import annotations

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BATCH_LISTINGS = 1_000

# What a list is ordered by, behind the facets that a walk along the index holds still.
ORDERS = {
    "name": ("listing_id",),
    "create_time": ("create_time", "listing_id"),
    "price": ("currency", "lowest_price", "listing_id"),
}
FILL = """
UPDATE listing SET
    state = CASE WHEN published THEN 'PUBLISHED' ELSE 'UNPUBLISHED' END,
    has_plan = jsonb_path_exists(packages, '$[*].plan ? (@ != null)'),
    currency = packages #>> '{0,price,currency}',
    lowest_price = (SELECT min((package #>> '{price,amount}')::bigint)
                    FROM jsonb_array_elements(packages) AS package)
"""
NEXT = sa.text(
    "SELECT seller, listing_id, title, description FROM listing "
    "WHERE (seller, listing_id) > (:seller, :listing_id) ORDER BY seller, listing_id LIMIT :size"
)
ADD = sa.text("INSERT INTO listing_word (seller, word, listing_id) VALUES (:seller, :word, :listing_id)")


def upgrade() -> None:
    for column in (
        sa.Column("state", sa.Text),
        sa.Column("has_plan", sa.Boolean),
        sa.Column("currency", sa.Text),
        sa.Column("lowest_price", sa.BigInteger),
    ):
        op.add_column("listing", column)
    op.execute(FILL)
    for name in ("state", "has_plan", "currency", "lowest_price"):
        op.alter_column("listing", name, nullable=False)
    op.create_check_constraint("ck_listing_state", "listing", "state IN ('UNPUBLISHED', 'PUBLISHED')")
    op.create_check_constraint("ck_listing_lowest_price", "listing", "lowest_price >= 0")
    for name, order in ORDERS.items():
        op.create_index(f"ix_listing_{name}", "listing", ["seller", "state", "intake", "has_plan", *order])
    op.create_table(
        "listing_word",
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("word", sa.Text(collation="C"), nullable=False),
        sa.Column("listing_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("seller", "word", "listing_id", name="pk_listing_word"),
    )
    _fill_words()


def downgrade() -> None:
    op.drop_table("listing_word")
    for name in ORDERS:
        op.drop_index(f"ix_listing_{name}", "listing")
    for name in ("lowest_price", "state"):
        op.drop_constraint(f"ck_listing_{name}", "listing")
    for name in ("lowest_price", "currency", "has_plan", "state"):
        op.drop_column("listing", name)


def _fill_words() -> None:
    """The rules as they were when this was written; a listing that is saved again follows newer ones."""
    connection, seller, listing_id = op.get_bind(), "", ""
    while rows := connection.execute(
        NEXT, {"seller": seller, "listing_id": listing_id, "size": BATCH_LISTINGS}
    ).all():
        found = [
            {"seller": row.seller, "word": word, "listing_id": row.listing_id}
            for row in rows
            for word in _words(f"{row.title}\n{row.description}")
        ]
        if found:
            connection.execute(ADD, found)
        seller, listing_id = rows[-1].seller, rows[-1].listing_id


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in decomposed if not unicodedata.combining(each)).casefold()
    return list(dict.fromkeys(word[:40] for word in re.findall(r"[^\W_]+", plain)))[:300]
