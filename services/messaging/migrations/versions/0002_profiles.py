"""Profiles, and the teams to which people belong."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates them."""
    op.create_table(
        "profile",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_state", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("choices", JSONB(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True)),
        sa.Column("update_time", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_profile"),
        sa.CheckConstraint(
            "email_state in ('none', 'unverified', 'verified', 'bounced')",
            name=op.f("ck_profile_email_state"),
        ),
        sa.CheckConstraint("(email = '') = (email_state = 'none')", name=op.f("ck_profile_email")),
    )
    op.create_table(
        "team_member",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("seller", sa.Text(), nullable=False),
        sa.Column("show_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member", "seller", name="pk_team_member"),
    )
    op.create_index("ix_team_member_seller", "team_member", ["seller"])


def downgrade() -> None:
    """Removes them."""
    op.drop_table("team_member")
    op.drop_table("profile")
