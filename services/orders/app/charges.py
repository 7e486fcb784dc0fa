"""Taking money: an attempt to charge a payment, as an errand to the provider (see `errands`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Self

from chassis.db import Transaction
from chassis.kernel.machine import Actor
from services.orders.app.errands import Errand
from services.orders.app.ports import PaymentOwner, PaymentProvider, Repository
from services.orders.domain import ledger
from services.orders.domain import payment as payments
from services.orders.domain.payment import UNRESOLVED, Charge, Payment, State


class ChargeErrand(Errand[Charge]):
    """The last attempt of a payment. What is not owed any more is neither begun nor submitted again."""

    subject: ClassVar[str] = "payment"
    submit_kind: ClassVar[str] = "payment.charge"
    enquire_kind: ClassVar[str] = "payment.enquire"

    @classmethod
    def of(cls, payment: Payment, payload: Mapping[str, Any]) -> Self:
        """The last attempt; number 0 before the first."""
        del payload
        return cls(payment, len(payment.attempts))

    @property
    def key(self) -> str:
        """The payment's id: it has one attempt at a time."""
        return self.payment.id

    @property
    def payload(self) -> Mapping[str, Any]:
        """The payment."""
        return {"payment": self.payment.name}

    @property
    def is_waiting(self) -> bool:
        """Whether a new attempt is to begin."""
        return self.payment.state is State.CREATED

    @property
    def is_open(self) -> bool:
        """Whether the money may have been taken."""
        return self.payment.state in UNRESOLVED

    def is_owed(self, owner: PaymentOwner) -> bool:
        """As its owner says."""
        return owner.is_owed(self.payment)

    def submitted(self, now: datetime) -> Self:
        """With a new attempt."""
        begun = payments.submit(self.payment, now=now)
        return replace(self, payment=begun, number=begun.last_attempt.number)

    def resubmitted(self, now: datetime) -> Self:
        """With the same attempt."""
        return replace(self, payment=payments.resubmit(self.payment, now=now))

    def lost(self, now: datetime) -> Self:
        """With an attempt whose answer is not known."""
        return replace(self, payment=payments.lose(self.payment, self.number, now=now))

    def resolved(self, answer: Charge, now: datetime) -> Self:
        """Captured, or declined."""
        return replace(self, payment=payments.resolve(self.payment, self.number, answer, now=now))

    async def ask(self, provider: PaymentProvider) -> Charge:
        """Charges."""
        attempt = self.payment.last_attempt
        return await provider.charge(attempt.key, self.payment.amount, attempt.token)

    async def look_up(self, provider: PaymentProvider) -> Charge | None:
        """What became of the attempt."""
        return await provider.lookup(self.payment.last_attempt.key)

    async def save(self, repository: Repository, tx: Transaction, *, before: Payment) -> None:
        """With the last attempt."""
        await repository.save_payment(tx, self.payment, expected=before.version)

    async def book(self, repository: Repository, tx: Transaction, owner: PaymentOwner, now: datetime) -> None:
        """Books what was captured."""
        if self.payment.state is State.CAPTURED:
            await repository.post(tx, ledger.captured(self.payment))
        await owner.settled(tx, self.payment, now=now)

    async def give_up(
        self, repository: Repository, tx: Transaction, owner: PaymentOwner, now: datetime
    ) -> None:
        """Nothing was taken for what is not owed any more, and nothing shall be."""
        voided = payments.void(self.payment, actor=Actor.TIMER, now=now)
        await repository.save_payment(tx, voided, expected=self.payment.version)
        await owner.given_up(tx, voided, now=now)


def charge_timer(payment: Payment, now: datetime) -> tuple[str, str, datetime, Mapping[str, Any]]:
    """The timer that submits a payment at once."""
    errand = ChargeErrand.of(payment, {})
    return errand.submit_kind, errand.key, now, errand.payload


def schedule_charge(tx: Transaction, payment: Payment, now: datetime) -> None:
    """Submits a payment as soon as the running transaction is committed."""
    tx.schedule(*charge_timer(payment, now))
