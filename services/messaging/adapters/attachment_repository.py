"""Remembers in PostgreSQL what was uploaded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.ids import is_id
from services.messaging.adapters.attachment_tables import attachment as table
from services.messaging.adapters.attachment_tables import attachment_download as downloads
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.domain.attachment import Attachment, Content, Kind, State
from services.messaging.domain.side import Side

_ADD = insert(table)
_SAVE = (
    update(table)
    .where(table.c.id == bindparam("found"), table.c.state != State.REMOVED.value)
    .returning(table.c.id)
)
_FIND = select(table).where(
    table.c.id == bindparam("id"), table.c.conversation_id == bindparam("conversation")
)
_COUNT = (
    select(func.count())
    .select_from(table)
    .where(
        table.c.conversation_id == bindparam("conversation"),
        table.c.author == bindparam("author"),
        table.c.state.in_((State.STORING.value, State.READY.value)),
    )
)
_NOTE = insert(downloads).on_conflict_do_nothing().returning(downloads.c.attachment_id)
_DELETE = delete(table).where(table.c.id == bindparam("id"))


class AttachmentRepository:
    """Implements `app.attachment_ports.Attachments`."""

    async def add(self, tx: Transaction, attachment: Attachment) -> None:
        """Adds it."""
        await tx.execute(_ADD, _columns(attachment))

    async def save(self, tx: Transaction, attachment: Attachment) -> None:
        """Its state and its message; what is on its way out stays so."""
        changed = {
            "found": attachment.id,
            "state": attachment.state.value,
            "message_id": attachment.message or None,
            "for_team": attachment.for_team,
            "send_time": attachment.send_time,
        }
        if await tx.fetch_one(_SAVE, changed) is None:
            raise RuntimeError(f"{attachment.name} was removed while it was stored")

    async def find(self, tx: Transaction, name: str) -> Attachment | None:
        """The attachment of this name; None where there is none."""
        conversation, _, attachment_id = name.partition("/attachments/")
        if not is_id(attachment_id):
            return None
        row = await tx.fetch_one(_FIND, {"id": attachment_id, "conversation": key_of(conversation)})
        return None if row is None else _attachment(row)

    async def lock(self, tx: Transaction, ids: Collection[str]) -> list[Attachment]:
        """Those that exist, in the order of the ids."""
        known = [attachment_id for attachment_id in ids if is_id(attachment_id)]
        if not known:
            return []
        query = select(table).where(table.c.id.in_(known)).order_by(table.c.id).with_for_update()
        return [_attachment(row) for row in await tx.fetch_all(query)]

    async def count_unsent(self, tx: Transaction, *, conversation: str, author: str) -> int:
        """How many wait for a message."""
        return int(await tx.scalar(_COUNT, {"conversation": key_of(conversation), "author": author}) or 0)

    async def note_download(
        self, tx: Transaction, attachment: Attachment, *, user: str, now: datetime
    ) -> bool:
        """Whether this is the first download by this user."""
        values = {"attachment_id": attachment.id, "user": user, "download_time": now}
        return await tx.fetch_one(_NOTE, values) is not None

    async def delete(self, tx: Transaction, attachment_id: str) -> None:
        """Forgets it, and who downloaded it."""
        await tx.execute(_DELETE, {"id": attachment_id})


def documents(sent: Sequence[Attachment]) -> list[dict[str, Any]]:
    """What the row of a message keeps of its attachments."""
    return [
        {
            "id": each.id,
            "kind": each.kind.value,
            "filename": each.filename,
            "size_bytes": each.content.size_bytes,
            "sha256": each.content.sha256,
            "create_time": each.create_time.isoformat(),
        }
        for each in sent
    ]


def documents_of(row: Row[Any]) -> tuple[Attachment, ...]:
    """The attachments of the row of a message."""
    return tuple(
        Attachment(
            conversation=PREFIX + row.conversation_id,
            id=held["id"],
            kind=Kind(held["kind"]),
            filename=held["filename"],
            content=Content(held["size_bytes"], held["sha256"]),
            author=row.author,
            side=Side(row.side),
            key="",
            create_time=datetime.fromisoformat(held["create_time"]),
            state=State.SENT,
            message=row.id,
        )
        for held in row.documents or ()
    )


def _columns(attachment: Attachment) -> dict[str, Any]:
    return {
        "id": attachment.id,
        "conversation_id": key_of(attachment.conversation),
        "kind": attachment.kind.value,
        "filename": attachment.filename,
        "size_bytes": attachment.content.size_bytes,
        "sha256": attachment.content.sha256,
        "author": attachment.author,
        "side": attachment.side.value,
        "key": attachment.key,
        "state": attachment.state.value,
        "message_id": attachment.message or None,
        "for_team": attachment.for_team,
        "send_time": attachment.send_time,
        "create_time": attachment.create_time,
    }


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment(
        conversation=PREFIX + row.conversation_id,
        id=row.id,
        kind=Kind(row.kind),
        filename=row.filename,
        content=Content(row.size_bytes, row.sha256),
        author=row.author,
        side=Side(row.side),
        key=row.key,
        create_time=row.create_time,
        state=State(row.state),
        message=row.message_id or "",
        for_team=row.for_team,
        send_time=row.send_time,
    )
