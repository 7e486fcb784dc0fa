"""The tables of mails that come in. No address of a person is in them."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from services.messaging.adapters.tables import METADATA

reply_address = Table(
    "reply_address",
    METADATA,
    # Random; the address itself is made of it, and is kept nowhere.
    Column("id", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    # `users/{user}`.
    Column("user_name", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["conversation_id"], ["conversation.id"]),
)
Index(
    "ix_reply_address_newest",
    reply_address.c.conversation_id,
    reply_address.c.user_name,
    reply_address.c.create_time,
)

# Those of somebody are found when he is to be erased.
Index("ix_reply_address_user", reply_address.c.user_name)

received_mail = Table(
    "received_mail",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    # The id of the reply address, or of the mail that came back.
    Column("address", Text, nullable=False),
    # Of the Message-ID, hashed: it may hold a name.
    Column("key", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    # Empty for a mail that came back.
    Column("conversation_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # The id of the message that it became, else empty.
    Column("message_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    # What it said before quotations were taken off, for its author alone.
    Column("original", Text, nullable=False),
    Column("left_out", Integer, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    UniqueConstraint("address", "key"),
    CheckConstraint("outcome in ('POSTED', 'REFUSED', 'AUTOMATIC', 'BOUNCE')", name="outcome"),
    CheckConstraint("(outcome = 'POSTED') = (message_id <> '')", name="message_id"),
)
# What became messages of a conversation is emptied with it.
Index(
    "ix_received_mail_conversation",
    received_mail.c.conversation_id,
    postgresql_where=received_mail.c.message_id != "",
)
Index("ix_received_mail_user", received_mail.c.user_name, received_mail.c.create_time, received_mail.c.id)
