"""The tables of attachments."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    Uuid,
)

from services.messaging.adapters.tables import METADATA

attachment = Table(
    "attachment",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("side", Text, nullable=False),
    # Where the store has the file.
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("message_id", Uuid(as_uuid=False)),
    # The message is an internal note.
    Column("for_team", Boolean, nullable=False),
    Column("send_time", DateTime(timezone=True)),
    Column("create_time", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["conversation_id"], ["conversation.id"]),
    CheckConstraint("kind in ('offer', 'other')", name="kind"),
    CheckConstraint("side in ('buyer', 'seller', 'system')", name="side"),
    CheckConstraint("state in ('storing', 'ready', 'sent', 'removed')", name="state"),
    CheckConstraint("size_bytes > 0", name="size_bytes"),
    CheckConstraint("state <> 'sent' or (message_id is not null and send_time is not null)", name="sent"),
)
Index("ix_attachment_conversation", attachment.c.conversation_id, attachment.c.author, attachment.c.state)

# What somebody uploaded and read is found when it is to be handed out or erased.
Index("ix_attachment_author", attachment.c.author)

attachment_download = Table(
    "attachment_download",
    METADATA,
    Column("attachment_id", Uuid(as_uuid=False), primary_key=True),
    Column("user", Text, primary_key=True),
    Column("download_time", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["attachment_id"], ["attachment.id"], ondelete="CASCADE"),
)
Index("ix_attachment_download_user", attachment_download.c.user)
