"""Keeps who saved a version of the settings. Of versions before this nobody knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # A constant default rewrites no row.
    op.add_column(
        "order_settings_version", sa.Column("author", sa.Text, nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    op.drop_column("order_settings_version", "author")
