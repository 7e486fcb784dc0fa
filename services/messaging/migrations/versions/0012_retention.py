"""Deliveries are listed and forgotten by their time, mails forgotten by theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the indexes that the lists and the retention read, and drops one that nothing reads."""
    op.create_index("ix_webhook_delivery_list", "webhook_delivery", ["endpoint_id", "create_time", "id"])
    op.create_index(
        "ix_webhook_delivery_ended",
        "webhook_delivery",
        ["create_time"],
        postgresql_where=sa.text("state <> 'waiting'"),
    )
    op.create_index("ix_mail_ended", "mail", ["end_time"], postgresql_where=sa.text("end_time IS NOT NULL"))
    op.drop_constraint("uq_webhook_delivery_endpoint_id_position", "webhook_delivery")


def downgrade() -> None:
    """Takes them back."""
    op.create_unique_constraint(
        "uq_webhook_delivery_endpoint_id_position", "webhook_delivery", ["endpoint_id", "position"]
    )
    op.drop_index("ix_mail_ended", "mail")
    op.drop_index("ix_webhook_delivery_ended", "webhook_delivery")
    op.drop_index("ix_webhook_delivery_list", "webhook_delivery")
