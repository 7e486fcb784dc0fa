"""Mails into a folder, one file each: for one machine and for tests. Nobody is mailed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from services.messaging.adapters.mail_writing import MailWriter
from services.messaging.app.mail_ports import TransportRefused
from services.messaging.domain.mail import Mail

_MODE = 0o600


class FolderTransport:
    """`<time>-<mail>.eml`; a mail that is sent again replaces itself."""

    def __init__(self, folder: Path, writer: MailWriter) -> None:
        self._folder = folder
        self._writer = writer

    async def send(self, mail: Mail) -> None:
        """The file exists wholly or not at all."""
        content = self._writer.write(mail).as_bytes()
        name = f"{mail.create_time:%Y%m%dT%H%M%S}-{mail.id}.eml"
        await asyncio.to_thread(_write, self._folder, name, content)


class NoTransport:
    """Neither a server nor a folder is set: mails wait as for a server that is down."""

    async def send(self, mail: Mail) -> None:
        """Never."""
        raise TransportRefused("NO_MAIL_SERVER", lasting=False)


def _write(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{name}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(folder / name)
