"""Absences that are planned ahead; each change of them is one for the gate."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "absence",
        *(_text(name) for name in ("id", "seller", "subject", "label", "author")),
        *(_instant(name) for name in ("start_time", "end_time", "create_time")),
        sa.Column("messages_closed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_absence"),
        sa.CheckConstraint("start_time < end_time", name="ck_absence_span"),
    )
    op.create_index("ix_absence_subject_start_time_id", "absence", ["subject", "start_time", "id"])
    op.create_index("ix_absence_seller_start_time_id", "absence", ["seller", "start_time", "id"])
    op.execute(
        "CREATE TRIGGER note_gate_change AFTER INSERT OR UPDATE OR DELETE ON absence "
        "FOR EACH ROW EXECUTE FUNCTION note_gate_change('subject', '')"
    )


def downgrade() -> None:
    op.drop_table("absence")


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False)


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)
