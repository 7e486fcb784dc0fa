"""An operator's way out for charges and refunds that the provider never told about."""

from __future__ import annotations

from dataclasses import dataclass

from chassis import telemetry
from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import stale_etag
from services.orders.app import timers
from services.orders.app.ports import PaymentOwners, Repository
from services.orders.app.refunds import ENQUIRE as ENQUIRE_REFUND
from services.orders.app.refunds import load_owned
from services.orders.app.views import PaymentView
from services.orders.domain import ledger, settlement
from services.orders.domain.payment import Payment, State

_log = telemetry.logger("orders.payments")


@dataclass(frozen=True, slots=True)
class SettlePayment:
    """The charge of a payment, or with `refund_number` one of its refunds: the money moved, or did not."""

    name: str
    moved: bool
    note: str
    refund_number: int = 0
    etag: str = ""


class SettlementCommands:
    """The operator's decision takes the place of the provider's answer."""

    def __init__(
        self, database: Database, repository: Repository, *, owners: PaymentOwners, clock: Clock
    ) -> None:
        self._database = database
        self._repository = repository
        self._owners = owners
        self._clock = clock

    async def settle(self, call: Call, command: SettlePayment) -> PaymentView:
        """Decides, once and for ever: what the provider says later changes nothing."""

        async def work(tx: Transaction) -> PaymentView:
            payment = await self._repository.load_payment(tx, command.name)
            if payment is not None:
                # First the timer, then the owner: a timer that fires takes its locks in this order.
                await self._remove_timer(tx, payment, command.refund_number)
            _, payment = await load_owned(self._repository, self._owners, tx, command.name)
            actor = call.party(buyer=payment.buyer, seller=payment.seller, name=command.name)
            if command.etag and command.etag != payment.etag:
                raise stale_etag(command.name, command.etag, payment.etag)
            settled = await self._decide(tx, payment, command)
            _log.warning("payment_settled", payment=payment.name, moved=command.moved)
            is_order = payment.owner.startswith("orders/")
            order = await self._repository.load(tx, payment.owner) if is_order else None
            return PaymentView(settled, order, actor)

        return await self._database.command(call, work)

    async def _decide(self, tx: Transaction, payment: Payment, command: SettlePayment) -> Payment:
        owner, _ = await load_owned(self._repository, self._owners, tx, payment.name)
        now, number = self._clock.now(), command.refund_number
        if number:
            settled = settlement.settle_refund(
                payment, number, moved=command.moved, note=command.note, now=now
            )
            await self._repository.save_refund(tx, settled, number, expected=payment.version)
            refund = settled.refunds[number - 1]
            if refund.is_successful:
                await self._repository.post(tx, ledger.refunded(settled, refund))
                await owner.refunded(tx, settled, refund, now=now)
            else:
                await owner.refund_failed(tx, settled, refund, now=now)
            return settled
        settled = settlement.settle_charge(payment, moved=command.moved, note=command.note, now=now)
        await self._repository.save_payment(tx, settled, expected=payment.version)
        if settled.state is State.CAPTURED:
            await self._repository.post(tx, ledger.captured(settled))
        await owner.settled(tx, settled, now=now)
        return settled

    async def _remove_timer(self, tx: Transaction, payment: Payment, refund_number: int) -> None:
        if refund_number:
            await tx.remove_timer(ENQUIRE_REFUND, f"{payment.id}-refund-{refund_number}")
        else:
            await tx.remove_timer(timers.ENQUIRE, payment.id)
