"""Templates of sellers for their offers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "offer_template",
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("template_id", sa.Text(collation="C"), nullable=False),
        sa.Column("content", JSONB, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seller", "template_id", name="pk_offer_template"),
        sa.CheckConstraint("version >= 1", name="ck_offer_template_version"),
    )


def downgrade() -> None:
    op.drop_table("offer_template")
