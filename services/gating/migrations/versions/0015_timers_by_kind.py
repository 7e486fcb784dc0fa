"""Timers are looked for by kind: thousands of reminders of requests at once are no work for the others."""

from __future__ import annotations

from alembic import op

from chassis import schema

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    schema.find_timers_by_kind(op)


def downgrade() -> None:
    schema.find_timers_by_time_alone(op)
