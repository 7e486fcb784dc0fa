"""What the payment provider is asked for: to charge, or to give back (see `errand_timers` for how)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from chassis.db import Transaction
from services.orders.app.ports import PaymentOwner, PaymentProvider, Repository
from services.orders.domain.payment import Payment

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Errand(ABC, Generic[Answer]):
    """What the provider is asked about `payment`: its attempt, or its refund, of that `number`."""

    payment: Payment
    number: int

    subject: ClassVar[str]
    """What its log lines begin with."""
    submit_kind: ClassVar[str]
    """The timer that asks for the first time."""
    enquire_kind: ClassVar[str]
    """The timer that finds out what became of it."""
    look_kind: ClassVar[str]
    """The timer that looks for news."""

    @classmethod
    @abstractmethod
    def of(cls, payment: Payment, payload: Mapping[str, Any]) -> Self:
        """The one that a timer with this payload is about."""

    @property
    @abstractmethod
    def key(self) -> str:
        """The key of the timers that ask what became of it: of this very attempt or refund."""

    @property
    @abstractmethod
    def payload(self) -> Mapping[str, Any]:
        """What its timers carry."""

    @property
    @abstractmethod
    def is_waiting(self) -> bool:
        """Whether the provider was not asked yet."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the provider was asked, and its answer is not known."""

    @abstractmethod
    def is_owed(self, owner: PaymentOwner) -> bool:
        """Whether what the provider never saw is still to be submitted."""

    @abstractmethod
    def submitted(self, now: datetime) -> Self:
        """About to be asked."""

    @abstractmethod
    def resubmitted(self, now: datetime) -> Self:
        """About to be asked again, by the same key."""

    @abstractmethod
    def lost(self, now: datetime) -> Self:
        """The answer was lost: the same payment where that, or the answer, is known."""

    @abstractmethod
    def resolved(self, answer: Answer, now: datetime) -> Self:
        """The answer came: the same payment where it is known."""

    @abstractmethod
    async def ask(self, provider: PaymentProvider) -> Answer:
        """Has the provider do it; an exception means that nothing is known."""

    @abstractmethod
    async def look_up(self, provider: PaymentProvider) -> Answer | None:
        """What became of it; None where the provider never saw it."""

    def is_pending(self, answer: Answer) -> bool:
        """Whether the provider waits for the buyer."""
        del answer
        return False

    def waits_until(self, owner: PaymentOwner, now: datetime) -> datetime | None:
        """Until when the buyer may act: now where nobody may any more; None where nothing waits for him."""
        del owner, now
        return None

    async def call_off(self, provider: PaymentProvider, answer: Answer) -> Answer:
        """Ends what waits for the buyer; what became of it."""
        raise NotImplementedError(f"{self.subject}s wait for nobody")

    @abstractmethod
    async def save(self, repository: Repository, tx: Transaction, *, before: Payment) -> None:
        """Replaces the payment at the version of `before`."""

    @abstractmethod
    async def book(self, repository: Repository, tx: Transaction, owner: PaymentOwner, now: datetime) -> None:
        """Books what moved, and tells the owner of the payment. It is resolved."""

    @abstractmethod
    async def give_up(
        self, repository: Repository, tx: Transaction, owner: PaymentOwner, now: datetime
    ) -> None:
        """The provider never saw it, and shall not: it is not owed any more."""


def schedule_look(tx: Transaction, errand: Errand[Any], now: datetime, *, end: bool = False) -> None:
    """Has the provider asked as soon as the running transaction is committed; with `end` the buyer will not
    act. The key of the latter is its own, so that none of them takes the place of the other.
    """
    key, payload = errand.key, dict(errand.payload)
    if end:
        key, payload = f"{key}-end", {**payload, "end": True}
    tx.schedule(errand.look_kind, key, now, payload)
