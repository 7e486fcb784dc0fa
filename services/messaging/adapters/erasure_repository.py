"""Erasures in PostgreSQL, and what this service's own part of them is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db import Transaction
from chassis.erasure import bound, forget_answers
from chassis.kernel.ids import is_id
from services.messaging.adapters.erasure_tables import erasure as erasures
from services.messaging.domain.erasure import Erasure, State

_ADD = insert(erasures)
_FIND = select(erasures).where(erasures.c.id == bindparam("key"))
_OPEN = select(erasures).where(
    erasures.c.user_name == bindparam("user"), erasures.c.state != State.DONE.value
)
_LOCK = _FIND.with_for_update()
_SAVE = update(erasures).where(erasures.c.id == bindparam("key"))

BATCH: Final = 500
"""Messages that one transaction erases."""
# The texts are emptied before their translations go: one that is being made meanwhile is then not kept.
WIPED: Final = """
WITH wiped AS (
    UPDATE timeline_entry AS entry SET text = '', documents = NULL, erase_time = :now FROM (<found>) AS found
    WHERE entry.conversation_id = found.conversation_id AND entry.id = found.id
    RETURNING entry.conversation_id, entry.id
), untranslated AS (
    DELETE FROM message_translation AS made USING wiped
    WHERE made.conversation_id = wiped.conversation_id AND made.message_id = wiped.id
)
SELECT count(*) FROM wiped
"""
"""Empties the messages that `<found>` selects, and answers how many."""
_WORDS: Final = "author = :user AND kind IS NOT NULL AND erase_time IS NULL"
_ABOUT: Final = "buyer = :user AND (title <> '' OR summary <> '' OR feedback_text <> '')"
# Forwards to him: those that put him in copy, and those to his address alone.
_FORWARDED: Final = """
address <> '' AND (user_name = :user
    OR address_key = (SELECT lower(email) FROM profile WHERE id = :user AND email <> ''))
"""
_FORWARDING: Final = "/parley.messaging.v1.MessagingService/ForwardConversation"
# Before anything in them, and in the order of their ids: so nobody waits in a circle.
_LOCK_CONVERSATIONS: Final = f"""
SELECT id FROM conversation WHERE id IN (
    (SELECT conversation_id FROM timeline_entry WHERE {_WORDS} LIMIT :batch)
    UNION ALL (SELECT id FROM conversation WHERE {_ABOUT} LIMIT :batch)
    UNION ALL (SELECT conversation_id FROM conversation_forward WHERE {_FORWARDED} LIMIT :batch)
) ORDER BY id FOR UPDATE
"""  # noqa: S608 -- constants of ours
_OF_PERSON: Final = f"""
SELECT conversation_id, id FROM timeline_entry WHERE {_WORDS} AND conversation_id = ANY(:keys) LIMIT :batch
"""  # noqa: S608
# It counts as a change, so that whoever read the words before does not write them back.
_CONVERSATIONS: Final = f"""
UPDATE conversation SET title = '', summary = '', entry_count = entry_count + 1,
    feedback_text = CASE WHEN feedback_text IS NULL THEN NULL ELSE '' END
WHERE {_ABOUT} AND id = ANY(:keys)
"""  # noqa: S608
# A forward's entry has its id. So has the answer to whoever made it, which may name nobody: only the address.
_FORWARDS: Final = f"""
WITH found AS (
    SELECT conversation_id, id, author FROM conversation_forward
    WHERE {_FORWARDED} AND conversation_id = ANY(:keys)
), made AS (
    UPDATE conversation_forward AS forward SET address = '' FROM found
    WHERE forward.conversation_id = found.conversation_id AND forward.id = found.id
), forgotten AS (
    UPDATE idempotency SET answer = '' FROM found
    WHERE principal = found.author AND method = '{_FORWARDING}'
        AND position(convert_to(found.id::text, 'UTF8') IN answer) > 0
)
UPDATE timeline_entry AS entry SET address = NULL FROM found
WHERE entry.conversation_id = found.conversation_id AND entry.id = found.id
"""  # noqa: S608
_PROFILE: Final = """
UPDATE profile SET version = version + 1, display_name = '', email = '', email_state = 'none', phone = '',
    locale = '', time_zone = '', auto_translate = '', choices = '{}'
WHERE id = :user
"""
# What was kept while a message was emptied, too late for the statement that did it to see.
_LATE_TRANSLATIONS: Final = """
DELETE FROM message_translation AS made USING timeline_entry AS entry
WHERE entry.conversation_id = made.conversation_id AND entry.id = made.message_id AND entry.author = :user
    AND entry.kind IS NOT NULL
