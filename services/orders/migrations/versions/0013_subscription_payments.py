"""The payments of a subscription are listed in the order in which they became due, page by page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_index(
        "ix_payment_subscription",
        "payment",
        ["subscription_id", "create_time", "id"],
        postgresql_where=sa.text("subscription_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_payment_subscription", "payment")
