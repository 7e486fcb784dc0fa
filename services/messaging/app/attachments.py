"""Uploading, sending and downloading documents, and removing those that were never sent."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from chassis.call import Call
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import not_found
from services.messaging.app.attachment_ports import Attachments, FileStore, Inspector, Scanner, Spool
from services.messaging.app.conversations import visible
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.domain import attachment as attachments
from services.messaging.domain import attachment_refusals as refusals
from services.messaging.domain.attachment import Attachment, Content, Intake, Kind, State
from services.messaging.domain.message import Kind as MessageKind
from services.messaging.domain.side import Seat
from services.messaging.domain.timeline import Entry, EventType, Happening

SWEEP: Final = "attachment_sweep"
"""The timer that takes an attachment out of use when no message names it in time."""
REMOVE: Final = "attachment_removal"
"""The timer that removes the file of an attachment that is out of use."""


@dataclass(frozen=True, slots=True)
class UploadAttachment:
    """`conversation` is a resource name; `pieces` are the bytes as they arrive."""

    conversation: str
    kind: Kind
    filename: str
    request_id: str
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a download; the first piece says how the file is called."""

    data: bytes
    filename: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that looks at a file before it is kept."""

    spool: Spool
    inspector: Inspector
    scanner: Scanner

    async def passed(self, file: BinaryIO) -> None:
        """Returns for a file that is fine; Refusals ATTACHMENT_..., UNAVAILABLE."""
        attachments.refuse_found(*await self.inspector.inspect(file))
        harm = await self.scanner.scan(file)
        if harm:
            raise refusals.attachment_infected(harm)


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that may be kept, by the call that brought it."""

    call: Call
    attachment: Attachment
    file: BinaryIO


