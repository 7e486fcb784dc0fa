"""Taking money, in steps that a crash may interrupt anywhere.

1. `charge`: a new attempt and its key are committed, together with the timer that asks what became of it.
2. The provider is called, outside of any transaction.
3. Its answer is committed, and the timer goes away.

Where step 3 never comes (no answer, a crash), `enquire` asks the provider by the key. Either it tells the
answer, or it never saw the key, which is then submitted again: the same key, never a new one. For an order
that was cancelled meanwhile it is not submitted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from chassis import telemetry
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from services.orders.app.ports import Offers, PaymentOwner, PaymentOwners, PaymentProvider, Repository
from services.orders.domain import ledger
from services.orders.domain import payment as payments
from services.orders.domain.order import Order
from services.orders.domain.payment import UNRESOLVED, Charge, Payment, State

CHARGE: Final = "payment.charge"
ENQUIRE: Final = "payment.enquire"
ADDRESSES: Final = "order.addresses"

_log = telemetry.logger("orders.payments")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the provider's answer is waited for, and after how long it is asked again for the first time.

    `first_enquiry` is also the lease of an attempt: one that is still unanswered then counts as lost.
    """

    answer: timedelta
    first_enquiry: timedelta


def charge_timer(payment: Payment, now: datetime) -> tuple[str, str, datetime, Mapping[str, Any]]:
    """The timer that submits a payment at once."""
    return CHARGE, payment.id, now, {"payment": payment.name}


def schedule_charge(tx: Transaction, payment: Payment, now: datetime) -> None:
    """Submits a payment as soon as the running transaction is committed."""
    tx.schedule(*charge_timer(payment, now))


