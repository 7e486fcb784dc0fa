"""The words of conversations that were closed long ago, made unreadable in bounded steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Transaction
from services.messaging.adapters.erasure_repository import WIPED

CONVERSATIONS: Final = 50
"""Conversations that one transaction looks at."""
_OLD: Final = """
close_time IS NOT NULL AND (erase_time IS NULL OR erase_time < close_time) AND close_time < :before
"""
# In the order of their ids, like everything that locks several.
_CLOSED: Final = f"""
SELECT id FROM conversation WHERE {_OLD}
    AND id IN (SELECT id FROM conversation WHERE {_OLD} ORDER BY close_time LIMIT :most)
ORDER BY id FOR UPDATE
"""  # noqa: S608 -- constants of ours
_OF_CONVERSATIONS: Final = """
SELECT conversation_id, id FROM timeline_entry
WHERE conversation_id = ANY(:keys) AND kind IS NOT NULL AND erase_time IS NULL LIMIT :batch
"""
_DONE: Final = """
UPDATE conversation SET title = '', summary = '', erase_time = :now, entry_count = entry_count + 1,
    feedback_text = CASE WHEN feedback_text IS NULL THEN NULL ELSE '' END
WHERE id = ANY(:keys)
"""
_FILES: Final = """
UPDATE attachment SET state = 'removed', filename = ''
WHERE conversation_id = ANY(:keys) AND state <> 'removed' RETURNING id::text AS id, key
"""
_FORWARDS: Final = """
UPDATE conversation_forward SET address = '' WHERE conversation_id = ANY(:keys) AND address <> ''
"""
_ENTRIES: Final = """
UPDATE timeline_entry SET address = NULL WHERE conversation_id = ANY(:keys) AND address IS NOT NULL
"""
# A translation that was kept while its message was emptied, and what mails said beside their messages.
_TRANSLATIONS: Final = "DELETE FROM message_translation WHERE conversation_id = ANY(:keys)"
_MAILS: Final = """
UPDATE received_mail SET original = '' WHERE conversation_id = ANY(:keys) AND message_id <> ''
"""


def _bound(statement: str) -> Any:
    types: dict[str, Any] = {
        "keys": ARRAY(sa.Text),
        "now": sa.DateTime(timezone=True),
        "before": sa.DateTime(timezone=True),
        "most": sa.BigInteger,
        "batch": sa.BigInteger,
    }
    named = [sa.bindparam(name, type_=kind) for name, kind in types.items() if f":{name}" in statement]
    return sa.text(statement).bindparams(*named)


_LOCK_CLOSED = _bound(_CLOSED)
_WIPE = _bound(WIPED.replace("<found>", _OF_CONVERSATIONS))
_END = [_bound(statement) for statement in (_DONE, _FORWARDS, _ENTRIES, _TRANSLATIONS, _MAILS)]
_GIVE_UP_FILES = _bound(_FILES)


class OldConversationRepository:
    """Implements `app.erasures.OldConversations`."""

    async def erase(
        self, tx: Transaction, before: datetime, most: int, *, now: datetime
    ) -> tuple[bool, Sequence[tuple[str, str]]]:
        """One step; whether there may be more, and the ids and keys of the files that go."""
        closed = await tx.fetch_all(_LOCK_CLOSED, {"before": before, "most": CONVERSATIONS})
        keys = [row.id for row in closed]
        if not keys:
            return False, ()
        if int(await tx.scalar(_WIPE, {"keys": keys, "now": now, "batch": most})) >= most:
            return True, ()
        for statement in _END:
            values = {"keys": keys, "now": now} if statement is _END[0] else {"keys": keys}
            await tx.execute(statement, values)
        rows = await tx.fetch_all(_GIVE_UP_FILES, {"keys": keys})
        return len(keys) == CONVERSATIONS, [(row.id, row.key) for row in rows]
