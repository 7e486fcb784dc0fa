"""A payment provider for development and tests, as if it were far away.

Its books are a table of their own, written by transactions of their own: they know nothing of orders, and no
crash of the service takes them back. Like a real provider it answers one key with one outcome forever.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.money import Money
from services.orders.adapters.tables import sandbox_charge
from services.orders.domain.payment import Charge, Outcome

SUCCESS: Final = "sandbox_success"
DECLINE_SOFT: Final = "sandbox_decline_soft"
DECLINE_HARD: Final = "sandbox_decline_hard"
TIMEOUT_AFTER_CHARGE: Final = "sandbox_timeout_after_charge"

_OUTCOMES: Final = {
    SUCCESS: Charge(Outcome.CAPTURED),
    DECLINE_SOFT: Charge(Outcome.SOFT_DECLINE, "insufficient_funds"),
    DECLINE_HARD: Charge(Outcome.HARD_DECLINE, "stolen_card"),
    TIMEOUT_AFTER_CHARGE: Charge(Outcome.CAPTURED),
}
_UNKNOWN_TOKEN: Final = Charge(Outcome.HARD_DECLINE, "invalid_token")

_FIND: Final = sa.select(sandbox_charge).where(sandbox_charge.c.key == sa.bindparam("key"))
_BOOK: Final = (
    insert(sandbox_charge).on_conflict_do_nothing(index_elements=["key"]).returning(sandbox_charge.c.key)
)


class KeyReused(Exception):
    """A key came again with another amount or means of payment."""


class SandboxProvider:
    """Implements the port `PaymentProvider`. The token alone decides what happens."""

    name: Final = "sandbox"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def charge(self, key: str, amount: Money, token: str) -> Charge:
        """Charges; a repeated key gets its first outcome. TimeoutError for the token whose answer is lost."""
        outcome = _OUTCOMES.get(token, _UNKNOWN_TOKEN)
        row = {
            "key": key,
            "token": token,
            "currency": amount.currency,
            "amount": amount.amount,
            "outcome": outcome.outcome.value,
            "decline_code": outcome.decline_code,
            "create_time": self._clock.now(),
        }
        booked, found = await self._database.transact(lambda tx: _book(tx, row))
        if (found.token, found.currency, found.amount) != (token, amount.currency, amount.amount):
            raise KeyReused(key)
        if booked and token == TIMEOUT_AFTER_CHARGE:
            raise TimeoutError("the answer was lost on purpose")
        return _read(found)

    async def lookup(self, key: str) -> Charge | None:
        """What became of a key."""
        row = await self._database.read(lambda tx: tx.fetch_one(_FIND, {"key": key}))
        return None if row is None else _read(row)


async def _book(tx: Transaction, row: dict[str, Any]) -> tuple[bool, Any]:
    booked = await tx.fetch_one(_BOOK, row) is not None
    return booked, await tx.fetch_one(_FIND, {"key": row["key"]})


def _read(row: Any) -> Charge:
    return Charge(Outcome(row.outcome), row.decline_code)
