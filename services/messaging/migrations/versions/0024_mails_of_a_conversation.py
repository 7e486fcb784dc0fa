"""What mails said is found by the conversation in which it was posted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Emptying old conversations read every mail that had ever come in."""
    op.create_index(
        "ix_received_mail_conversation",
        "received_mail",
        ["conversation_id"],
        postgresql_where=sa.text("message_id <> ''"),
    )


def downgrade() -> None:
    """Takes it out again."""
    op.drop_index("ix_received_mail_conversation", "received_mail")
