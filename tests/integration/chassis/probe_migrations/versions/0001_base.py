"""The tables of the chassis, and one of the probe's own for each way in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chassis import schema

revision = "0001_base"
down_revision = None


def upgrade() -> None:
    schema.create(op)
    for table in ("thing", "heard", "reminded"):
        op.create_table(table, sa.Column("name", sa.Text, primary_key=True))


def downgrade() -> None:
    for table in ("thing", "heard", "reminded"):
        op.drop_table(table)
    schema.drop(op)
