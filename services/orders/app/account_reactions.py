"""What is kept of the sellers' accounts."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.db import Database
from chassis.envelope import Delivery
from services.orders.app.subscription_ports import Subscriptions


@dataclass(frozen=True, slots=True)
class ZoneFact:
    """The time zone of a seller's account at a version of the settings."""

    seller: str
    time_zone: str
    version: int


class AccountReactions:
    """The zones whose days count for new subscriptions."""

    def __init__(self, database: Database, subscriptions: Subscriptions) -> None:
        self._database = database
        self._subscriptions = subscriptions

    async def zone_changed(self, delivery: Delivery, fact: ZoneFact) -> None:
        """Keeps the newest. Subscriptions that exist keep the zone that they began with."""
        await self._database.react(
            delivery,
            lambda tx: self._subscriptions.keep_zone(tx, fact.seller, fact.time_zone, fact.version),
        )
