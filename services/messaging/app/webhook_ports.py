"""What webhooks need from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest
from services.messaging.domain.timeline import Entry
from services.messaging.domain.webhook import Answer, Delivery, Endpoint


class Webhooks(Protocol):
    """Keeps endpoints and what is told to them."""

    async def add(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Adds an endpoint."""
        ...

    async def save(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Stores its state and its secrets."""
        ...

    async def endpoint(self, tx: Transaction, name: str, *, locked: bool = False) -> Endpoint | None:
        """The endpoint of this name."""
        ...

    async def endpoints(self, tx: Transaction, seller: str, page: PageRequest) -> Page[Endpoint]:
        """Those of a seller, the oldest first."""
        ...

    async def count(self, tx: Transaction, seller: str) -> int:
        """How many a seller has; others that add one wait until the transaction ends."""
        ...

    async def remove(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Removes it with its deliveries."""
        ...

    async def queue(self, tx: Transaction, entry: Entry, *, kind: str, body: str) -> list[Delivery]:
        """Keeps what is to be told of an entry to each endpoint of the seller; answers those before which
        nothing waits. The conversation is locked.
        """
        ...

    async def first(
        self, tx: Transaction, endpoint: str, conversation: str, *, locked: bool = False
    ) -> Delivery | None:
        """The delivery whose turn it is."""
        ...

    async def delivery(self, tx: Transaction, name: str, *, locked: bool = False) -> Delivery | None:
        """The delivery of this name."""
        ...

    async def deliveries(self, tx: Transaction, endpoint: str, page: PageRequest) -> Page[Delivery]:
        """Those of an endpoint, the newest first."""
        ...

    async def update(self, tx: Transaction, before: Delivery, after: Delivery) -> None:
        """Stores what came of an attempt, unless the delivery left the state that it had before."""
        ...

    async def give_up(self, tx: Transaction, endpoint: str) -> None:
        """Fails whatever waits for an endpoint."""
        ...

    async def lock(self, tx: Transaction, conversation: str) -> None:
        """Nothing is added to the conversation until the transaction ends."""
        ...


class WebhookTransport(Protocol):
    """Carries webhooks."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What the endpoint said."""
        ...
