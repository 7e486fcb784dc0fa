"""Why an operator decided what became of a charge or a refund."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("payment_attempt", "payment_refund"):
        op.add_column(table, sa.Column("note", sa.Text, nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    for table in ("payment_refund", "payment_attempt"):
        op.drop_column(table, "note")
