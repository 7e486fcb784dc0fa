"""What magic links need from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from chassis.kernel.machine import ActionState
from services.messaging.domain.magic_link import MagicLink, Subject


@dataclass(frozen=True, slots=True)
class Addressed:
    """A notice in a mail that its recipient can answer by a link."""

    notice: str
    recipient: str
    subject: Subject


class Links(Protocol):
    """Keeps links."""

    async def wanted(self, tx: Transaction, mail: str) -> list[Addressed]:
        """What the recipient of a mail that was just made can answer by a link."""
        ...

    async def add(self, tx: Transaction, link: MagicLink, *, mail: str, notice: str, token: str) -> None:
        """A new link; its token is kept until the mail has left."""
        ...

    async def load(self, tx: Transaction, link_id: str) -> MagicLink | None:
        """A link; None where there is none."""
        ...

    async def load_for_update(self, tx: Transaction, link_id: str) -> MagicLink | None:
        """The same, locked until the transaction ends."""
        ...

    async def save_use(self, tx: Transaction, link: MagicLink) -> None:
        """What a locked link was used for."""
        ...

    async def revoke(self, tx: Transaction, user: str) -> None:
        """Takes back every unused link of a person, also of mails that have not left."""
        ...


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """Where a bill or a delivery goes."""

    recipient: str
    organization: str
    address_lines: tuple[str, ...]
    postal_code: str
    locality: str
    region_code: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What comes with an acceptance."""

    payment_token: str = ""
    billing_address: PostalAddress | None = None
    delivery_address: PostalAddress | None = None


@dataclass(frozen=True, slots=True)
class OfferNow:
    """An offer as its buyer sees it. `explanations` are of reasons, in English. `is_online`: paid so."""

    revision: int
    expire_time: datetime | None
    is_online: bool
    actions: tuple[ActionState, ...]
    explanations: Mapping[str, str] = field(default_factory=dict)


class Offers(Protocol):
    """The offers service, asked in the name of a buyer (`users/{user}`).

    Refusals: its own, and UNAVAILABLE PEER_UNAVAILABLE. Calls with the same `key` are the same call.
    """

    async def look(self, offer: str, *, buyer: str) -> OfferNow:
        """What can be done about it."""
        ...

    async def accept(self, offer: str, *, buyer: str, revision: int, consent: Consent, key: str) -> str:
        """Accepts a revision; the order."""
        ...

    async def decline(self, offer: str, *, buyer: str, revision: int, key: str) -> None:
        """Declines a revision."""
        ...
