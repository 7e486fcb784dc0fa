"""The buyer's wish for a new quote, beside the offer that expired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("offer", sa.Column("new_quote", JSONB, nullable=True))


def downgrade() -> None:
    op.drop_column("offer", "new_quote")
