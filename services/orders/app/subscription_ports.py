"""What the application needs for subscriptions from outside, in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest
from services.orders.domain.subscription.facts import Bucket, Subscription


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """Which subscriptions: of a seller's team or of a buyer, in a bucket."""

    seller: str = ""
    buyer: str = ""
    bucket: Bucket | None = None


class Subscriptions(Protocol):
    """Subscriptions. A row is saved only over the version that it was read at."""

    async def load(self, tx: Transaction, name: str, *, for_update: bool = False) -> Subscription | None:
        """The subscription, locked if wanted."""
        ...

    async def load_all(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, Subscription]:
        """Subscriptions by name, those that exist, locked."""
        ...

    async def add(self, tx: Transaction, new: Subscription) -> None:
        """Stores a new subscription."""
        ...

    def inserts(self, new: Subscription) -> tuple[Any, Mapping[str, Any]]:
        """The row of a new subscription, for a command that is a single statement."""
        ...

    async def save(self, tx: Transaction, changed: Subscription, *, expected: int) -> None:
        """Replaces the subscription at version `expected`, when the work of the transaction is done."""
        ...

    async def page(
        self, tx: Transaction, wanted: SubscriptionFilter, request: PageRequest
    ) -> Page[Subscription]:
        """Subscriptions, newest first."""
        ...

    async def zone_of(self, tx: Transaction, seller: str) -> str:
        """The time zone of a seller's account; empty where it is not known."""
        ...

    async def keep_zone(self, tx: Transaction, seller: str, time_zone: str, version: int) -> None:
        """Stores the zone of a newer version of a seller's settings."""
        ...