"""
_REST: Final = (
    _LATE_TRANSLATIONS,
    _PROFILE,
    "DELETE FROM team_member WHERE member = :user",
    "DELETE FROM email_verification WHERE id = :user",
    # By its mail, or as long as it waits for one: there is no index of all.
    "DELETE FROM notification USING mail WHERE mail_id = mail.id AND mail.recipient = :user",
    "DELETE FROM notification WHERE recipient = :user AND mail_id IS NULL",
    "DELETE FROM mail WHERE recipient = :user",
    "DELETE FROM magic_link WHERE recipient = :user",
    "DELETE FROM received_mail WHERE user_name = :user",
    "DELETE FROM reply_address WHERE user_name = :user",
    "DELETE FROM consent_decision WHERE user_name = :user",
    "DELETE FROM contact_disclosure WHERE user_name = :user",
    "UPDATE lead SET buyer = '' WHERE buyer = :user AND buyer <> ''",
)
# In the order of their ids, as a message locks those that it names.
_FILES: Final = """
WITH his AS (SELECT id FROM attachment WHERE author = :user AND state <> 'removed' ORDER BY id FOR UPDATE)
UPDATE attachment SET state = 'removed', filename = '' FROM his WHERE attachment.id = his.id
RETURNING attachment.id::text AS id, key
"""
_FILES_LEFT: Final = "SELECT count(*) FROM attachment WHERE author = :user"


_KEYS: Final = ARRAY(sa.Text)
_LOCK_OF_PERSON = bound(_LOCK_CONVERSATIONS, batch=sa.BigInteger)
_ERASE_MESSAGES = bound(
    WIPED.replace("<found>", _OF_PERSON), now=sa.DateTime(timezone=True), keys=_KEYS, batch=sa.BigInteger
)
_ERASE_ABOUT = [bound(statement, keys=_KEYS) for statement in (_CONVERSATIONS, _FORWARDS)]
_ERASE_REST = [bound(statement) for statement in _REST]
_GIVE_UP_FILES = bound(_FILES)
_COUNT_FILES = bound(_FILES_LEFT)


class ErasureRepository:
    """Implements `app.erasures.Erasures`."""

    async def add(self, tx: Transaction, found: Erasure) -> None:
        """A new one; the profile of its person is locked."""
        await tx.execute(_ADD, {"id": found.id, "user_name": found.user, **_columns(found)})

    async def find(self, tx: Transaction, erasure_id: str, *, lock: bool = False) -> Erasure | None:
        """It; None where there is none."""
        if not is_id(erasure_id):
            return None
        row = await tx.fetch_one(_LOCK if lock else _FIND, {"key": erasure_id})
        return None if row is None else _erasure(row)

    async def find_open(self, tx: Transaction, user: str) -> Erasure | None:
        """The one of a person that is under way."""
        row = await tx.fetch_one(_OPEN, {"user": user})
        return None if row is None else _erasure(row)

    async def save(self, tx: Transaction, changed: Erasure) -> None:
        """Stores a locked one."""
        await tx.execute(_SAVE, {"key": changed.id, **_columns(changed)})

    async def erase_words(self, tx: Transaction, user: str, *, now: datetime) -> bool:
        """What he wrote, as far as one transaction goes; whether something was left to do."""
        locked = await tx.fetch_all(_LOCK_OF_PERSON, {"user": user, "batch": BATCH})
        if not locked:
            return False
        values = {"user": user, "keys": [row.id for row in locked]}
        await tx.execute(_ERASE_MESSAGES, {**values, "now": now, "batch": BATCH})
        for statement in _ERASE_ABOUT:
            await tx.execute(statement, values)
        return True

    async def erase_rest(self, tx: Transaction, user: str) -> None:
        """What is kept about him; his profile is locked."""
        for statement in _ERASE_REST:
            await tx.execute(statement, {"user": user})

    async def forget_answers(
        self, tx: Transaction, user: str, place: Sequence[str] | None
    ) -> list[str] | None:
        """Stored answers that were given to him or name him, as far as one transaction goes."""
        return await forget_answers(tx, user, place)

    async def give_up_files(self, tx: Transaction, user: str) -> Sequence[tuple[str, str]]:
        """Takes his files out of use: the ids and keys of those that were not before."""
        return [(row.id, row.key) for row in await tx.fetch_all(_GIVE_UP_FILES, {"user": user})]

    async def files_left(self, tx: Transaction, user: str) -> int:
        """How many files of his are not removed yet."""
        return int(await tx.scalar(_COUNT_FILES, {"user": user}) or 0)


def _columns(found: Erasure) -> dict[str, Any]:
    return {
        "author": found.author,
        "state": found.state.value,
        "confirmed": list(found.confirmed),
        "request_time": found.request_time,
        "done_time": found.done_time,
    }


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(
        id=row.id,
        user=row.user_name,
        author=row.author,
        request_time=row.request_time,
        state=State(row.state),
        confirmed=tuple(row.confirmed),
        done_time=row.done_time,
    )
