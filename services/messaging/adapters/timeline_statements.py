"""The statements that add an entry to a timeline, each one round trip."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import TextClause, text

from services.messaging.adapters.conversation_repository import (
    HAS_ENDPOINTS,
    HAS_PEOPLE,
    HAS_TRANSLATIONS,
    SAVED_COLUMNS,
    key_of,
    saved_columns,
)
from services.messaging.adapters.timeline_rows import NO_COLUMNS, entry_columns
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.message import Message
from services.messaging.domain.profile import MEMBERSHIP
from services.messaging.domain.timeline import Entry

_SAVED: Final = ", ".join(f"{name} = :saved_{name}" for name in SAVED_COLUMNS)
_VALUES: Final = ", ".join(f":saved_{name}" for name in SAVED_COLUMNS)
_NEXT: Final = """
UPDATE conversation SET entry_count = entry_count + 1,
    last_entry_time = greatest(last_entry_time, CAST(:shown_time AS timestamptz))
"""
_COUNTED: Final = "RETURNING id, entry_count, buyer, seller, copies"
NEXT: Final = f"{_NEXT} WHERE id = :conversation {_COUNTED}"
"""An entry behind all others."""
NEXT_AND_SAVE: Final = f"{_NEXT}, {_SAVED} WHERE id = :conversation AND version = :expected {_COUNTED}"
"""The same, and a new state of the conversation after version `expected`."""
FIRST: Final = (
    """
INSERT INTO conversation (id, entry_count, create_time, last_entry_time, <columns>) VALUES (:conversation, 1,
    :begin_time, greatest(CAST(:begin_time AS timestamptz), CAST(:shown_time AS timestamptz)), <values>)
ON CONFLICT DO NOTHING <counted>
""".replace("<columns>", ", ".join(SAVED_COLUMNS))
    .replace("<values>", _VALUES)
    .replace("<counted>", _COUNTED)
)
"""The first entry, with the conversation that it begins."""
# Whoever holds the conversation changes it, so nobody waits for him to read that it has changed. Putting it
# away is the one change that counts neither as a version nor as an entry.
SAVE_IF_CURRENT: Final = text(
    """
<next>, <saved> WHERE id = (
    SELECT id FROM conversation
    WHERE id = :conversation AND version = :expected AND entry_count = :length
        AND (buyer_archived, seller_archived) = (:seen_buyer_archived, :seen_seller_archived)
    FOR UPDATE SKIP LOCKED
) RETURNING 1
""".replace("<next>", _NEXT).replace("<saved>", _SAVED)
)
"""A new state of a conversation that was read without a lock: of `length` entries and version `expected`."""

# What happens to anybody ends here. It also says whether anybody may have to be told, so that nothing more is
# asked where nobody is.
_ADD: Final = """
WITH counted AS (<counted>), added AS (
  INSERT INTO timeline_entry (conversation_id, position, id, create_time, side, kind, author, text,
    recipients, documents, channel, bounced, event_type, resource, revision, currency, amount, address,
    by_link, bounced_members)
  SELECT id, entry_count, CAST(:id AS uuid), CAST(:create_time AS timestamptz), :side, :kind, :author,
    :text, CAST(:recipients AS text[]), CAST(:documents AS jsonb), :channel,
    CAST(:bounced AS text[]), :event_type, :resource,
    CAST(:revision AS integer), :currency, CAST(:amount AS bigint), :address,
    CAST(:by_link AS boolean), (
      SELECT array_agg(profile.id ORDER BY profile.id)
      FROM team_member JOIN profile ON profile.id = team_member.member
      WHERE CAST(:tells_team AS boolean) AND team_member.seller = counted.seller
        AND team_member.show_time > CAST(:member_since AS timestamptz) AND profile.email_state = 'bounced'
        AND profile.id <> :author
    )
  FROM counted
)
SELECT <people> AS people, <endpoints> AS endpoints, <translations> AS translations
FROM counted
"""


def adding(counted: str, *, translates: bool) -> TextClause:
    """The statement for an entry whose place `counted` finds."""
    translations = f":kind <> '' AND {HAS_TRANSLATIONS}" if translates else "false"
    return text(
        _ADD.replace("<counted>", counted)
        .replace("<people>", HAS_PEOPLE.format(row="counted"))
        .replace("<endpoints>", HAS_ENDPOINTS.format(row="counted"))
        .replace("<translations>", translations.format(row="counted"))
    )


def saved_values(conversation: Conversation) -> dict[str, Any]:
    """The parameters for a new state."""
    return {f"saved_{name}": value for name, value in saved_columns(conversation).items()}


def seen_values(conversation: Conversation, *, length: int) -> dict[str, Any]:
    """The parameters for what a conversation was like when it was read."""
    held = saved_columns(conversation)
    archived = {f"seen_{name}": held[name] for name in ("buyer_archived", "seller_archived")}
    return {"expected": conversation.version, "length": length, **archived}


def place_values(entry: Entry) -> dict[str, Any]:
    """The parameters for what an entry changes of its conversation."""
    # What one side does not see moves the conversation for neither: its time would tell of it.
    shown_time = entry.create_time if entry.news else None
    return {"conversation": key_of(entry.conversation), "shown_time": shown_time}


def entry_values(entry: Entry) -> dict[str, Any]:
    """The parameters for an entry, in a statement that is written as text: JSON is encoded."""
    columns = NO_COLUMNS | entry_columns(entry)
    if columns["documents"] is not None:
        columns["documents"] = json.dumps(columns["documents"])
    told = {
        "tells_team": isinstance(entry.content, Message) and entry.content.tells_team,
        "member_since": entry.create_time - MEMBERSHIP,
    }
    return columns | place_values(entry) | told


def entry_row(entry: Entry, *, position: int) -> Mapping[str, Any]:
    """The columns of an entry that are not null, as Core takes them."""
    row = {"conversation_id": key_of(entry.conversation), "position": position, **entry_columns(entry)}
    return {name: value for name, value in row.items() if value is not None}
