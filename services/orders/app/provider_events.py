"""Word from the payment provider that something happened.

An event carries no truth: it only has the provider asked at once. So it does no harm when it comes twice,
late or before another one, and whoever could forge it could at most have us ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import Refusal, not_found
from services.orders.app.charges import ChargeErrand
from services.orders.app.errand import Errand, schedule_look
from services.orders.app.ports import ProviderEventReader, Repository
from services.orders.app.refunds import RefundErrand

EVENTS = Counter(
    "parley_provider_events",
    "Events of payment providers, by what became of them.",
    ("provider", "outcome"),
)


@dataclass(frozen=True, slots=True)
class ReceiveProviderEvent:
    """An event as it was signed, and its signature."""

    provider: str
    event: bytes
    signature: str


class ProviderEventCommands:
    """What follows from an event."""

    def __init__(
        self, database: Database, repository: Repository, reader: ProviderEventReader, *, clock: Clock
    ) -> None:
        self._database = database
        self._repository = repository
        self._reader = reader
        self._clock = clock

    async def receive(self, call: Call, command: ReceiveProviderEvent) -> None:
        """Has the provider asked about what the event is about, where its answer is missing."""
        if command.provider != self._reader.name:
            raise not_found(f"paymentProviders/{command.provider}")
        now = self._clock.now()
        try:
            keys = self._reader.keys(command.event, command.signature, now)
        except Refusal:
            EVENTS.labels(self._reader.name, "refused").inc()
            raise

        async def work(tx: Transaction) -> list[str]:
            found = [await self._errand(tx, key) for key in keys]
            for errand in found:
                if errand is not None and errand.is_open:
                    schedule_look(tx, errand, now)
            return _outcomes(found)

        for outcome in await self._database.command(call, work) if keys else ["unknown"]:
            EVENTS.labels(self._reader.name, outcome).inc()

    async def _errand(self, tx: Transaction, key: str) -> Errand[Any] | None:
        name, number, is_refund = await self._repository.payment_by_key(tx, key) or ("", 0, False)
        payment = await self._repository.load_payment(tx, name) if name else None
        if payment is None:
            return None
        return RefundErrand(payment, number) if is_refund else ChargeErrand(payment, number)


def _outcomes(found: Sequence[Errand[Any] | None]) -> list[str]:
    return ["unknown" if one is None else "asked" if one.is_open else "settled" for one in found]
