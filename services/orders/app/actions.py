"""What the buyer does about a charge that the provider wants something of him for."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import not_found, stale_etag
from services.orders.app.charges import ChargeErrand
from services.orders.app.errand import schedule_look
from services.orders.app.loading import order_of
from services.orders.app.ports import Repository
from services.orders.app.views import PaymentView
from services.orders.domain.payment import UNRESOLVED, State


@dataclass(frozen=True, slots=True)
class ResumePayment:
    """A payment that the buyer comes back to; with `give_up` he will not do what is wanted of him."""

    name: str
    give_up: bool = False
    etag: str = ""


class ActionCommands:
    """The buyer comes back."""

    def __init__(self, database: Database, repository: Repository, *, clock: Clock) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock

    async def resume(self, call: Call, command: ResumePayment) -> PaymentView:
        """Has the provider asked what became of the charge, as soon as this is committed. Where the answer is
        known already there is nothing to ask.
        """

        async def work(tx: Transaction) -> PaymentView:
            # Nothing of the payment changes here, so nothing is locked: its timers lock first what is theirs.
            payment = await self._repository.load_payment(tx, command.name)
            if payment is None:
                raise not_found(command.name)
            actor = call.party(buyer=payment.buyer, seller=payment.seller, name=command.name)
            if command.etag and command.etag != payment.etag:
                raise stale_etag(command.name, command.etag, payment.etag)
            if payment.state in UNRESOLVED:
                end = command.give_up and payment.state is State.REQUIRES_ACTION
                schedule_look(tx, ChargeErrand.of(payment, {}), self._clock.now(), end=end)
            order = await order_of(self._repository, tx, payment)
            return PaymentView(payment, order, actor)

        return await self._database.command(call, work)
