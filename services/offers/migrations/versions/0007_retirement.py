"""Listings and packages that are not sold any more, and the open offers for a package."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column(
        "listing", sa.Column("retired", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb"))
    )
    op.add_column("listing", sa.Column("retire_time", sa.DateTime(timezone=True)))
    op.drop_constraint("ck_listing_state", "listing")
    op.create_check_constraint(
        "ck_listing_state", "listing", "state IN ('UNPUBLISHED', 'PUBLISHED', 'RETIRED')"
    )
    op.create_check_constraint(
        "ck_listing_retire_time", "listing", "(state = 'RETIRED') = (retire_time IS NOT NULL)"
    )
    op.create_check_constraint("ck_listing_retired", "listing", "jsonb_array_length(retired) <= 100")
    op.execute(
        "CREATE INDEX ix_offer_open_package ON offer (seller, (proposal #>> '{terms,package}'), offer_id) "
        "WHERE state = 'OPEN'"
    )


def downgrade() -> None:
    op.drop_index("ix_offer_open_package", "offer")
    op.drop_constraint("ck_listing_retired", "listing")
    op.drop_constraint("ck_listing_retire_time", "listing")
    op.drop_constraint("ck_listing_state", "listing")
    # What was retired stays out of sight, which is the nearest to it that is left.
    op.execute("UPDATE listing SET state = 'UNPUBLISHED', published = false WHERE state = 'RETIRED'")
    op.create_check_constraint("ck_listing_state", "listing", "state IN ('UNPUBLISHED', 'PUBLISHED')")
    op.drop_column("listing", "retire_time")
    op.drop_column("listing", "retired")
