"""Timers are looked for by kind: thousands of webhooks that are due at once are no work for the mails."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replaces the index by one for each kind."""
    op.create_index("ix_timer_kind_visible_time", "timer", ["kind", "visible_time"])
    op.drop_index("ix_timer_visible_time", "timer")


def downgrade() -> None:
    """Takes it back."""
    op.create_index("ix_timer_visible_time", "timer", ["visible_time"])
    op.drop_index("ix_timer_kind_visible_time", "timer")
