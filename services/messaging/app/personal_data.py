"""What all services keep about a person, as one archive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chassis.call import Call
from chassis.kernel.clock import Clock
from chassis.kernel.page import Cursor, Page
from chassis.personal_data import PersonalRecord
from services.messaging.app.attachment_ports import FileStore
from services.messaging.app.profiles import require_own_or_operator

PAGE_RECORDS: Final = 200
"""Records that are asked for at once."""
README: Final = """\
This archive holds what Parley keeps about {user}, as of {time}.

Each folder is one of its services, each file in it one kind of record, as a list in JSON:

  gating      order requests, visits of listings
  offers      offers that were received, and how they were answered
  orders      orders, payments, subscriptions
  messaging   profile, consents, who saw contact data, conversations, messages, mails and their links
  documents   the files that were uploaded, as they are

Files of which there are no records are left out. Amounts are in the smallest unit of their
currency. What others wrote is not in here: it is theirs.
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that the person uploaded; `key` is where the store has it."""

    id: str
    key: str
    filename: str


class RecordSource(Protocol):
    """One of the services."""

    name: str

    async def page(self, user: str, cursor: Cursor | None) -> Page[PersonalRecord]:
        """What it keeps about a person, kind by kind."""
        ...


class Uploads(Protocol):
    """Knows who uploaded what."""

    async def uploads(self, user: str) -> Sequence[Upload]:
        """The files of a person."""
        ...


class Archive(Protocol):
    """A ZIP archive that is written from front to back."""

    def begin(self, name: str) -> None:
        """The next file."""
        ...

    def write(self, data: bytes) -> None:
        """More of it."""
        ...

    def end(self) -> None:
        """The file is complete."""
        ...

    def close(self) -> None:
        """The archive is complete."""
        ...

    def drain(self) -> bytes:
        """What was made since the last time."""
        ...


class ArchiveMaker(Protocol):
    """Makes empty archives."""

    def __call__(self) -> Archive:
        """One."""
        ...


class PersonalDataExport:
    """Puts the archive together piece by piece, so that neither memory nor transactions grow with it."""

    def __init__(
        self,
        sources: Sequence[RecordSource],
        uploads: Uploads,
        files: FileStore,
        new_archive: ArchiveMaker,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._uploads = uploads
        self._files = files
        self._new_archive = new_archive
        self._clock = clock

    async def export(self, call: Call, user: str) -> AsyncIterator[bytes]:
        """The bytes of the archive. Refusals: NOT_FOUND; UNAVAILABLE where a service does not answer."""
        require_own_or_operator(call, user, user)
        # Asked before anything is sent: what cannot be answered now is refused, not cut.
        first = [await source.page(user, None) for source in self._sources]
        return self._pieces(user, first)

    async def _pieces(self, user: str, first: Sequence[Page[PersonalRecord]]) -> AsyncIterator[bytes]:
        archive = self._new_archive()
        archive.begin("README.txt")
        archive.write(README.format(user=user, time=self._clock.now().isoformat()).encode())
        archive.end()
        for source, page in zip(self._sources, first, strict=True):
            async for piece in self._records(archive, source, user, page):
                yield piece
        for upload in await self._uploads.uploads(user):
            archive.begin(f"documents/{upload.id}/{upload.filename.replace('/', '_')}")
            async for data in await self._files.open(upload.key):
                archive.write(data)
                yield archive.drain()
            archive.end()
        archive.close()
        yield archive.drain()

    async def _records(
        self, archive: Archive, source: RecordSource, user: str, page: Page[PersonalRecord]
    ) -> AsyncIterator[bytes]:
        kind = ""
        while True:
            for record in page.items:
                if record.kind != kind:
                    if kind:
                        _end_list(archive)
                    kind = record.kind
                    archive.begin(f"{source.name}/{kind}.json")
                    archive.write(b"[\n")
                else:
                    archive.write(b",\n")
                archive.write(json.dumps(json.loads(record.content), ensure_ascii=False, indent=2).encode())
            yield archive.drain()
            if page.next_cursor is None:
                break
            page = await source.page(user, page.next_cursor)
        if kind:
            _end_list(archive)


def _end_list(archive: Archive) -> None:
    archive.write(b"\n]\n")
    archive.end()
