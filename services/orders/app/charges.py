"""Taking money: an attempt to charge a payment, as an errand to the provider (see `errand_timers`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Self

from chassis.db import Transaction
from chassis.kernel.machine import Actor
from services.orders.app.errand import Errand
from services.orders.app.ports import PaymentOwner, PaymentProvider, Repository
from services.orders.domain import actions, ledger
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Attempt, Charge, Outcome
from services.orders.domain.payment import UNRESOLVED, Payment, State


class ChargeErrand(Errand[Charge]):
    """The last attempt of a payment. What is not owed any more is neither begun nor submitted again."""

    subject: ClassVar[str] = "payment"
    submit_kind: ClassVar[str] = "payment.charge"
    enquire_kind: ClassVar[str] = "payment.enquire"
    look_kind: ClassVar[str] = "payment.look"

    @classmethod
    def of(cls, payment: Payment, payload: Mapping[str, Any]) -> Self:
        """The attempt that the timer carries, else the last one; 0 before the first."""
        return cls(payment, int(payload.get("attempt", len(payment.attempts))))

    @property
    def attempt(self) -> Attempt:
        """The attempt itself."""
        return self.payment.attempts[self.number - 1]

    @property
    def key(self) -> str:
        """The attempt's own: what is late about one says nothing about the next."""
        return self.attempt.key

    @property
    def payload(self) -> Mapping[str, Any]:
        """The payment, and which attempt of it."""
        return {"payment": self.payment.name, "attempt": self.number}

    @property
    def is_waiting(self) -> bool:
        """Whether a new attempt is to begin."""
        return self.payment.state is State.CREATED

    @property
    def is_open(self) -> bool:
        """Whether the money may have been taken."""
        return self.payment.state in UNRESOLVED and self.payment.last_attempt.number == self.number

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
        """Captured, declined, or waiting for the buyer."""
        if self.is_pending(answer):
            waiting = actions.require_action(self.payment, self.number, answer, now=now)
            return replace(self, payment=waiting)
        return replace(self, payment=payments.resolve(self.payment, self.number, answer, now=now))

    async def ask(self, provider: PaymentProvider) -> Charge:
        """Charges."""
        attempt, payment = self.attempt, self.payment
        return await provider.charge(
            attempt.key, payment.amount, attempt.token, attended=payment.is_attended, payment=payment.name
        )

    async def look_up(self, provider: PaymentProvider) -> Charge | None:
        """What became of the attempt."""
        return await provider.lookup(self.attempt.key, self.attempt.reference)

    def is_pending(self, answer: Charge) -> bool:
        """Whether it waits for the buyer."""
        return answer.outcome is Outcome.REQUIRES_ACTION

    def waits_until(self, owner: PaymentOwner, now: datetime) -> datetime | None:
        """The end of the buyer's time: now where there is nobody to act, or nothing owed any more."""
        if self.payment.state is not State.REQUIRES_ACTION:
            return None
        over = payments.is_action_over(self.payment, now=now) or not self.is_owed(owner)
        return now if over else self.attempt.action_expire_time

    async def call_off(self, provider: PaymentProvider, answer: Charge) -> Charge:
        """Nobody acts any more."""
        return await provider.call_off(self.attempt.key, answer.reference)

    async def save(self, repository: Repository, tx: Transaction, *, before: Payment) -> None:
        """With the last attempt."""
        await repository.save_payment(tx, self.payment, expected=before.version)

    async def book(self, repository: Repository, tx: Transaction, owner: PaymentOwner, now: datetime) -> None:
        """Books what was captured."""
        if self.payment.state is State.REQUIRES_ACTION:
            if (self.waits_until(owner, now) or now) > now:
                await owner.action_required(tx, self.payment, now=now)
            return
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
    return ChargeErrand.submit_kind, payment.id, now, {"payment": payment.name}


def schedule_charge(tx: Transaction, payment: Payment, now: datetime) -> None:
    """Submits a payment as soon as the running transaction is committed."""
    tx.schedule(*charge_timer(payment, now))
