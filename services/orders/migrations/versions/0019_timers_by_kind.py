"""Timers are looked for by kind: thousands of renewals that are due at once are no work for the others."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_index("ix_timer_kind_visible_time", "timer", ["kind", "visible_time"])
    op.drop_index("ix_timer_visible_time", "timer")


def downgrade() -> None:
    op.create_index("ix_timer_visible_time", "timer", ["visible_time"])
    op.drop_index("ix_timer_kind_visible_time", "timer")
