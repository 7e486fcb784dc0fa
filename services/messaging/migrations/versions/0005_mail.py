"""What is told by mail, the mails, and the proofs that somebody reads them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates them."""
    op.create_table(
        "mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_mail"),
        sa.CheckConstraint("purpose in ('notices', 'digest', 'verification')", name=op.f("ck_mail_purpose")),
        sa.CheckConstraint("state in ('queued', 'sent', 'failed')", name=op.f("ck_mail_state")),
        sa.CheckConstraint("(state = 'queued') = (end_time is null)", name=op.f("ck_mail_end_time")),
        sa.CheckConstraint("state = 'queued' or token = ''", name=op.f("ck_mail_token")),
    )
    op.create_index("ix_mail_pace", "mail", ["recipient", "conversation_id", "create_time"])
    op.create_table(
        "notification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.Column("happen_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text()),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("mail_id", sa.Uuid()),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "recipient", name="pk_notification"),
        sa.CheckConstraint("side in ('buyer', 'seller')", name=op.f("ck_notification_side")),
        sa.CheckConstraint("delivery in ('each', 'digest')", name=op.f("ck_notification_delivery")),
    )
    op.create_index(
        "ix_notification_waiting",
        "notification",
        ["recipient", "conversation_id"],
        postgresql_where=sa.text("mail_id IS NULL"),
    )
    op.create_index("ix_notification_mail", "notification", ["mail_id"])
    op.create_table(
        "email_verification",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True)),
        sa.Column("asked", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_email_verification"),
    )


def downgrade() -> None:
    """Removes them."""
    op.drop_table("email_verification")
    op.drop_table("notification")
    op.drop_table("mail")
