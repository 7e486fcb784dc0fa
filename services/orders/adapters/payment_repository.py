"""Payments and their attempts in PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db import Transaction
from chassis.kernel.money import Money
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.orders.adapters.tables import payment, payment_attempt, payment_refund
from services.orders.domain.attempt import Action, Attempt, Outcome
from services.orders.domain.payment import Payment, Purpose, State
from services.orders.domain.refund import Refund, RefundReason, RefundState

_PAYMENT: Final = sa.select(payment).where(payment.c.id == sa.bindparam("id"))
_SOME_PAYMENTS: Final = sa.select(payment).where(
    payment.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Text)))
)
_ADD_PAYMENT: Final = insert(payment)
_PAYMENTS_OF: Final = {
    "orders": sa.select(payment)
    .where(payment.c.order_id == sa.bindparam("owner_id"))
    .order_by(payment.c.create_time, payment.c.id),
    "subscriptions": sa.select(payment)
    .where(payment.c.subscription_id == sa.bindparam("owner_id"))
    .order_by(payment.c.create_time, payment.c.id),
}
_SAVE_PAYMENT: Final = (
    sa.update(payment)
    .where(payment.c.id == sa.bindparam("key"), payment.c.version == sa.bindparam("expected"))
    .returning(payment.c.id)
)
_ATTEMPTS: Final = (
    sa.select(payment_attempt)
    .where(payment_attempt.c.payment_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Text))))
    .order_by(payment_attempt.c.number)
)
_ANSWERED: Final = (
    "outcome",
    "decline_code",
    "resolve_time",
    "reference",
    "note",
    "action_url",
    "action_secret",
    "action_expire_time",
)
"""What becomes known of an attempt after it was begun."""
_SAVE_ATTEMPT: Final = insert(payment_attempt).on_conflict_do_update(
    index_elements=["payment_id", "number"],
    set_={name: sa.text(f"excluded.{name}") for name in _ANSWERED},
)
_REFUNDS: Final = (
    sa.select(payment_refund)
    .where(payment_refund.c.payment_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Text))))
    .order_by(payment_refund.c.number)
)
_SAVE_REFUND: Final = insert(payment_refund).on_conflict_do_update(
    index_elements=["payment_id", "number"],
    set_={name: sa.text(f"excluded.{name}") for name in ("state", "failure_code", "resolve_time", "note")},
)


_NAMED: Final = (payment.c.id, payment.c.order_id, payment.c.subscription_id)
_BY_ATTEMPT: Final = (
    sa.select(*_NAMED, payment_attempt.c.number)
    .join(payment_attempt, payment_attempt.c.payment_id == payment.c.id)
    .where(payment_attempt.c.key == sa.bindparam("key"))
)
_BY_REFUND: Final = (
    sa.select(*_NAMED, payment_refund.c.number)
    .join(payment_refund, payment_refund.c.payment_id == payment.c.id)
    .where(payment_refund.c.key == sa.bindparam("key"))
)


class LostUpdate(Exception):
    """A row changed although it was locked: a defect, never an answer."""


class PaymentRepository:
    """The rows of payments, whatever they are for. Whoever changes one holds the lock of its owner."""

    async def add_payment(self, tx: Transaction, new: Payment) -> None:
        """Stores a new payment with its attempt, if it has one, when the work of the transaction is done.
        ConstraintError for a second one of an owner and purpose.
        """
        tx.postpone(_ADD_PAYMENT, payment_row(new))
        self._save_attempt(tx, new)

    async def load_payment(self, tx: Transaction, name: str) -> Payment | None:
        """The payment of that name. Its owner's row is what has to be locked to change it."""
        owner, _, payment_id = name.partition("/payments/")
        row = await tx.fetch_one(_PAYMENT, {"id": payment_id})
        if row is None or _owner(row) != owner:
            return None
        (found,) = await self._read_payments(tx, [row])
        return found

    async def payment_by_key(self, tx: Transaction, key: str) -> tuple[str, int, bool] | None:
        """The payment that has an attempt, or (True) a refund, of that key, and which one of it."""
        for statement, is_refund in ((_BY_ATTEMPT, False), (_BY_REFUND, True)):
            row = await tx.fetch_one(statement, {"key": key})
            if row is not None:
                return f"{_owner(row)}/payments/{row.id}", row.number, is_refund
        return None

    async def load_payments(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, Payment]:
        """Payments by name, those that exist. Their owners' rows are what has to be locked to change them."""
        rows = await tx.fetch_all(_SOME_PAYMENTS, {"ids": [name.rpartition("/")[2] for name in names]})
        return {one.name: one for one in await self._read_payments(tx, rows) if one.name in names}

    async def payments_of(self, tx: Transaction, owner: str) -> tuple[Payment, ...]:
        """Every payment of an order or a subscription, oldest first."""
        collection, _, owner_id = owner.partition("/")
        rows = await tx.fetch_all(_PAYMENTS_OF[collection], {"owner_id": owner_id})
        return await self._read_payments(tx, rows)

    async def page_of_payments(self, tx: Transaction, owner: str, request: PageRequest) -> Page[Payment]:
        """Some of the payments of a subscription, oldest first, at the cost of the page."""
        statement = sa.select(payment).where(
            payment.c.subscription_id == owner.removeprefix("subscriptions/")
        )
        rows = await tx.fetch_all(keyset(statement, (payment.c.create_time, payment.c.id), request))
        found = await self._read_payments(tx, rows)
        return page_of(found, request, lambda one: cursor_of(one.create_time, one.id))

    async def save_payment(self, tx: Transaction, changed: Payment, *, expected: int) -> None:
        """Replaces the payment at version `expected`, its last attempt included, when the work of the
        transaction is done.
        """
        row = {**payment_row(changed), "key": changed.id, "expected": expected}
        tx.postpone(_SAVE_PAYMENT, row, lost=LostUpdate(changed.name))
        self._save_attempt(tx, changed)

    def _save_attempt(self, tx: Transaction, changed: Payment) -> None:
        if changed.attempts:
            tx.postpone(_SAVE_ATTEMPT, _attempt_row(changed.id, changed.last_attempt))

    async def save_refund(self, tx: Transaction, changed: Payment, number: int, *, expected: int) -> None:
        """Replaces the payment at version `expected` together with one of its refunds, which may be new."""
        row = {**payment_row(changed), "key": changed.id, "expected": expected}
        if await tx.fetch_one(_SAVE_PAYMENT, row) is None:
            raise LostUpdate(changed.name)
        await tx.execute(_SAVE_REFUND, _refund_row(changed.id, changed.refunds[number - 1]))

    async def _read_payments(self, tx: Transaction, rows: Sequence[Any]) -> tuple[Payment, ...]:
        """The payments of some rows, with what belongs to them: by two statements, however many they are."""
        attempts = await _belonging(tx, _ATTEMPTS, [row.id for row in rows])
        captured = [row.id for row in rows if row.state == State.CAPTURED.value]
        refunds = await _belonging(tx, _REFUNDS, captured)
        return tuple(_read_payment(row, attempts[row.id], refunds[row.id]) for row in rows)


