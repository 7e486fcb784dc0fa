"""Settings of sellers for their offers, and the answers that they gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "offer_settings",
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("content", JSONB, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("seller", name="pk_offer_settings"),
        sa.CheckConstraint("version >= 0", name="ck_offer_settings_version"),
    )
    op.add_column("offer", sa.Column("automatic_answer", JSONB, nullable=True))


def downgrade() -> None:
    op.drop_column("offer", "automatic_answer")
    op.drop_table("offer_settings")
