"""A question that nobody answers ends its request; those that wait already have 30 days from now on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("order_request", sa.Column("answer_expire_time", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE order_request SET answer_expire_time = now() + interval '30 days' "
        "WHERE state = 'info_requested'"
    )
    op.execute(
        "INSERT INTO timer (kind, key, due_time, visible_time, payload) "
        "SELECT 'order_request_answer', id, answer_expire_time, answer_expire_time, '{}' FROM order_request "
        "WHERE answer_expire_time IS NOT NULL ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    op.execute("DELETE FROM timer WHERE kind = 'order_request_answer'")
    op.drop_column("order_request", "answer_expire_time")
