"""Entries of timelines as rows of their table, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row

from chassis.kernel.money import Money
from services.messaging.adapters.attachment_repository import documents, documents_of
from services.messaging.adapters.conversation_repository import PREFIX
from services.messaging.domain.message import Channel, Kind, Message
from services.messaging.domain.side import Seat, Side
from services.messaging.domain.timeline import Entry, EventType, Happening
from services.messaging.domain.translation import Translation

NO_COLUMNS: Final[dict[str, Any]] = dict.fromkeys(
    (
        "kind",
        "author",
        "text",
        "recipients",
        "documents",
        "channel",
        "bounced",
        "event_type",
        "resource",
        "revision",
        "currency",
        "amount",
        "address",
        "by_link",
    )
)
"""For a statement that names every column: what an entry does not fill."""


def entry_columns(entry: Entry) -> dict[str, Any]:
    """What of its row an entry fills."""
    content = entry.content
    columns: dict[str, Any] = {"id": entry.id, "create_time": entry.create_time, "side": content.side.value}
    if isinstance(content, Message):
        return columns | {
            "kind": content.kind.value,
            "author": content.author,
            "text": content.text,
            "recipients": list(content.recipients),
            "documents": documents(content.attachments) or None,
            "bounced": list(content.bounced) or None,
            "channel": None if content.channel is Channel.INTERFACE else content.channel.value,
        }
    columns |= {
        "event_type": content.type.value,
        "resource": content.resource,
        "revision": content.revision,
        "address": content.address or None,
        "by_link": content.by_link or None,
    }
    if content.amount is not None:
        columns |= {"currency": content.amount.currency, "amount": content.amount.amount}
    return columns


def message_of_row(
    row: Row[Any], translations: Mapping[str, tuple[Translation, ...]], *, for_team: bool
) -> Message:
    """The message of a row, with what is for the seller's team alone or without."""
    return Message(
        conversation=PREFIX + row.conversation_id,
        id=row.id,
        author=row.author,
        side=Side(row.side),
        kind=Kind(row.kind),
        text=row.text,
        create_time=row.create_time,
        read_time=row.read_time,
        recipients=tuple(row.recipients or ()),
        attachments=documents_of(row),
        language=row.language or "",
        translations=translations.get(row.id, ()),
        channel=Channel(row.channel or Channel.INTERFACE),
        erase_time=row.erase_time,
        bounced=tuple(row.bounced or ()),
        bounced_members=tuple(row.bounced_members or ()) if for_team else (),
    )


def entry_of_row(row: Row[Any], seat: Seat, translations: Mapping[str, tuple[Translation, ...]]) -> Entry:
    """The entry of a row as it is seen from `seat`."""
    if row.kind is not None:
        content: Message | Happening = message_of_row(row, translations, for_team=seat.in_team)
    else:
        amount = None if row.currency is None else Money(row.currency, row.amount)
        content = Happening(
            type=EventType(row.event_type),
            side=Side(row.side),
            resource=row.resource,
            revision=row.revision or 0,
            amount=amount,
            address=(row.address or "") if seat.in_team else "",
            by_link=bool(row.by_link),
        )
    return Entry(PREFIX + row.conversation_id, row.id, row.create_time, content)
