"""What time and the payment provider do to subscriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from services.orders.app.charges import ChargeErrand
from services.orders.app.errand import Errand
from services.orders.app.errand_timers import ErrandTimers
from services.orders.app.ports import PaymentOwner
from services.orders.app.subscription_book import SubscriptionBook
from services.orders.app.subscription_ports import Subscriptions
from services.orders.domain.attempt import Charge, Outcome
from services.orders.domain.payment import Payment, State
from services.orders.domain.refund import Refund
from services.orders.domain.subscription import dunning, lifecycle
from services.orders.domain.subscription.dunning import Dunning
from services.orders.domain.subscription.facts import Subscription


class SubscriptionTimers:
    """The timers of subscriptions: many are due at the same moment, and are handled together."""

    def __init__(
        self,
        database: Database,
        subscriptions: Subscriptions,
        book: SubscriptionBook,
        *,
        charges: ErrandTimers[Charge],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._subscriptions = subscriptions
        self._book = book
        self._charges = charges
        self._clock = clock
        self._ids = ids

    async def due(self, timers: Sequence[DueTimer]) -> None:
        """Lets the earliest happen of what is due for each subscription, then sets its timer to the next,
        which may be due too. Charges that begin by it are begun in the same transaction.
        """
        begun: list[Errand[Charge]] = []

        def begin(tx: Transaction, payment: Payment) -> Payment:
            errand = self._charges.begin(tx, ChargeErrand.of(payment, {}), self._clock.now())
            begun.append(errand)
            return errand.payment

        async def work(tx: Transaction, taken: Sequence[DueTimer]) -> None:
            begun.clear()
            names = [str(timer.payload["subscription"]) for timer in taken]
            held = await self._subscriptions.load_all(tx, names)
            for name in names:
                found = held.get(name)
                if found is None:
                    raise LookupError(f"{name} does not exist")
                move = lifecycle.advance(found, now=self._clock.now(), payment_id=self._ids.new())
                if move is not None:
                    await self._book.keep(tx, found, move, actor=Actor.TIMER, begin=begin)
                self._book.schedule(tx, found if move is None else move.subscription)

        if await self._database.fire_together(timers, work):
            await self._charges.ask(begun)


@dataclass(frozen=True, slots=True)
class SubscriptionOwner:
    """A locked subscription; implements the port `PaymentOwner`."""

    subscription: Subscription
    book: SubscriptionBook
    dunning: Dunning

    def is_owed(self, payment: Payment) -> bool:
        """One that is over owes nothing more."""
        del payment
        return self.subscription.ended_at is None

    async def action_required(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """Nothing: only the buyer's own retry leads to it."""

    async def settled(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """Goes on to the next payment, or falls behind."""
        before = self.subscription
        if payment.state is State.CAPTURED:
            move = dunning.collected(before, payment.id, payment.amount, now=now)
        else:
            hard = payment.last_attempt.outcome is Outcome.HARD_DECLINE
            move = dunning.declined(
                before, payment.id, payment.amount, hard=hard, dunning=self.dunning, now=now
            )
        if move is not None:
            await self.book.keep(tx, before, move, actor=Actor.TIMER)
            self.book.schedule_earlier(tx, before, move.subscription)

    async def refunded(self, tx: Transaction, payment: Payment, refund: Refund, *, now: datetime) -> None:
        """The parties are told."""
        await self._tell_of(tx, payment, refund, succeeded=True, now=now)

    async def refund_failed(
        self, tx: Transaction, payment: Payment, refund: Refund, *, now: datetime
    ) -> None:
        """The parties are told that nothing went back."""
        await self._tell_of(tx, payment, refund, succeeded=False, now=now)

    async def _tell_of(
        self, tx: Transaction, payment: Payment, refund: Refund, *, succeeded: bool, now: datetime
    ) -> None:
        move = dunning.refunded(self.subscription, payment.id, refund.amount, succeeded=succeeded, now=now)
        await self.book.keep(tx, self.subscription, move, actor=Actor.TIMER)

    async def given_up(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """It was over before: nothing follows."""


class SubscriptionOwners:
    """Implements the port `PaymentOwners`."""

    def __init__(self, subscriptions: Subscriptions, book: SubscriptionBook, dunning: Dunning) -> None:
        self._subscriptions = subscriptions
        self._book = book
        self._dunning = dunning

    async def lock(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, PaymentOwner]:
        """The subscriptions, locked."""
        found = await self._subscriptions.load_all(tx, names)
        return {name: SubscriptionOwner(one, self._book, self._dunning) for name, one in found.items()}
