"""What is kept about somebody is found by him, when it is to be handed out or erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_attachment_author", "attachment", "author"),
    ("ix_attachment_download_user", "attachment_download", "user"),
    ("ix_conversation_forward_author", "conversation_forward", "author"),
    ("ix_conversation_forward_user", "conversation_forward", "user_name"),
    ("ix_party_block_author", "party_block", "author"),
    ("ix_reply_address_user", "reply_address", "user_name"),
)


def upgrade() -> None:
    """Adds the indexes."""
    for name, table, column in _INDEXES:
        op.create_index(name, table, [column])
    op.create_index("ix_conversation_forward_address", "conversation_forward", [sa.text("lower(address)")])


def downgrade() -> None:
    """Removes them."""
    op.drop_index("ix_conversation_forward_address", "conversation_forward")
    for name, table, _ in _INDEXES:
        op.drop_index(name, table)
