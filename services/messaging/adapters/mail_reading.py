"""Reads mails in threads, so that everybody else goes on meanwhile."""

from __future__ import annotations

import asyncio
from typing import Final

from services.messaging.domain import mail_content
from services.messaging.domain import mail_in_refusals as refusals
from services.messaging.domain.mail_content import Letter, Unreadable

AT_ONCE: Final = 2
"""Mails that are read at the same time; the others wait."""


class ThreadedReader:
    """Implements `app.mail_in_ports.MailReader`."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def read(self, content: bytes) -> Letter:
        """What it says. Refusal MAIL_UNREADABLE."""
        async with self._places:
            try:
                return await asyncio.to_thread(mail_content.read, content)
            except Unreadable as error:
                raise refusals.mail_unreadable(error.problem) from error
