"""Translations of messages. All that was ever made of a message stands in this one table, by its message: who
erases the message empties its text first and then deletes these rows. A translation that is under way
meanwhile is then forgotten: it is kept only for the text of which it was made.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKeyConstraint, Table, Text, Uuid

from services.messaging.adapters.tables import METADATA

message_translation = Table(
    "message_translation",
    METADATA,
    Column("conversation_id", Text, primary_key=True),
    Column("message_id", Uuid(as_uuid=False), primary_key=True),
    Column("language", Text, primary_key=True),
    # Either a translation …
    Column("source", Text),
    Column("text", Text),
    Column("engine", Text),
    # … or why there is none, which another attempt replaces.
    Column("failure", Text),
    Column("create_time", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["conversation_id", "message_id"],
        ["timeline_entry.conversation_id", "timeline_entry.id"],
        # What the convention would call it is longer than PostgreSQL's names.
        name="fk_message_translation_entry",
        ondelete="CASCADE",
    ),
    CheckConstraint("(text is null) <> (failure is null)", name="content"),
    CheckConstraint("(text is null) = (engine is null)", name="engine"),
)
