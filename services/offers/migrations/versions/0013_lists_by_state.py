"""Indexes that keep a list of some states, and what answers one origin, as fast as its page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

AGE = ("create_time", "offer_id")


def upgrade() -> None:
    op.create_index("ix_offer_seller_state", "offer", ["seller", "state", *AGE])
    op.create_index(
        "ix_offer_buyer_state",
        "offer",
        ["buyer", "state", *AGE],
        postgresql_where=sa.text("first_sent IS NOT NULL"),
    )
    op.drop_index("ix_offer_origin", "offer")
    op.create_index("ix_offer_origin", "offer", ["origin", *AGE])


def downgrade() -> None:
    op.drop_index("ix_offer_origin", "offer")
    op.create_index("ix_offer_origin", "offer", ["origin"])
    for side in ("buyer", "seller"):
        op.drop_index(f"ix_offer_{side}_state", "offer")
