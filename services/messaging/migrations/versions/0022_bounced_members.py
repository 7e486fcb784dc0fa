"""Which members of a seller's team no mail could tell of a message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.add_column("timeline_entry", sa.Column("bounced_members", ARRAY(sa.Text())))


def downgrade() -> None:
    """Removes them."""
    op.drop_column("timeline_entry", "bounced_members")
