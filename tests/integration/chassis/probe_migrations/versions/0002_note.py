"""A second revision, so that there is a way up and a way down."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_note"
down_revision = "0001_base"


def upgrade() -> None:
    op.add_column("thing", sa.Column("note", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("thing", "note")
