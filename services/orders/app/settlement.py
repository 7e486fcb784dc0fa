"""An operator's way out for charges and refunds that the provider never told about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis import telemetry
from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import stale_etag
from services.orders.app.charges import ChargeErrand
from services.orders.app.errand import Errand
from services.orders.app.loading import load_owned, order_of
from services.orders.app.ports import PaymentOwners, Repository
from services.orders.app.refunds import RefundErrand
from services.orders.app.views import PaymentView
from services.orders.domain import settlement
from services.orders.domain.payment import Payment

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
            owner, payment = await load_owned(self._repository, self._owners, tx, command.name)
            actor = call.party(buyer=payment.buyer, seller=payment.seller, name=command.name)
            if command.etag and command.etag != payment.etag:
                raise stale_etag(command.name, command.etag, payment.etag)
            now = self._clock.now()
            settled = _decided(payment, command, now)
            await settled.save(self._repository, tx, before=payment)
            await settled.book(self._repository, tx, owner, now)
            _log.warning("payment_settled", payment=payment.name, moved=command.moved)
            order = await order_of(self._repository, tx, payment)
            return PaymentView(settled.payment, order, actor)

        return await self._database.command(call, work)

    async def _remove_timer(self, tx: Transaction, payment: Payment, refund_number: int) -> None:
        if refund_number > len(payment.refunds) or not payment.attempts:
            return
        errand = _errand(payment, refund_number)
        await tx.remove_timer(errand.enquire_kind, errand.key)


def _errand(payment: Payment, refund_number: int) -> Errand[Any]:
    return RefundErrand(payment, refund_number) if refund_number else ChargeErrand.of(payment, {})


def _decided(payment: Payment, command: SettlePayment, now: datetime) -> Errand[Any]:
    number = command.refund_number
    if number:
        decided = settlement.settle_refund(payment, number, moved=command.moved, note=command.note, now=now)
    else:
        decided = settlement.settle_charge(payment, moved=command.moved, note=command.note, now=now)
    return _errand(decided, number)
