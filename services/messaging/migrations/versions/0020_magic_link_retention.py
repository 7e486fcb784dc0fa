"""Links of mails are forgotten by their time, whether their people get another one or not."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the index that the retention reads."""
    op.create_index("ix_magic_link_create_time", "magic_link", ["create_time"])


def downgrade() -> None:
    """Removes it."""
    op.drop_index("ix_magic_link_create_time", table_name="magic_link")
