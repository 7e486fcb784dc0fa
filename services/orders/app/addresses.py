"""Addresses of an order that could not be read when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from chassis.db import Database, DueTimer
from services.orders.app.ports import Offers, Repository
from services.orders.domain.order import Order

ADDRESSES: Final = "order.addresses"


class AddressTimer:
    """Fetches addresses that could not be read when the order was made."""

    def __init__(self, database: Database, repository: Repository, offers: Offers) -> None:
        self._database = database
        self._repository = repository
        self._offers = offers

    async def fetch(self, timer: DueTimer) -> None:
        """Asks the offers service; its refusal leaves the timer for a later try."""
        billing, delivery = await self._offers.addresses(str(timer.payload["offer"]))
        name = str(timer.payload["order"])
        await self._database.fire(
            timer, lambda tx: self._repository.set_addresses(tx, name, billing, delivery)
        )


def addresses_timer(order: Order, now: datetime) -> tuple[str, str, datetime, Mapping[str, Any]]:
    """The timer that reads the addresses of an order's offer later."""
    return ADDRESSES, order.id, now, {"order": order.name, "offer": order.offer}
