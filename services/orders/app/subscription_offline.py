"""Payments of subscriptions that the seller receives himself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import not_found, stale_etag
from services.orders.app.ports import Repository
from services.orders.app.subscription_book import SubscriptionBook
from services.orders.app.subscription_ports import Subscriptions
from services.orders.app.subscriptions import SubscriptionPaymentView
from services.orders.domain import ledger
from services.orders.domain.ledger import LedgerTransaction
from services.orders.domain.offline import Means
from services.orders.domain.payment import Payment
from services.orders.domain.subscription import offline
from services.orders.domain.subscription.facts import Subscription
from services.orders.domain.subscription.lifecycle import Move

Decision = Callable[[Subscription, Payment, datetime], tuple[Move, Payment]]


@dataclass(frozen=True, slots=True)
class MarkSubscriptionPaymentPaid:
    """A payment that the seller got, and how."""

    name: str
    means: Means
    etag: str = ""


@dataclass(frozen=True, slots=True)
class UnmarkSubscriptionPaymentPaid:
    """A payment that the seller did not get after all."""

    name: str
    etag: str = ""


class SubscriptionOfflineCommands:
    """The seller says that he was paid for a period, or takes that back."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        subscriptions: Subscriptions,
        book: SubscriptionBook,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._repository = repository
        self._subscriptions = subscriptions
        self._book = book
        self._clock = clock

    async def mark(self, call: Call, command: MarkSubscriptionPaymentPaid) -> SubscriptionPaymentView:
        """Books what the seller got."""
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda one, payment, now: offline.mark(one, payment, means=command.means, now=now),
            ledger.received,
        )

    async def unmark(self, call: Call, command: UnmarkSubscriptionPaymentPaid) -> SubscriptionPaymentView:
        """Books the same the other way round."""
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda one, payment, now: offline.unmark(one, payment, now=now),
            ledger.taken_back,
        )

    async def _change(
        self,
        call: Call,
        name: str,
        etag: str,
        decide: Decision,
        entry: Callable[[Payment], LedgerTransaction],
    ) -> SubscriptionPaymentView:
        async def work(tx: Transaction) -> SubscriptionPaymentView:
            # No timer has to be taken first: none is set anew by this.
            found = await self._subscriptions.load(tx, name.partition("/payments/")[0], for_update=True)
            payment = await self._repository.load_payment(tx, name) if found is not None else None
            if found is None or payment is None:
                raise not_found(name)
            actor = call.party(buyer=found.buyer, seller=found.seller, name=name)
            if etag and etag != payment.etag:
                raise stale_etag(name, etag, payment.etag)
            move, changed = decide(found, payment, self._clock.now())
            await self._repository.save_payment(tx, changed, expected=payment.version)
            await self._repository.post(tx, entry(changed))
            await self._book.keep(tx, found, move, actor=actor)
            return SubscriptionPaymentView(changed, move.subscription, actor)

        return await self._database.command(call, work)
