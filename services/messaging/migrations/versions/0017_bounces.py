"""Which recipients of a message no mail could tell of it, and which addresses mails come back from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.add_column("timeline_entry", sa.Column("bounced", ARRAY(sa.Text())))
    op.create_index(
        "ix_profile_bounced",
        "profile",
        [sa.text("lower(email)")],
        postgresql_where=sa.text("email_state = 'bounced'"),
    )


def downgrade() -> None:
    """Removes them."""
    op.drop_index("ix_profile_bounced", table_name="profile")
    op.drop_column("timeline_entry", "bounced")
