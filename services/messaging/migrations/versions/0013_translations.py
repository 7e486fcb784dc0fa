"""Translations of messages, and who wants them by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.add_column("profile", sa.Column("auto_translate", sa.Text(), server_default="", nullable=False))
    op.add_column("timeline_entry", sa.Column("language", sa.Text()))
    op.add_column("timeline_entry", sa.Column("change_position", sa.BigInteger()))
    op.create_index(
        "ix_timeline_entry_change",
        "timeline_entry",
        ["conversation_id", "change_position"],
        postgresql_where=sa.text("change_position is not null"),
    )
    op.create_table(
        "message_translation",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("text", sa.Text()),
        sa.Column("engine", sa.Text()),
        sa.Column("failure", sa.Text()),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "message_id", "language", name="pk_message_translation"),
        sa.ForeignKeyConstraint(
            ["conversation_id", "message_id"],
            ["timeline_entry.conversation_id", "timeline_entry.id"],
            name="fk_message_translation_entry",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "(text is null) <> (failure is null)", name=op.f("ck_message_translation_content")
        ),
        sa.CheckConstraint("(text is null) = (engine is null)", name=op.f("ck_message_translation_engine")),
    )


def downgrade() -> None:
    """Removes them."""
    op.drop_table("message_translation")
    op.drop_index("ix_timeline_entry_change", "timeline_entry")
    for column in ("change_position", "language"):
        op.drop_column("timeline_entry", column)
    op.drop_column("profile", "auto_translate")
