"""Giving money back: the command that keeps the refund and its key, whose amount counts as given back from
then on, and the errand to the provider that follows (see `errand_timers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Self

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.money import Money
from chassis.kernel.refusal import stale_etag
from services.orders.app.errand import Errand
from services.orders.app.loading import load_owned, order_of
from services.orders.app.ports import PaymentOwner, PaymentOwners, PaymentProvider, Repository
from services.orders.app.views import PaymentView
from services.orders.domain import ledger, refunding
from services.orders.domain.payment import Payment
from services.orders.domain.refund import Refund, RefundAnswer, RefundReason, RefundState


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
            errand = RefundErrand(changed, refund.number)
            tx.schedule(errand.submit_kind, errand.key, now, errand.payload)
            order = await order_of(self._repository, tx, payment)
            return PaymentView(changed, order, actor)

        return await self._database.command(call, work)


class RefundErrand(Errand[RefundAnswer]):
    """One refund of a payment. It is owed from the moment it is asked for, whatever becomes of the rest."""

    subject: ClassVar[str] = "refund"
    submit_kind: ClassVar[str] = "refund.submit"
    enquire_kind: ClassVar[str] = "refund.enquire"
    look_kind: ClassVar[str] = "refund.look"

    @classmethod
    def of(cls, payment: Payment, payload: Mapping[str, Any]) -> Self:
        """The refund of the number that the timer carries."""
        return cls(payment, int(payload["number"]))

    @property
    def refund(self) -> Refund:
        """The refund itself."""
        return refunding.refund_of(self.payment, self.number)

    @property
    def key(self) -> str:
        """The refund's own."""
        return self.refund.key

    @property
    def payload(self) -> Mapping[str, Any]:
        """The payment, and which refund of it."""
        return {"payment": self.payment.name, "number": self.number}

    @property
    def is_waiting(self) -> bool:
        """Whether it was only asked for."""
        return self.refund.state is RefundState.CREATED

    @property
    def is_open(self) -> bool:
        """Whether the money may have gone back."""
        return self.refund.state in refunding.UNRESOLVED

    def is_owed(self, owner: PaymentOwner) -> bool:
        """Always."""
        del owner
        return True

    def submitted(self, now: datetime) -> Self:
        """About to be given back."""
        return replace(self, payment=refunding.submit(self.payment, self.number, now=now)[0])

    def resubmitted(self, now: datetime) -> Self:
        """The same refund again."""
        return replace(self, payment=refunding.resubmit(self.payment, self.number, now=now)[0])

    def lost(self, now: datetime) -> Self:
        """The answer is not known."""
        return replace(self, payment=refunding.lose(self.payment, self.number, now=now))

    def resolved(self, answer: RefundAnswer, now: datetime) -> Self:
        """Given back, or refused."""
        return replace(self, payment=refunding.resolve(self.payment, self.number, answer, now=now))

    async def ask(self, provider: PaymentProvider) -> RefundAnswer:
        """Gives back."""
        return await provider.refund(self.key, refunding.charge_of(self.payment), self.refund.amount)

    async def look_up(self, provider: PaymentProvider) -> RefundAnswer | None:
        """What became of the refund."""
        return await provider.lookup_refund(self.key, refunding.charge_of(self.payment))

    async def save(self, repository: Repository, tx: Transaction, *, before: Payment) -> None:
        """With the refund."""
        await repository.save_refund(tx, self.payment, self.number, expected=before.version)

    async def book(self, repository: Repository, tx: Transaction, owner: PaymentOwner, now: datetime) -> None:
        """Books what went back."""
        if self.refund.is_successful:
            await repository.post(tx, ledger.refunded(self.payment, self.refund))
            await owner.refunded(tx, self.payment, self.refund, now=now)
        else:
            await owner.refund_failed(tx, self.payment, self.refund, now=now)

    async def give_up(
        self, repository: Repository, tx: Transaction, owner: PaymentOwner, now: datetime
    ) -> None:
        """Never asked for: it is always owed."""
        raise AssertionError(f"{self.key} is owed")
