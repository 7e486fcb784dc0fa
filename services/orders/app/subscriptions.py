"""What callers can do to subscriptions, and what they can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found, stale_etag
from services.orders.app.ports import Repository
from services.orders.app.subscription_book import DUE, SubscriptionBook
from services.orders.app.subscription_ports import SubscriptionFilter, Subscriptions
from services.orders.domain.commerce import Plan
from services.orders.domain.payment import Payment
from services.orders.domain.subscription import commands, dunning, plan_change
from services.orders.domain.subscription.facts import Bucket, Subscription, When
from services.orders.domain.subscription.lifecycle import Move
from services.orders.domain.subscription.plan_change import Preview

Decision = Callable[[Subscription, Actor, datetime], Move | None]


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as `actor` sees it."""

    subscription: Subscription
    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionsView:
    """A page of subscriptions as `actor` sees them."""

    page: Page[Subscription]
    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionPaymentView:
    """A payment of `subscription` as `actor` sees it."""

    payment: Payment
    subscription: Subscription
    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionPaymentsView:
    """A page of the payments of `subscription` as `actor` sees them."""

    page: Page[Payment]
    subscription: Subscription
    actor: Actor


@dataclass(frozen=True, slots=True)
class ListSubscriptions:
    """The subscriptions of a team, or (without `seller`) of the caller."""

    page: PageRequest
    seller: str = ""
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True)
class ListSubscriptionPayments:
    """The payments of the subscription `parent`."""

    parent: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """The plan that a subscription shall have; `token` names the preview that was seen."""

    name: str
    plan: Plan
    when: When
    token: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class CancelSubscription:
    """A subscription that shall end."""

    name: str
    when: When
    etag: str = ""


@dataclass(frozen=True, slots=True)
class RevokeCancellation:
    """A subscription that shall go on after all."""

    name: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ChangePaymentMeans:
    """A subscription whose later charges shall be made by the means `token`."""

    name: str
    token: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class PauseSubscription:
    """A subscription whose days shall stand still; from now on without `pause_time`."""

    name: str
    pause_time: datetime | None = None
    resume_time: datetime | None = None
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ResumeSubscription:
    """A subscription whose days shall go on; from now on without `resume_time`."""

    name: str
    resume_time: datetime | None = None
    etag: str = ""


@dataclass(frozen=True, slots=True)
class RetrySubscriptionPayment:
    """A declined payment that shall be tried again, by another means if `token` names one."""

    name: str
    token: str = ""
    etag: str = ""


