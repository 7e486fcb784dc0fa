"""Giving money back, in the same steps as taking it (see `timers`): each may be interrupted by a crash.

1. The command keeps the refund and its key; its amount counts as given back from then on.
2. `submit` commits that the provider is about to be asked, with the timer that asks what became of it.
3. The provider is called, outside of any transaction, and its answer is committed with the ledger's entries.

Where step 3 never comes, `enquire` asks the provider by the key; what it never saw is submitted again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from chassis import telemetry
from chassis.call import Call
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.money import Money
from chassis.kernel.refusal import not_found, stale_etag
from services.orders.app.ports import PaymentOwner, PaymentOwners, PaymentProvider, Repository
from services.orders.app.timers import Patience
from services.orders.app.views import PaymentView
from services.orders.domain import ledger, refunding
from services.orders.domain.payment import Payment, next_enquiry
from services.orders.domain.refund import RefundAnswer, RefundReason, RefundState

SUBMIT: Final = "refund.submit"
ENQUIRE: Final = "refund.enquire"

_log = telemetry.logger("orders.refunds")


@dataclass(frozen=True, slots=True)
class RefundPayment:
    """Money to give back: `amount`, or all that is left without it."""

    name: str
    reason: RefundReason
    amount: Money | None = None
    text: str = ""
    etag: str = ""


class RefundCommands:
    """The command that asks for a refund."""

    def __init__(
        self, database: Database, repository: Repository, *, owners: PaymentOwners, clock: Clock
    ) -> None:
        self._database = database
        self._repository = repository
        self._owners = owners
        self._clock = clock

    async def refund(self, call: Call, command: RefundPayment) -> PaymentView:
        """Keeps the refund; the provider is asked as soon as this is committed."""

        async def work(tx: Transaction) -> PaymentView:
            _, payment = await load_owned(self._repository, self._owners, tx, command.name)
            actor = call.party(buyer=payment.buyer, seller=payment.seller, name=command.name)
            if command.etag and command.etag != payment.etag:
                raise stale_etag(command.name, command.etag, payment.etag)
            now = self._clock.now()
            changed, refund = refunding.request(
                payment,
                actor=actor,
                amount=command.amount,
                reason=command.reason,
                text=command.text,
                requested_by=call.caller.user,
                now=now,
            )
            await self._repository.save_refund(tx, changed, refund.number, expected=payment.version)
            tx.schedule(SUBMIT, refund.key, now, {"payment": payment.name, "number": refund.number})
            order = await self._repository.load(tx, payment.owner) if _is_order(payment) else None
            return PaymentView(changed, order, actor)

        return await self._database.command(call, work)


async def load_owned(
    repository: Repository, owners: PaymentOwners, tx: Transaction, name: str
) -> tuple[PaymentOwner, Payment]:
    """A payment under the lock of its owner; Refusal NOT_FOUND."""
    owner = await owners.lock(tx, name.partition("/payments/")[0])
    payment = await repository.load_payment(tx, name) if owner is not None else None
    if owner is None or payment is None:
        raise not_found(name)
    return owner, payment


def _is_order(payment: Payment) -> bool:
    return payment.owner.startswith("orders/")


class RefundTimers:
    """The two timers of a refund."""

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
        self._database = database
        self._repository = repository
        self._provider = provider
        self._clock = clock
        self._owners = owners
        self._patience = patience

    async def submit(self, timer: DueTimer) -> None:
        """Begins a refund, then submits it."""
        begun: list[Payment] = []
        number = int(timer.payload["number"])

        async def work(tx: Transaction) -> None:
            begun.clear()
            _, payment = await self._load(tx, str(timer.payload["payment"]))
            if refunding.refund_of(payment, number).state is not RefundState.CREATED:
                return
            now = self._clock.now()
            submitted, refund = refunding.submit(payment, number, now=now)
            await self._repository.save_refund(tx, submitted, number, expected=payment.version)
            payload = {**timer.payload, "round": 1}
            tx.schedule(ENQUIRE, refund.key, now + self._patience.first_enquiry, payload)
            begun.append(submitted)

        if await self._database.fire(timer, work) and begun:
            await self._ask(begun[0], number)

    async def enquire(self, timer: DueTimer) -> None:
        """Finds out what became of a refund whose answer is missing."""
        name, number = str(timer.payload["payment"]), int(timer.payload["number"])
        payment = await self._database.read(lambda tx: self._repository.load_payment(tx, name))
        if payment is None or refunding.refund_of(payment, number).state not in refunding.UNRESOLVED:
            await self._database.fire(timer, _nothing)
            return
        _log.warning("refund_enquired", payment=name, refund=number, round=timer.payload["round"])
        try:
            async with asyncio.timeout(self._patience.answer.total_seconds()):
                found = await self._provider.lookup_refund(timer.key, refunding.charge_of(payment))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nothing is known
            _log.warning("payment_provider_failed", payment=name, error_type=type(error).__name__)
            await self._database.fire(timer, lambda tx: self._still_unknown(tx, timer, name, number))
            return
        if found is not None:
            await self._database.fire(timer, lambda tx: self._settle(tx, name, number, found))
            return
        await self._submit_again(timer, name, number)

    async def _submit_again(self, timer: DueTimer, name: str, number: int) -> None:
        again: list[Payment] = []

        async def work(tx: Transaction) -> None:
            again.clear()
            _, payment = await self._load(tx, name)
            if refunding.refund_of(payment, number).state not in refunding.UNRESOLVED:
                return
            submitted, _ = refunding.resubmit(payment, number, now=self._clock.now())
            await self._repository.save_refund(tx, submitted, number, expected=payment.version)
            self._schedule_next(tx, timer, name)
            again.append(submitted)

        if await self._database.fire(timer, work) and again:
            await self._ask(again[0], number)

    async def _ask(self, payment: Payment, number: int) -> None:
        """Asks the provider, outside of any transaction, and keeps its answer."""
        refund = refunding.refund_of(payment, number)
        try:
            async with asyncio.timeout(self._patience.answer.total_seconds()):
                answer = await self._provider.refund(refund.key, refunding.charge_of(payment), refund.amount)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the money may have gone back
            _log.warning("payment_provider_failed", payment=payment.name, error_type=type(error).__name__)
            await self._database.transact(lambda tx: self._lose(tx, payment.name, number))
            return
        await self._database.transact(lambda tx: self._answered(tx, payment, number, answer))

    async def _answered(self, tx: Transaction, payment: Payment, number: int, answer: RefundAnswer) -> None:
        # First the timer, then the owner of the payment: a timer that fires takes its locks in this order.
        await tx.remove_timer(ENQUIRE, refunding.refund_of(payment, number).key)
        await self._settle(tx, payment.name, number, answer)

    async def _settle(self, tx: Transaction, name: str, number: int, answer: RefundAnswer) -> None:
        owner, payment = await self._load(tx, name)
        now = self._clock.now()
        resolved = refunding.resolve(payment, number, answer, now=now)
        if resolved is payment:
            return
        await self._repository.save_refund(tx, resolved, number, expected=payment.version)
        refund = refunding.refund_of(resolved, number)
        if refund.is_successful:
            await self._repository.post(tx, ledger.refunded(resolved, refund))
            await owner.refunded(tx, resolved, refund, now=now)
        else:
            await owner.refund_failed(tx, resolved, refund, now=now)

    async def _lose(self, tx: Transaction, name: str, number: int) -> None:
        _, payment = await self._load(tx, name)
        lost = refunding.lose(payment, number, now=self._clock.now())
        if lost is not payment:
            await self._repository.save_refund(tx, lost, number, expected=payment.version)

    async def _still_unknown(self, tx: Transaction, timer: DueTimer, name: str, number: int) -> None:
        await self._lose(tx, name, number)
        self._schedule_next(tx, timer, name)

    def _schedule_next(self, tx: Transaction, timer: DueTimer, name: str) -> None:
        done = int(timer.payload["round"])
        pause = next_enquiry(done)
        if pause is None:
            _log.error("refund_unresolved", payment=name, refund=timer.payload["number"], enquiries=done)
            return
        due: datetime = self._clock.now() + pause
        payload: dict[str, Any] = {**timer.payload, "round": done + 1}
        tx.schedule(ENQUIRE, timer.key, due, payload)

    async def _load(self, tx: Transaction, name: str) -> tuple[PaymentOwner, Payment]:
        return await load_owned(self._repository, self._owners, tx, name)


async def _nothing(_: Transaction) -> None:
    return