class AttachmentCommands:
    """What is done with attachments."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        held: Attachments,
        files: FileStore,
        examination: Examination,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._store = store
        self._held = held
        self._files = files
        self._examination = examination
        self._clock = clock
        self._ids = ids

    async def upload_attachment(self, call: Call, command: UploadAttachment) -> Attachment:
        """Takes a file, examines it, keeps it. Refusals: NOT_FOUND, ATTACHMENT_..., TOO_MANY_ATTACHMENTS."""
        async with self.examined(call, command) as found:
            return await self.keep(found)

    @asynccontextmanager
    async def examined(self, call: Call, command: UploadAttachment) -> AsyncIterator[Examined]:
        """Takes a file and examines it; inside of the context it can be kept. Refusals: NOT_FOUND,
        ATTACHMENT_...; Replay where it was kept before.
        """
        _, seat = await self._database.read_for(
            call, lambda tx: visible(self._store, tx, call, command.conversation)
        )
        filename = attachments.checked_filename(command.filename)
        intake = Intake()
        with self._examination.spool.opened() as file:
            async for piece in command.pieces:
                intake.take(piece)
                file.write(piece)
            content = intake.finish()
            call.once(command.request_id, _fingerprint(command, content))
            await self._database.replay(call)
            await self._examination.passed(file)
            made = Attachment(
                conversation=command.conversation,
                id=self._ids.new(),
                kind=command.kind,
                filename=filename,
                content=content,
                author=call.principal,
                side=seat.side,
                key=self._files.new_key(),
                create_time=self._clock.now(),
            )
            yield Examined(call, made, file)

    async def keep(self, found: Examined) -> Attachment:
        """Keeps it. The row comes before the file, so that no file is ever without one: whatever is broken
        off, the timer finds it. Refusal TOO_MANY_ATTACHMENTS.
        """
        call, made, file = found.call, found.attachment, found.file

        async def begin(tx: Transaction) -> None:
            # Uploads to one conversation are counted one after another.
            await self._store.load_for_update(tx, made.conversation)
            unsent = await self._held.count_unsent(tx, conversation=made.conversation, author=made.author)
            if unsent >= attachments.UNSENT_LIMIT:
                raise refusals.too_many_attachments(made.conversation, attachments.UNSENT_LIMIT)
            await self._held.add(tx, made)
            tx.schedule(SWEEP, made.id, made.create_time + attachments.STORING_LIFE)

        async def end(tx: Transaction) -> Attachment:
            stored = attachments.stored(made)
            await self._held.save(tx, stored)
            tx.schedule(SWEEP, made.id, made.create_time + attachments.UNSENT_LIFE)
            return stored

        await self._database.transact(begin)
        await self._files.put(made.key, file)
        return await self._database.command(call, end)


class AttachmentSweeper:
    """Removes what no message names, in two steps: first nobody can send it any more, then the file goes."""

    def __init__(self, database: Database, held: Attachments, files: FileStore, clock: Clock) -> None:
        self._database = database
        self._held = held
        self._files = files
        self._clock = clock

    async def sweep(self, timer: DueTimer) -> None:
        """Takes an attachment out of use, unless it was sent."""

        async def work(tx: Transaction) -> None:
            for found in await self._held.lock(tx, [timer.key]):
                if found.state is not State.SENT:
                    await self._held.save(tx, attachments.removed(found))
                    tx.schedule(REMOVE, found.id, self._clock.now(), {"key": found.key})

        await self._database.fire(timer, work)

    async def remove(self, timer: DueTimer) -> None:
        """Removes the file, then what is remembered of it; repeated until both are gone."""
        await self._files.delete(timer.payload["key"])
        await self._database.fire(timer, lambda tx: self._held.delete(tx, timer.key))


class AttachmentQueries:
    """Downloading."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        timelines: Timelines,
        held: Attachments,
        files: FileStore,
        *,
        feed: LiveFeed,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._store = store
        self._timelines = timelines
        self._held = held
        self._files = files
        self._feed = feed
        self._clock = clock
        self._ids = ids

    async def download_attachment(self, call: Call, name: str) -> AsyncIterator[Piece]:
        """The file, to whoever may have it now. Refusal NOT_FOUND."""
        conversation = name.partition("/attachments/")[0]

        async def look(tx: Transaction) -> tuple[Attachment, Seat]:
            _, seat = await visible(self._store, tx, call, conversation)
            found = await self._held.find(tx, name)
            if found is None or not found.visible_to(seat):
                raise not_found(name)
            return found, seat

        found, seat = await self._database.read_for(call, look)
        pieces = await self._files.open(found.key)
        if seat.side is not found.side:
            await self._note(found, seat)
        return _named(found.filename, pieces)

    async def _note(self, found: Attachment, seat: Seat) -> None:
        async def work(tx: Transaction) -> bool:
            before = await self._store.load_for_update(tx, found.conversation)
            now = self._clock.now()
            if not await self._held.note_download(tx, found, user=seat.user, now=now):
                return False
            happening = Happening(EventType.ATTACHMENT_DOWNLOADED, seat.side, found.name)
            await self._timelines.append(tx, Entry(found.conversation, self._ids.new(), now, happening))
            changed, event = attachments.downloaded(before, found, seat=seat, now=now)
            await self._store.save(tx, changed, expected=before.version)
            tx.record(event)
            return True

        if await self._database.transact(work):
            self._feed.announce(found.conversation)


@dataclass(frozen=True, slots=True)
class Sending:
    """The message with which attachments go."""

    conversation: str
    author: str
    message: str
    kind: MessageKind
    now: datetime


async def sent_with(
    held: Attachments, tx: Transaction, names: Sequence[str], sending: Sending
) -> tuple[Attachment, ...]:
    """The attachments of a message that is being sent, in the order of their names.

    Refusals: NOT_FOUND, ATTACHMENT_ALREADY_SENT.
    """
    by_name = {found.name: found for found in await held.lock(tx, [_id(name) for name in names])}
    sent = []
    for name in names:
        if name not in by_name or by_name[name].conversation != sending.conversation:
            raise not_found(name)
        changed = attachments.send(
            by_name[name],
            author=sending.author,
            message=sending.message,
            for_team=sending.kind is MessageKind.INTERNAL_NOTE,
            now=sending.now,
        )
        await held.save(tx, changed)
        tx.unschedule(SWEEP, changed.id)
        sent.append(changed)
    return tuple(sent)


def _id(name: str) -> str:
    return name.rpartition("/")[2]


async def _named(filename: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[Piece]:
    name = filename
    async for data in pieces:
        yield Piece(data, name)
        name = ""


def _fingerprint(command: UploadAttachment, content: Content) -> bytes:
    said = (command.conversation, command.kind.value, command.filename, content.sha256)
    return hashlib.sha256("\0".join(said).encode()).digest()
