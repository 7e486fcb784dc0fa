"""The tables of messaging."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.db import metadata

METADATA = metadata()

conversation = Table(
    "conversation",
    METADATA,
    # The id is the subject's, so that a conversation can be named before it exists.
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("seller", Text, nullable=False),
    Column("buyer", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("marketplace", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("observer", Text, nullable=False),
    Column("close_time", DateTime(timezone=True)),
    Column("decline_reason", Text),
    Column("buyer_archived", Boolean, nullable=False),
    Column("seller_archived", Boolean, nullable=False),
    Column("feedback_rating", Integer),
    Column("feedback_text", Text),
    Column("feedback_time", DateTime(timezone=True)),
    # One object per grant: few, and always read and written with the conversation.
    Column("copies", JSONB, nullable=False),
    Column("buyer_unread", Integer, nullable=False),
    Column("seller_unread", Integer, nullable=False),
    # One object per reader: few, and always read and written with the conversation.
    Column("receipts", JSONB, nullable=False),
    # Numbers what is added and what is changed, in the order of the commits: the row lock makes it so.
    Column("entry_count", BigInteger, nullable=False),
    Column("last_entry_time", DateTime(timezone=True), nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("state in ('open', 'closed')", name="state"),
    CheckConstraint("buyer_unread >= 0 and seller_unread >= 0", name="unread"),
    # When what was said in it was erased because it is old.
    Column("erase_time", DateTime(timezone=True)),
    CheckConstraint("(state = 'closed') = (close_time is not null)", name="close_time"),
)
Index(
    "ix_conversation_closed",
    conversation.c.close_time,
    # One that was opened again and closed again is old again.
    postgresql_where=conversation.c.close_time.is_not(None)
    & (conversation.c.erase_time.is_(None) | (conversation.c.erase_time < conversation.c.close_time)),
)
# Whether it was put away stands before the time: a list holds either those or the others, however many.
Index(
    "ix_conversation_buyer",
    conversation.c.buyer,
    conversation.c.buyer_archived,
    conversation.c.last_entry_time,
    conversation.c.id,
)
Index(
    "ix_conversation_seller",
    conversation.c.seller,
    conversation.c.seller_archived,
    conversation.c.last_entry_time,
    conversation.c.id,
)

# Finds the conversations in which somebody is in copy.
conversation_copy = Table(
    "conversation_copy",
    METADATA,
    Column("user_name", Text, primary_key=True),
    Column("conversation_id", Text, primary_key=True),
    ForeignKeyConstraint(["conversation_id"], ["conversation.id"]),
)

conversation_forward = Table(
    "conversation_forward",
    METADATA,
    Column("conversation_id", Text, primary_key=True),
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("address", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # By which it is found: under a policy no index of an expression is used, unless that is leakproof.
    Column("address_key", Text, Computed("lower(address)", persisted=True)),
    ForeignKeyConstraint(["conversation_id"], ["conversation.id"]),
)

# What is kept about somebody is found when it is to be handed out or erased; so it is below.
Index("ix_conversation_forward_author", conversation_forward.c.author)
Index("ix_conversation_forward_user", conversation_forward.c.user_name)
Index("ix_conversation_forward_address", conversation_forward.c.address_key)

# `side` has blocked the other one of the two.
party_block = Table(
    "party_block",
    METADATA,
    Column("seller", Text, primary_key=True),
    Column("buyer", Text, primary_key=True),
    Column("side", Text, primary_key=True),
    Column("author", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("side in ('buyer', 'seller')", name="side"),
)

Index("ix_party_block_author", party_block.c.author)

outcome = Table(
    "outcome",
    METADATA,
    Column("conversation_id", Text, primary_key=True),
    # Absent until the event of its beginning was taken in: the others may come before it.
    Column("observer", Text),
    Column("seller", Text),
    Column("marketplace", Text),
    Column("create_time", DateTime(timezone=True)),
    Column("contact_time", DateTime(timezone=True)),
    Column("sale_time", DateTime(timezone=True)),
)
Index("ix_outcome_observer", outcome.c.observer, outcome.c.create_time, outcome.c.conversation_id)

timeline_entry = Table(
    "timeline_entry",
    METADATA,
    Column("conversation_id", Text, primary_key=True),
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("side", Text, nullable=False),
    # Either a message …
    Column("kind", Text),
    Column("author", Text),
    Column("text", Text),
    Column("read_time", DateTime(timezone=True)),
    Column("recipients", ARRAY(Text)),
    # What is told about its attachments, so that a timeline is read from one table.
    Column("documents", JSONB),
    # Found when it was to be translated.
    Column("language", Text),
    # Where it stands among what watchers are shown because it was translated; it has translations then.
    Column("change_position", BigInteger),
    # Those of the recipients whose addresses had bounced.
    Column("bounced", ARRAY(Text)),
    # The same of the seller's team, for the team.
    Column("bounced_members", ARRAY(Text)),
    # Null where it came through the interface.
    Column("channel", Text),
    # … or an event.
    Column("event_type", Text),
    Column("resource", Text),
    Column("revision", Integer),
    Column("currency", Text),
    Column("amount", BigInteger),
    Column("erase_time", DateTime(timezone=True)),
    # Contact data, for the seller's team.
    Column("address", Text),
    # Whether it was done by the link of a mail.
    Column("by_link", Boolean),
    ForeignKeyConstraint(["conversation_id"], ["conversation.id"]),
    UniqueConstraint("conversation_id", "position"),
    CheckConstraint("(kind is null) <> (event_type is null)", name="content"),
    CheckConstraint("kind in ('public', 'internal_note')", name="kind"),
    CheckConstraint("side in ('buyer', 'seller', 'system')", name="side"),
)
# What a person wrote is found when it is to be handed out or erased.
Index(
    "ix_timeline_entry_author",
    timeline_entry.c.author,
    timeline_entry.c.erase_time,
    postgresql_where=timeline_entry.c.kind.is_not(None),
)
Index(
    "ix_timeline_entry_order",
    timeline_entry.c.conversation_id,
    timeline_entry.c.create_time,
    timeline_entry.c.id,
)
Index(
    "ix_timeline_entry_change",
    timeline_entry.c.conversation_id,
    timeline_entry.c.change_position,
    postgresql_where=timeline_entry.c.change_position.is_not(None),
)
