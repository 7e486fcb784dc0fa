"""Drafts that wait for the owner's approval."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

_STATES = "'DRAFT', 'OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'EXPIRED'"


def upgrade() -> None:
    op.add_column("offer", sa.Column("review", JSONB, nullable=True))
    _replace_checks(f"{_STATES}, 'IN_REVIEW'", "'DRAFT', 'IN_REVIEW'")


def downgrade() -> None:
    # What waits for the owner is a draft to those who know no review.
    op.execute("UPDATE offer SET state = 'DRAFT' WHERE state = 'IN_REVIEW'")
    _replace_checks(_STATES, "'DRAFT'")
    op.drop_column("offer", "review")


def _replace_checks(states: str, unsent: str) -> None:
    sent = (
        f"CASE WHEN state IN ({unsent}) THEN first_sent IS NULL WHEN state = 'WITHDRAWN' THEN true "
        "ELSE first_sent IS NOT NULL END"
    )
    for name, check in (("ck_offer_state", f"state IN ({states})"), ("ck_offer_sent", sent)):
        op.drop_constraint(name, "offer")
        op.create_check_constraint(name, "offer", check)
