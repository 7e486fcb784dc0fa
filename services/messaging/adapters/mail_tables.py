"""The tables of what is told by mail. No address is in them: it is read when a mail leaves."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from services.messaging.adapters.tables import METADATA

mail = Table(
    "mail",
    METADATA,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    # `users/{user}`.
    Column("recipient", Text, nullable=False),
    # Empty where it is about no single conversation.
    Column("conversation_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    # What the mail is to prove; wiped when it has left.
    Column("token", Text, nullable=False),
    Column("state", Text, nullable=False),
    # Why it failed.
    Column("failure", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True)),
    CheckConstraint("purpose in ('notices', 'digest', 'verification')", name="purpose"),
    CheckConstraint("state in ('queued', 'sent', 'failed')", name="state"),
    CheckConstraint("(state = 'queued') = (end_time is null)", name="end_time"),
    CheckConstraint("state = 'queued' or token = ''", name="token"),
)
Index("ix_mail_pace", mail.c.recipient, mail.c.conversation_id, mail.c.create_time)
Index("ix_mail_ended", mail.c.end_time, postgresql_where=mail.c.end_time.is_not(None))

notification = Table(
    "notification",
    METADATA,
    # The entry of the timeline that it tells of.
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    # The recipient's.
    Column("side", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("happen_time", DateTime(timezone=True), nullable=False),
    Column("currency", Text),
    Column("amount", BigInteger),
    # The mail that tells it; null as long as it waits.
    Column("mail_id", Uuid(as_uuid=False)),
    Column("create_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("side in ('buyer', 'seller')", name="side"),
    CheckConstraint("delivery in ('each', 'digest')", name="delivery"),
)
Index(
    "ix_notification_waiting",
    notification.c.recipient,
    notification.c.conversation_id,
    postgresql_where=notification.c.mail_id.is_(None),
)
Index("ix_notification_mail", notification.c.mail_id)

email_verification = Table(
    "email_verification",
    METADATA,
    # `users/{user}`.
    Column("id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False),
    Column("expire_time", DateTime(timezone=True)),
    # The times of the last day's mails: few, and always read and written together.
    Column("asked", JSONB, nullable=False),
)
