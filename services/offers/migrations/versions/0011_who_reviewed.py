"""What somebody wrote about an offer of his team is found by him, when it is to be handed out or erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_WRITERS = ("submitter", "reviewer")


def upgrade() -> None:
    for writer in _WRITERS:
        op.create_index(
            f"ix_offer_{writer}",
            "offer",
            [sa.text(f"(review ->> '{writer}')")],
            postgresql_where=sa.text("review IS NOT NULL"),
        )


def downgrade() -> None:
    for writer in _WRITERS:
        op.drop_index(f"ix_offer_{writer}", "offer")