async def _belonging(tx: Transaction, statement: Any, ids: Sequence[str]) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in await tx.fetch_all(statement, {"ids": ids}) if ids else []:
        found[row.payment_id].append(row)
    return found


def payment_row(one: Payment) -> dict[str, Any]:
    """Every column of a payment."""
    collection, _, owner_id = one.owner.partition("/")
    return {
        "id": one.id,
        "order_id": owner_id if collection == "orders" else None,
        "subscription_id": owner_id if collection == "subscriptions" else None,
        "seller": one.seller,
        "buyer": one.buyer,
        "version": one.version,
        "purpose": one.purpose.value,
        "sequence": one.sequence,
        "currency": one.amount.currency,
        "amount": one.amount.amount,
        "state": one.state.value,
        "provider": one.provider,
        "token": one.token,
        "create_time": one.create_time,
        "update_time": one.update_time,
        "capture_time": one.capture_time,
        "reserved": one.reserved.amount,
        "refunded": one.refunded.amount,
        "attended": one.is_attended,
    }


def _attempt_row(payment_id: str, attempt: Attempt) -> dict[str, Any]:
    return {
        "payment_id": payment_id,
        "number": attempt.number,
        "key": attempt.key,
        "token": attempt.token,
        "submit_time": attempt.submit_time,
        "outcome": attempt.outcome.value if attempt.outcome else None,
        "decline_code": attempt.decline_code,
        "resolve_time": attempt.resolve_time,
        "reference": attempt.reference,
        "note": attempt.note,
        "action_url": attempt.action.url if attempt.action else None,
        "action_secret": attempt.action.client_secret if attempt.action else None,
        "action_expire_time": attempt.action_expire_time,
    }


def _refund_row(payment_id: str, refund: Refund) -> dict[str, Any]:
    return {
        "payment_id": payment_id,
        "number": refund.number,
        "key": refund.key,
        "currency": refund.amount.currency,
        "amount": refund.amount.amount,
        "reason": refund.reason.value,
        "text": refund.text,
        "requested_by": refund.requested_by,
        "state": refund.state.value,
        "failure_code": refund.failure_code,
        "create_time": refund.create_time,
        "resolve_time": refund.resolve_time,
        "note": refund.note,
    }


def _owner(row: Any) -> str:
    return f"orders/{row.order_id}" if row.order_id is not None else f"subscriptions/{row.subscription_id}"


def _read_payment(row: Any, attempts: Sequence[Any], refunds: Sequence[Any]) -> Payment:
    return Payment(
        id=row.id,
        owner=_owner(row),
        seller=row.seller,
        buyer=row.buyer,
        version=row.version,
        purpose=Purpose(row.purpose),
        sequence=row.sequence,
        amount=Money(row.currency, row.amount),
        state=State(row.state),
        provider=row.provider,
        token=row.token,
        create_time=row.create_time,
        update_time=row.update_time,
        capture_time=row.capture_time,
        is_attended=row.attended,
        attempts=tuple(
            Attempt(
                number=one.number,
                key=one.key,
                token=one.token,
                submit_time=one.submit_time,
                outcome=Outcome(one.outcome) if one.outcome else None,
                decline_code=one.decline_code,
                resolve_time=one.resolve_time,
                reference=one.reference,
                note=one.note,
                action=None if one.action_url is None else Action(one.action_url, one.action_secret),
                action_expire_time=one.action_expire_time,
            )
            for one in attempts
        ),
        refunds=tuple(
            Refund(
                number=one.number,
                key=one.key,
                amount=Money(one.currency, one.amount),
                reason=RefundReason(one.reason),
                text=one.text,
                requested_by=one.requested_by,
                state=RefundState(one.state),
                create_time=one.create_time,
                resolve_time=one.resolve_time,
                failure_code=one.failure_code,
                note=one.note,
            )
            for one in refunds
        ),
    )
