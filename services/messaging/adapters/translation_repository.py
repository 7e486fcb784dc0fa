"""Keeps translations in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.engine import Row
from sqlalchemy.types import Uuid

from chassis.db import Transaction
from services.messaging.adapters.conversation_repository import COUNT_CHANGE, key_of
from services.messaging.adapters.tables import timeline_entry as entries
from services.messaging.adapters.translation_tables import message_translation as translations
from services.messaging.domain.message import Message
from services.messaging.domain.translation import Translation

_FIND = select(translations).where(
    translations.c.conversation_id == bindparam("conversation"),
    translations.c.message_id == bindparam("message"),
    translations.c.language == bindparam("target"),
    translations.c.text.is_not(None),
)
_OF_MESSAGES = (
    select(translations)
    .where(
        translations.c.conversation_id == bindparam("conversation"),
        translations.c.message_id == bindparam("messages", type_=ARRAY(Uuid(as_uuid=False))).any_(),
        translations.c.text.is_not(None),
    )
    .order_by(translations.c.message_id, translations.c.language)
)
_OF_THE_TEXT = (
    entries.c.conversation_id == bindparam("conversation"),
    entries.c.id == bindparam("message"),
    entries.c.text == bindparam("original"),
)
_NOTE_LANGUAGE = update(entries).where(*_OF_THE_TEXT).values(language=bindparam("source"))
_SHOW_AGAIN = (
    update(entries)
    .where(*_OF_THE_TEXT)
    .values(language=bindparam("source"), change_position=bindparam("place"))
    .returning(entries.c.id)
)
_ADD = insert(translations)
_KEEP = _ADD.on_conflict_do_update(
    constraint=translations.primary_key,
    set_={name: _ADD.excluded[name] for name in ("source", "text", "engine", "failure", "create_time")},
)
_NOTE_FAILURE = _ADD.on_conflict_do_nothing()
# Each half by an index of its own.
_WANTED = text("""
SELECT auto_translate FROM profile
  WHERE id = ANY(CAST(:recipients AS text[])) AND id <> :author AND auto_translate <> ''
UNION
SELECT profile.auto_translate FROM team_member JOIN profile ON profile.id = team_member.member
  WHERE team_member.seller = ANY(CAST(:recipients AS text[])) AND team_member.show_time > :since
    AND profile.id <> :author AND profile.auto_translate <> ''
""")


class TranslationRepository:
    """Implements `app.translation_ports.Translations`."""

    async def find(self, tx: Transaction, message: Message, language: str) -> Translation | None:
        """The translation; None where there is none."""
        row = await tx.fetch_one(_FIND, {**_key(message), "target": language})
        return None if row is None else _translation(row)

    async def keep(self, tx: Transaction, message: Message, translation: Translation) -> bool:
        """Adds it; False where the text is another one by now."""
        key = _key(message)
        values = {**key, "original": message.text, "source": translation.source}
        place = await tx.scalar(COUNT_CHANGE, {"key": key["conversation"]})
        if await tx.fetch_one(_SHOW_AGAIN, {**values, "place": place}) is None:
            return False
        columns = {
            "source": translation.source,
            "text": translation.text,
            "engine": translation.engine,
            "failure": None,
            "create_time": translation.create_time,
        }
        await tx.execute(_KEEP, {**_row_key(message, translation.language), **columns})
        return True

    async def note_language(self, tx: Transaction, message: Message, language: str) -> None:
        """Keeps the language of a message."""
        await tx.execute(_NOTE_LANGUAGE, {**_key(message), "original": message.text, "source": language})

    async def note_failure(
        self, tx: Transaction, message: Message, *, language: str, failure: str, now: datetime
    ) -> None:
        """Records that there is no translation, unless somebody made one meanwhile."""
        columns = {"source": None, "text": None, "engine": None, "failure": failure, "create_time": now}
        await tx.execute(_NOTE_FAILURE, {**_row_key(message, language), **columns})

    async def wanted(
        self, tx: Transaction, *, author: str, recipients: Collection[str], since: datetime
    ) -> frozenset[str]:
        """The languages in which recipients want to read."""
        values = {"recipients": list(recipients), "author": author, "since": since}
        return frozenset(row.auto_translate for row in await tx.fetch_all(_WANTED, values))


async def translations_of(
    tx: Transaction, conversation_key: str, rows: Sequence[Row[Any]]
) -> dict[str, tuple[Translation, ...]]:
    """The translations of entries by the id of the entry. Nothing is read where none has any."""
    changed = [row.id for row in rows if row.change_position is not None]
    if not changed:
        return {}
    found: dict[str, tuple[Translation, ...]] = {}
    for row in await tx.fetch_all(_OF_MESSAGES, {"conversation": conversation_key, "messages": changed}):
        found[row.message_id] = (*found.get(row.message_id, ()), _translation(row))
    return found


def _key(message: Message) -> dict[str, Any]:
    return {"conversation": key_of(message.conversation), "message": message.id}


def _row_key(message: Message, language: str) -> dict[str, Any]:
    key = _key(message)
    return {"conversation_id": key["conversation"], "message_id": message.id, "language": language}


def _translation(row: Row[Any]) -> Translation:
    return Translation(row.language, row.source, row.text, row.engine, row.create_time)
