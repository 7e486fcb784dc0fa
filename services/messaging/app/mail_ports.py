"""What telling people by mail needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from services.messaging.domain.mail import Mail
from services.messaging.domain.notification import Notice
from services.messaging.domain.profile import Delivery
from services.messaging.domain.verification import Verification


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody for whom a notice was kept. `last_mail` is when the last mail about the conversation was made,
    `waiting_since` since when something waits for his digest.
    """

    recipient: str
    topic: str
    delivery: Delivery
    zone: str
    last_mail: datetime | None
    waiting_since: datetime | None


class Notifications(Protocol):
    """Keeps what is to be told."""

    async def keep(self, tx: Transaction, notices: Sequence[Notice], *, now: datetime) -> list[Told]:
        """Keeps notices about one conversation for everybody who wants them by mail and has a verified
        address, each of them once for each person.
        """
        ...

    async def take(
        self, tx: Transaction, *, recipient: str, conversation: str, mail: str, now: datetime
    ) -> bool:
        """Puts what waits for a mail about a conversation (empty: for the digest) into `mail`, which is made
        for it; False where nothing waits.
        """
        ...


class Mails(Protocol):
    """Keeps mails on their way."""

    async def add_verification(
        self, tx: Transaction, *, mail: str, recipient: str, token: str, now: datetime
    ) -> None:
        """A mail that asks for a proof, in the place of those that have not left yet."""
        ...

    async def load(self, tx: Transaction, mail: str) -> Mail | None:
        """A mail that has not left, with its recipient as he is now; None where it has."""
        ...

    async def end(self, tx: Transaction, mail: str, *, failure: str, now: datetime) -> None:
        """It left (no failure), or never will."""
        ...


class Verifications(Protocol):
    """Keeps what is known of the tokens."""

    async def load_for_update(self, tx: Transaction, user: str) -> Verification:
        """What is kept of a person whose profile is locked; empty where nothing is."""
        ...

    async def save(self, tx: Transaction, verification: Verification) -> None:
        """Stores it."""
        ...


class TransportRefused(Exception):
    """The mail server did not take a mail.

    `code` is its answer, or a word of ours. `lasting`: another try would end alike. `recipient`: because of
    the address and nothing else.
    """

    def __init__(self, code: str, *, lasting: bool, recipient: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.lasting = lasting
        self.recipient = recipient


class Transport(Protocol):
    """Hands mails to a mail server, or to whatever stands in for one."""

    async def send(self, mail: Mail) -> None:
        """Returns once it is taken; TransportRefused otherwise. The same mail has the same Message-ID."""
        ...
