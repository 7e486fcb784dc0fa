"""People in copy, recipients of messages, forwards and blocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.add_column(
        "conversation", sa.Column("copies", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb"))
    )
    op.add_column("timeline_entry", sa.Column("recipients", ARRAY(sa.Text())))
    op.add_column("timeline_entry", sa.Column("address", sa.Text()))
    op.create_table(
        "conversation_copy",
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_name", "conversation_id", name="pk_conversation_copy"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name="fk_conversation_copy_conversation_id_conversation",
        ),
    )
    op.create_table(
        "conversation_forward",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "id", name="pk_conversation_forward"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name="fk_conversation_forward_conversation_id_conversation",
        ),
    )
    op.create_table(
        "party_block",
        sa.Column("seller", sa.Text(), nullable=False),
        sa.Column("buyer", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seller", "buyer", "side", name="pk_party_block"),
        sa.CheckConstraint("side in ('buyer', 'seller')", name=op.f("ck_party_block_side")),
    )


def downgrade() -> None:
    """Removes them."""
    op.drop_table("party_block")
    op.drop_table("conversation_forward")
    op.drop_table("conversation_copy")
    op.drop_column("timeline_entry", "address")
    op.drop_column("timeline_entry", "recipients")
    op.drop_column("conversation", "copies")
