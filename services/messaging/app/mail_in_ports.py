"""What taking mails in needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from chassis.call import Call
from chassis.db import Transaction
from chassis.kernel.caller import Caller
from chassis.kernel.page import Page, PageRequest
from services.messaging.domain.mail_content import Letter
from services.messaging.domain.mail_in import ReceivedMail
from services.messaging.domain.reply_address import ReplyAddress


class ReplyAddresses(Protocol):
    """Keeps to whom reply addresses belong."""

    async def newest(
        self, tx: Transaction, *, conversation: str, user: str, since: datetime
    ) -> ReplyAddress | None:
        """The newest address of a participant that was made since then; None where there is none, also where
        his grant is younger.
        """
        ...

    async def add(self, tx: Transaction, address: ReplyAddress) -> None:
        """Adds it."""
        ...

    async def find(self, tx: Transaction, address_id: str) -> ReplyAddress | None:
        """The address of this id; None where there is none."""
        ...

    async def delete(self, tx: Transaction, address_id: str) -> None:
        """Forgets it."""
        ...


class ReceivedMails(Protocol):
    """Remembers what became of mails."""

    async def find(self, tx: Transaction, *, address: str, key: str) -> ReceivedMail | None:
        """A mail that came before; None where it did not."""
        ...

    async def keep(self, tx: Transaction, mail: ReceivedMail) -> ReceivedMail:
        """Adds it, or what became of it this time; how it is kept now."""
        ...

    async def posted_digests(
        self, tx: Transaction, *, user: str, conversation: str, since: datetime
    ) -> Sequence[str]:
        """What somebody has posted by mail in a conversation since then."""
        ...

    async def mail_recipient(self, tx: Transaction, mail: str) -> str:
        """To whom a mail of ours went; empty where nothing is known of it."""
        ...

    async def list_for(self, tx: Transaction, *, user: str, page: PageRequest) -> Page[ReceivedMail]:
        """Those of a person, the newest first."""
        ...

    async def delete(self, tx: Transaction, mail: str) -> None:
        """Forgets it."""
        ...


class MailReader(Protocol):
    """Reads mails, beside whatever else is going on."""

    async def read(self, content: bytes) -> Letter:
        """What a mail says. Refusal MAIL_UNREADABLE."""
        ...


class Calls(Protocol):
    """Makes the calls that a mail stands for, as if its author made them."""

    def sending(self, caller: Caller, *, key: str, digest: str) -> Call:
        """A SendMessage that is done once for `key`; `digest` is what it says."""
        ...

    def uploading(self, caller: Caller) -> Call:
        """An UploadAttachment, whose key the command brings."""
        ...

    def attachment_of(self, answer: bytes) -> str:
        """The name of the attachment in a stored answer of an UploadAttachment."""
        ...

    def message_of(self, answer: bytes) -> str:
        """The name of the message in a stored answer of a SendMessage."""
        ...
