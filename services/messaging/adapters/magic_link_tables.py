"""The table of the links in mails."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, Integer, Table, Text, Uuid

from services.messaging.adapters.tables import METADATA

magic_link = Table(
    "magic_link",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    # The notice and the mail that carry it.
    Column("notice_id", Uuid(as_uuid=False), nullable=False),
    Column("mail_id", Uuid(as_uuid=False), nullable=False),
    # `users/{user}`.
    Column("recipient", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("offer", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("currency", Text),
    Column("amount", BigInteger),
    Column("secret_hash", Text, nullable=False),
    # What the mail carries; wiped when it has left.
    Column("token", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("used_action", Text),
    Column("use_time", DateTime(timezone=True)),
    Column("used_order", Text),
    CheckConstraint("kind in ('offer', 'inquiry')", name="kind"),
    CheckConstraint("used_action in ('accept', 'decline')", name="used_action"),
    CheckConstraint("(used_action is null) = (use_time is null)", name="use_time"),
)
Index("ix_magic_link_recipient", magic_link.c.recipient)
Index("ix_magic_link_mail", magic_link.c.mail_id)
Index("ix_magic_link_create_time", magic_link.c.create_time)
