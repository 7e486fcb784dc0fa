"""What waits of one aggregate is found without reading what waits of all."""

from __future__ import annotations

from alembic import op

from chassis import schema

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    schema.find_waiting_by_aggregate(op)


def downgrade() -> None:
    schema.find_waiting_by_time_alone(op)
