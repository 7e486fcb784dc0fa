"""The rules under which a request came: when the seller is reminded, and whether he may offer again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Constant defaults rewrite no row. Requests that are there already get no reminders.
    op.add_column(
        "order_request",
        sa.Column("reminder_points", JSONB, nullable=False, server_default=sa.text("'[]'")),
    )
    op.add_column(
        "order_request", sa.Column("reminders", sa.SmallInteger, nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "order_request",
        sa.Column("reoffer_policy", sa.Text, nullable=False, server_default=sa.text("'ALLOW'")),
    )
    op.create_check_constraint(
        "ck_order_request_reoffer_policy", "order_request", "reoffer_policy IN ('ALLOW', 'CLOSE')"
    )


def downgrade() -> None:
    for column in ("reoffer_policy", "reminders", "reminder_points"):
        op.drop_column("order_request", column)
