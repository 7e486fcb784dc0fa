"""What attachments need from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol

from chassis.db import Transaction
from services.messaging.domain.attachment import Attachment, Finding


class Attachments(Protocol):
    """Remembers what was uploaded."""

    async def add(self, tx: Transaction, attachment: Attachment) -> None:
        """Adds it."""
        ...

    async def save(self, tx: Transaction, attachment: Attachment) -> None:
        """Stores its state and its message."""
        ...

    async def find(self, tx: Transaction, name: str) -> Attachment | None:
        """The attachment of this name; None where there is none."""
        ...

    async def lock(self, tx: Transaction, ids: Collection[str]) -> list[Attachment]:
        """Those that exist, locked until the transaction ends, in the order of the ids."""
        ...

    async def count_unsent(self, tx: Transaction, *, conversation: str, author: str) -> int:
        """How many a participant has in a conversation that no message names."""
        ...

    async def note_download(
        self, tx: Transaction, attachment: Attachment, *, user: str, now: datetime
    ) -> bool:
        """Whether this is the first download by this user."""
        ...

    async def delete(self, tx: Transaction, attachment_id: str) -> None:
        """Forgets it."""
        ...


class Spool(Protocol):
    """Room for files that are not yet trusted."""

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """An empty file without a name; gone with the context."""
        ...


class Inspector(Protocol):
    """Looks into PDFs."""

    async def inspect(self, file: BinaryIO) -> tuple[Finding, str]:
        """What it is, and what was found that must not be there."""
        ...


class Scanner(Protocol):
    """Looks for what is known to be harmful."""

    async def scan(self, file: BinaryIO) -> str:
        """The name of what was found, empty for nothing. Refusal UNAVAILABLE where nobody can say."""
        ...


class FileStore(Protocol):
    """Keeps files under keys that nobody can guess. Refusal UNAVAILABLE where it cannot be reached."""

    def new_key(self) -> str:
        """A key that was never used."""
        ...

    async def put(self, key: str, file: BinaryIO) -> None:
        """Keeps a file."""
        ...

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """Its bytes, piece by piece."""
        ...

    async def delete(self, key: str) -> None:
        """Removes it; nothing where it is not there."""
        ...