class PaymentTimers:
    """The two timers of a payment."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        provider: PaymentProvider,
        clock: Clock,
        *,
        owners: PaymentOwners,
        patience: Patience,
    ) -> None:
        """`owners` finds whatever is paid, orders and subscriptions alike."""
        self._database = database
        self._repository = repository
        self._provider = provider
        self._clock = clock
        self._owners = owners
        self._patience = patience

    async def charge(self, timer: DueTimer) -> None:
        """Begins an attempt, then submits it."""
        begun: list[Payment] = []

        async def work(tx: Transaction) -> None:
            begun.clear()
            owner, payment = await self._load(tx, timer)
            if payment.state is not State.CREATED:
                return
            if not owner.is_owed(payment):
                await self._give_up(tx, owner, payment)
                return
            now = self._clock.now()
            submitted = payments.submit(payment, now=now)
            await self._repository.save_payment(tx, submitted, expected=payment.version)
            self._schedule_enquiry(tx, submitted, 1, now + self._patience.first_enquiry)
            begun.append(submitted)

        if await self._database.fire(timer, work) and begun:
            await self._submit(begun[0])

    async def enquire(self, timer: DueTimer) -> None:
        """Finds out what became of an attempt whose answer is missing."""
        name = str(timer.payload["payment"])
        payment = await self._database.read(lambda tx: self._repository.load_payment(tx, name))
        if payment is None or payment.state not in UNRESOLVED:
            await self._database.fire(timer, _nothing)
            return
        attempt = payment.last_attempt
        _log.warning("payment_enquired", payment=name, attempt=attempt.number, round=timer.payload["round"])
        try:
            async with asyncio.timeout(self._patience.answer.total_seconds()):
                found = await self._provider.lookup(attempt.key)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nothing is known
            _log.warning("payment_provider_failed", payment=name, error_type=type(error).__name__)
            await self._database.fire(timer, lambda tx: self._still_unknown(tx, timer, attempt.number))
            return
        if found is not None:
            await self._database.fire(timer, lambda tx: self._settle(tx, name, attempt.number, found))
            return
        await self._submit_again(timer, attempt.number)

    async def _submit_again(self, timer: DueTimer, number: int) -> None:
        again: list[Payment] = []

        async def work(tx: Transaction) -> None:
            again.clear()
            owner, payment = await self._load(tx, timer)
            if payment.state not in UNRESOLVED or payment.last_attempt.number != number:
                return
            if not owner.is_owed(payment):
                await self._give_up(tx, owner, payment)
                return
            submitted = payments.resubmit(payment, now=self._clock.now())
            await self._repository.save_payment(tx, submitted, expected=payment.version)
            self._schedule_after_again(tx, timer, submitted)
            again.append(submitted)

        if await self._database.fire(timer, work) and again:
            await self._submit(again[0])

    async def _give_up(self, tx: Transaction, owner: PaymentOwner, payment: Payment) -> None:
        """Nothing was taken for what is not owed any more, and nothing shall be."""
        now = self._clock.now()
        voided = payments.void(payment, actor=Actor.TIMER, now=now)
        await self._repository.save_payment(tx, voided, expected=payment.version)
        await owner.given_up(tx, voided, now=now)

    async def _submit(self, payment: Payment) -> None:
        """Asks the provider, outside of any transaction, and keeps its answer."""
        attempt = payment.last_attempt
        try:
            async with asyncio.timeout(self._patience.answer.total_seconds()):
                charge = await self._provider.charge(attempt.key, payment.amount, attempt.token)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the money may have been taken
            _log.warning("payment_provider_failed", payment=payment.name, error_type=type(error).__name__)
            await self._database.transact(lambda tx: self._lose(tx, payment.name, attempt.number))
            return
        await self._database.transact(lambda tx: self._answered(tx, payment, attempt.number, charge))

    async def _answered(self, tx: Transaction, payment: Payment, number: int, charge: Charge) -> None:
        # First the timer, then the owner of the payment: a timer that fires takes its locks in this order.
        await tx.remove_timer(ENQUIRE, payment.id)
        await self._settle(tx, payment.name, number, charge)

    async def _settle(self, tx: Transaction, name: str, number: int, charge: Charge) -> None:
        owner, payment = await self._load_both(tx, name)
        now = self._clock.now()
        resolved = payments.resolve(payment, number, charge, now=now)
        if resolved is payment:
            return
        await self._repository.save_payment(tx, resolved, expected=payment.version)
        if resolved.state is State.CAPTURED:
            await self._repository.post(tx, ledger.captured(resolved))
        await owner.settled(tx, resolved, now=now)

    async def _lose(self, tx: Transaction, name: str, number: int) -> None:
        _, payment = await self._load_both(tx, name)
        lost = payments.lose(payment, number, now=self._clock.now())
        if lost is not payment:
            await self._repository.save_payment(tx, lost, expected=payment.version)

    async def _still_unknown(self, tx: Transaction, timer: DueTimer, number: int) -> None:
        _, payment = await self._load(tx, timer)
        if payment.state not in UNRESOLVED:
            return
        lost = payments.lose(payment, number, now=self._clock.now())
        if lost is not payment:
            await self._repository.save_payment(tx, lost, expected=payment.version)
        self._schedule_next(tx, timer, payment)

    def _schedule_next(self, tx: Transaction, timer: DueTimer, payment: Payment) -> None:
        done = int(timer.payload["round"])
        pause = payments.next_enquiry(done)
        if pause is None:
            _log.error("payment_unresolved", payment=payment.name, enquiries=done)
            return
        self._schedule_enquiry(tx, payment, done + 1, self._clock.now() + pause)

    def _schedule_after_again(self, tx: Transaction, timer: DueTimer, payment: Payment) -> None:
        """An attempt that was submitted only now is asked about as soon as any other, once in each round."""
        if timer.payload.get("again"):
            self._schedule_next(tx, timer, payment)
            return
        due = self._clock.now() + self._patience.first_enquiry
        payload = {"payment": payment.name, "round": int(timer.payload["round"]), "again": True}
        tx.schedule(ENQUIRE, payment.id, due, payload)

    def _schedule_enquiry(self, tx: Transaction, payment: Payment, round_number: int, due: datetime) -> None:
        tx.schedule(ENQUIRE, payment.id, due, {"payment": payment.name, "round": round_number})

    async def _load(self, tx: Transaction, timer: DueTimer) -> tuple[PaymentOwner, Payment]:
        return await self._load_both(tx, str(timer.payload["payment"]))

    async def _load_both(self, tx: Transaction, name: str) -> tuple[PaymentOwner, Payment]:
        # The lock of the owner covers its payments.
        owner = await self._owners.lock(tx, name.partition("/payments/")[0])
        payment = await self._repository.load_payment(tx, name)
        if owner is None or payment is None:
            raise LookupError(f"{name} does not exist")
        return owner, payment


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


def schedule_addresses(tx: Transaction, order: Order, now: datetime) -> None:
    """Reads the addresses of an order's offer later."""
    tx.schedule(ADDRESSES, order.id, now, {"order": order.name, "offer": order.offer})


async def _nothing(_: Transaction) -> None:
    return
