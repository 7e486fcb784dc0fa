"""A payment provider for development and tests, as if it were far away.

Its books are a table of their own, written by transactions of their own: they know nothing of orders, and no
crash of the service takes them back. Like a real provider it answers one key with one outcome forever.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.money import Money
from services.orders.adapters.tables import sandbox_charge, sandbox_refund
from services.orders.domain.attempt import Action, Charge, Outcome
from services.orders.domain.refund import ChargeReference, RefundAnswer

SUCCESS: Final = "sandbox_success"
DECLINE_SOFT: Final = "sandbox_decline_soft"
DECLINE_HARD: Final = "sandbox_decline_hard"
TIMEOUT_AFTER_CHARGE: Final = "sandbox_timeout_after_charge"
REQUIRES_ACTION: Final = "sandbox_requires_action"
ACTION_FAILS: Final = "sandbox_action_fails"
ACTION_NEVER_DONE: Final = "sandbox_action_never_done"
REFUND_FAILS: Final = "sandbox_refund_fails"
TIMEOUT_AFTER_REFUND: Final = "sandbox_timeout_after_refund"

_OUTCOMES: Final = {
    SUCCESS: Charge(Outcome.CAPTURED),
    DECLINE_SOFT: Charge(Outcome.SOFT_DECLINE, "insufficient_funds"),
    DECLINE_HARD: Charge(Outcome.HARD_DECLINE, "stolen_card"),
    TIMEOUT_AFTER_CHARGE: Charge(Outcome.CAPTURED),
    REFUND_FAILS: Charge(Outcome.CAPTURED),
    TIMEOUT_AFTER_REFUND: Charge(Outcome.CAPTURED),
}
_WAITING: Final = Charge(Outcome.REQUIRES_ACTION)
_NOBODY_THERE: Final = Charge(Outcome.SOFT_DECLINE, "authentication_required")
_AFTER_ACTION: Final = {
    REQUIRES_ACTION: Charge(Outcome.CAPTURED),
    ACTION_FAILS: Charge(Outcome.SOFT_DECLINE, "authentication_failed"),
    ACTION_NEVER_DONE: _WAITING,
}
"""What a make-believe buyer does about an action until he is asked about for the first time."""
_UNKNOWN_TOKEN: Final = Charge(Outcome.HARD_DECLINE, "invalid_token")

_FIND: Final = sa.select(sandbox_charge).where(sandbox_charge.c.key == sa.bindparam("key"))
# What is there already is what is answered, and is told apart by who wrote it: one statement and one row, so
# that charges at the same moment share a trip.
_BOOK: Final = (
    insert(sandbox_charge)
    .on_conflict_do_update(index_elements=["key"], set_={"key": sandbox_charge.c.key})
    .returning(*sandbox_charge.c, sa.literal_column("xmax = 0", sa.Boolean).label("booked"))
)
_END_WAIT: Final = (
    sa.update(sandbox_charge)
    .where(
        sandbox_charge.c.key == sa.bindparam("charge"),
        sandbox_charge.c.outcome == Outcome.REQUIRES_ACTION.value,
    )
    .values(outcome=sa.bindparam("becomes"), decline_code=sa.bindparam("code"))
)
_FIND_LOCKED: Final = _FIND.with_for_update()
_FIND_REFUND: Final = sa.select(sandbox_refund).where(sandbox_refund.c.key == sa.bindparam("key"))
_REFUNDED: Final = sa.select(sa.func.coalesce(sa.func.sum(sandbox_refund.c.amount), 0)).where(
    sandbox_refund.c.charge_key == sa.bindparam("charge_key"), sandbox_refund.c.outcome == "SUCCEEDED"
)


class KeyReused(Exception):
    """A key came again with another amount or means of payment."""


class SandboxProvider:
    """Implements the port `PaymentProvider`. The token alone decides what happens."""

    name: Final = "sandbox"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def charge(
        self, key: str, amount: Money, token: str, *, attended: bool, payment: str = ""
    ) -> Charge:
        """Charges; a repeated key gets its outcome again. TimeoutError for the token whose answer is lost."""
        outcome = _OUTCOMES.get(token, _UNKNOWN_TOKEN)
        if token in _AFTER_ACTION:
            outcome = _WAITING if attended else _NOBODY_THERE
        row = {
            "key": key,
            "token": token,
            "currency": amount.currency,
            "amount": amount.amount,
            "outcome": outcome.outcome.value,
            "decline_code": outcome.decline_code,
            "create_time": self._clock.now(),
        }
        found = await self._database.write_together(lambda tx: tx.fetch_one(_BOOK, row))
        assert found is not None, "it is answered what it booked, or what is booked already"
        if (found.token, found.currency, found.amount) != (token, amount.currency, amount.amount):
            raise KeyReused(key)
        if found.booked and token == TIMEOUT_AFTER_CHARGE:
            raise TimeoutError("the answer was lost on purpose")
        return _read(found)

    async def lookup(self, key: str, reference: str = "") -> Charge | None:
        """What became of a key. Whoever was to act has done so by then."""
        del reference
        row = await self._database.read(lambda tx: tx.fetch_one(_FIND, {"key": key}))
        if row is not None and row.outcome == Outcome.REQUIRES_ACTION.value:
            return await self._end_wait(key, _AFTER_ACTION[row.token])
        return None if row is None else _read(row)

    async def call_off(self, key: str, reference: str) -> Charge:
        """Ends a charge that waits; what it was before where it does not."""
        del reference
        return await self._end_wait(key, _NOBODY_THERE)

    async def _end_wait(self, key: str, becomes: Charge) -> Charge:
        async def work(tx: Transaction) -> Charge:
            change = {"charge": key, "becomes": becomes.outcome.value, "code": becomes.decline_code}
            await tx.execute(_END_WAIT, change)
            return _read(await tx.fetch_one(_FIND, {"key": key}))

        return await self._database.transact(work)

    async def refund(self, key: str, charge: ChargeReference, amount: Money) -> RefundAnswer:
        """Gives back; a repeated key gets its first outcome. TimeoutError where the answer is lost."""
        booked, lost, found = await self._database.transact(
            lambda tx: _book_refund(tx, key, charge.key, amount, self._clock.now())
        )
        if (found.charge_key, found.currency, found.amount) != (charge.key, amount.currency, amount.amount):
            raise KeyReused(key)
        if booked and lost:
            raise TimeoutError("the answer was lost on purpose")
        return _read_refund(found)

    async def lookup_refund(self, key: str, charge: ChargeReference) -> RefundAnswer | None:
        """What became of a refund."""
        del charge
        row = await self._database.read(lambda tx: tx.fetch_one(_FIND_REFUND, {"key": key}))
        return None if row is None else _read_refund(row)


async def _book_refund(
    tx: Transaction, key: str, charge_key: str, amount: Money, now: datetime
) -> tuple[bool, bool, Any]:
    charged = await tx.fetch_one(_FIND_LOCKED, {"key": charge_key})
    found = await tx.fetch_one(_FIND_REFUND, {"key": key})
    if found is not None:
        return False, False, found
    failure = await _why_not(tx, charged, charge_key, amount)
    row = {
        "key": key,
        "charge_key": charge_key,
        "currency": amount.currency,
        "amount": amount.amount,
        "outcome": "FAILED" if failure else "SUCCEEDED",
        "failure_code": failure,
        "create_time": now,
    }
    await tx.execute(sa.insert(sandbox_refund), row)
    lost = charged is not None and charged.token == TIMEOUT_AFTER_REFUND
    return True, lost, await tx.fetch_one(_FIND_REFUND, {"key": key})


async def _why_not(tx: Transaction, charged: Any, charge_key: str, amount: Money) -> str:
    """The code of a refusal; empty where the money goes back."""
    if charged is None or charged.outcome != Outcome.CAPTURED.value:
        return "charge_not_found"
    if charged.token == REFUND_FAILS:
        return "expired_or_canceled_card"
    back = int(await tx.scalar(_REFUNDED, {"charge_key": charge_key}))
    return "amount_too_large" if back + amount.amount > charged.amount else ""


def _read_refund(row: Any) -> RefundAnswer:
    return RefundAnswer(row.outcome == "SUCCEEDED", row.failure_code)


def _read(row: Any) -> Charge:
    outcome = Outcome(row.outcome)
    # An address that leads nowhere: there is nothing to do, and the sandbox says that it was done.
    waits = outcome is Outcome.REQUIRES_ACTION
    action = Action(f"https://sandbox.invalid/actions/{row.key}") if waits else None
    return Charge(outcome, row.decline_code, action=action)