class SubscriptionCommands:
    """The commands of subscriptions."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        subscriptions: Subscriptions,
        book: SubscriptionBook,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._repository = repository
        self._subscriptions = subscriptions
        self._book = book
        self._clock = clock
        self._ids = ids

    async def change_plan(self, call: Call, command: ChangePlan) -> SubscriptionView:
        """Another plan, now as previewed or from the next period on."""
        payment_id = self._ids.new()
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda subscription, actor, now: plan_change.change(
                subscription,
                command.plan,
                actor=actor,
                when=command.when,
                token=command.token,
                now=now,
                payment_id=payment_id,
            ),
        )

    async def cancel(self, call: Call, command: CancelSubscription) -> SubscriptionView:
        """Ends it, now or with the period."""
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda subscription, actor, now: commands.cancel(
                subscription, actor=actor, when=command.when, now=now
            ),
        )

    async def revoke_cancellation(self, call: Call, command: RevokeCancellation) -> SubscriptionView:
        """Takes a scheduled cancellation back."""
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda subscription, actor, now: commands.revoke_cancellation(subscription, actor=actor, now=now),
        )

    async def change_means(self, call: Call, command: ChangePaymentMeans) -> SubscriptionView:
        """Later charges are made by another means of payment."""
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda subscription, actor, now: commands.change_means(
                subscription, actor=actor, token=command.token, now=now
            ),
        )

    async def pause(self, call: Call, command: PauseSubscription) -> SubscriptionView:
        """Pauses it, now or later."""
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda subscription, actor, now: commands.pause(
                subscription,
                actor=actor,
                pause_time=command.pause_time,
                resume_time=command.resume_time,
                now=now,
            ),
        )

    async def resume(self, call: Call, command: ResumeSubscription) -> SubscriptionView:
        """Ends a pause, now or later."""
        return await self._change(
            call,
            command.name,
            command.etag,
            lambda subscription, actor, now: commands.resume(
                subscription, actor=actor, resume_time=command.resume_time, now=now
            ),
        )

    async def retry_payment(self, call: Call, command: RetrySubscriptionPayment) -> SubscriptionPaymentView:
        """Tries the declined payment again; another means of payment then counts for later ones too."""

        async def work(tx: Transaction) -> SubscriptionPaymentView:
            parent = command.name.partition("/payments/")[0]
            await tx.remove_timer(DUE, parent.removeprefix("subscriptions/"))
            found = await self._subscriptions.load(tx, parent, for_update=True)
            payment = await self._repository.load_payment(tx, command.name) if found is not None else None
            if found is None or payment is None:
                raise not_found(command.name)
            actor = call.party(buyer=found.buyer, seller=found.seller, name=command.name)
            if command.etag and command.etag != payment.etag:
                raise stale_etag(command.name, command.etag, payment.etag)
            move = dunning.retried(found, payment, actor=actor, token=command.token, now=self._clock.now())
            renewed = await self._keep(tx, found, move, actor)
            assert renewed is not None, "the move says that it is tried again"
            return SubscriptionPaymentView(renewed, move.subscription, actor)

        return await self._database.command(call, work)

    async def _change(self, call: Call, name: str, etag: str, decide: Decision) -> SubscriptionView:
        async def work(tx: Transaction) -> SubscriptionView:
            # The timer first, as a timer that fires does it; a refusal puts it back.
            await tx.remove_timer(DUE, name.removeprefix("subscriptions/"))
            found = await self._subscriptions.load(tx, name, for_update=True)
            if found is None:
                raise not_found(name)
            actor = call.party(buyer=found.buyer, seller=found.seller, name=name)
            if etag and etag != found.etag:
                raise stale_etag(name, etag, found.etag)
            move = decide(found, actor, self._clock.now())
            if move is None:
                self._book.schedule(tx, found)
                return SubscriptionView(found, actor)
            await self._keep(tx, found, move, actor)
            return SubscriptionView(move.subscription, actor)

        return await self._database.command(call, work)

    async def _keep(self, tx: Transaction, before: Subscription, move: Move, actor: Actor) -> Payment | None:
        retried = await self._book.keep(tx, before, move, actor=actor)
        self._book.schedule(tx, move.subscription)
        return retried


class SubscriptionQueries:
    """The reads of subscriptions."""

    def __init__(
        self, database: Database, repository: Repository, subscriptions: Subscriptions, clock: Clock
    ) -> None:
        self._database = database
        self._repository = repository
        self._subscriptions = subscriptions
        self._clock = clock

    async def get(self, call: Call, name: str) -> SubscriptionView:
        """One subscription, for its parties."""

        async def work(tx: Transaction) -> SubscriptionView:
            return SubscriptionView(*await self._load(tx, call, name))

        return await self._database.read(work)

    async def list(self, call: Call, query: ListSubscriptions) -> SubscriptionsView:
        """Subscriptions, newest first. A team that the caller does not belong to is NOT_FOUND."""
        caller = call.caller
        actor, wanted = Actor.BUYER, SubscriptionFilter(buyer=caller.user, bucket=query.bucket)
        if query.seller:
            if caller.role_in(query.seller) is None and not caller.is_operator:
                raise not_found(query.seller)
            actor = Actor.OPERATOR if caller.role_in(query.seller) is None else Actor.SELLER
            wanted = SubscriptionFilter(seller=query.seller, bucket=query.bucket)
        call.scoped()

        async def work(tx: Transaction) -> SubscriptionsView:
            return SubscriptionsView(await self._subscriptions.page(tx, wanted, query.page), actor)

        return await self._database.read(work)

    async def list_payments(self, call: Call, query: ListSubscriptionPayments) -> SubscriptionPaymentsView:
        """The payments of a subscription, oldest first, for its parties."""

        async def work(tx: Transaction) -> SubscriptionPaymentsView:
            subscription, actor = await self._load(tx, call, query.parent)
            page = await self._repository.page_of_payments(tx, query.parent, query.page)
            return SubscriptionPaymentsView(page, subscription, actor)

        return await self._database.read(work)

    async def preview(self, call: Call, command: ChangePlan) -> Preview:
        """What a change of plan would do now."""

        async def work(tx: Transaction) -> Preview:
            subscription, actor = await self._load(tx, call, command.name)
            now = self._clock.now()
            return plan_change.preview(subscription, command.plan, actor=actor, when=command.when, now=now)

        return await self._database.read(work)

    async def _load(self, tx: Transaction, call: Call, name: str) -> tuple[Subscription, Actor]:
        subscription = await self._subscriptions.load(tx, name)
        if subscription is None:
            raise not_found(name)
        return subscription, call.party(buyer=subscription.buyer, seller=subscription.seller, name=name)
