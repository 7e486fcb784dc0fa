"""How a change of a subscription is kept: its row, its payments, its timer and its event, in one transaction.

Each subscription has one timer, set to whatever happens next. A timer that fires locks its own row first and
the subscription second; a command does the same by taking the timer away before it locks the subscription.
What is caused by a payment leaves the timer alone unless it has to fire earlier: one that fires too early
just sets itself anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chassis.db import Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from services.orders.app.charges import ChargeErrand, schedule_charge
from services.orders.app.errand import schedule_look
from services.orders.app.ports import Repository
from services.orders.app.subscription_ports import Subscriptions
from services.orders.domain import offline
from services.orders.domain import payment as payments
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment, State
from services.orders.domain.subscription import lifecycle
from services.orders.domain.subscription.events import SubscriptionEvent
from services.orders.domain.subscription.facts import EndReason, Subscription
from services.orders.domain.subscription.lifecycle import Move

DUE: Final = "subscription.due"

Begin = Callable[[Transaction, Payment], Payment]
"""Begins an attempt: the payment with it, to be stored in the same transaction and asked for after it."""

Timer = tuple[str, str, datetime, Mapping[str, Any]]


def due_timers(subscription: Subscription | None) -> tuple[Timer, ...]:
    """The timer of what happens next, if anything does."""
    due = None if subscription is None else lifecycle.next_due(subscription)
    return (
        ()
        if subscription is None or due is None
        else ((DUE, subscription.id, due, {"subscription": subscription.name}),)
    )


class SubscriptionBook:
    """Begins subscriptions and keeps what becomes of them."""

    def __init__(
        self, repository: Repository, subscriptions: Subscriptions, *, provider: str, clock: Clock
    ) -> None:
        """`provider` is the name of the payment provider that new payments go to."""
        self._repository = repository
        self._subscriptions = subscriptions
        self._provider = provider
        self._clock = clock

    def begun(self, order: Order) -> tuple[Subscription | None, tuple[SubscriptionEvent, ...]]:
        """The subscription of an order that is confirmed as it is placed, if it makes one, and its event."""
        if order.plan is None or order.confirm_time is None:
            return None, ()
        zone = order.decision.time_zone if order.decision is not None else ""
        subscription, event = lifecycle.create(order, time_zone=zone, now=self._clock.now())
        return subscription, (event,)

    def inserts(self, new: Subscription | None) -> tuple[tuple[Any, Mapping[str, Any]], ...]:
        """The row of a new subscription, for a command that is a single statement."""
        return () if new is None else (self._subscriptions.inserts(new),)

    async def begin(self, tx: Transaction, order: Order) -> None:
        """Creates the subscription of an order that was just confirmed, where it has a plan."""
        if order.plan is None or order.confirm_time is None:
            return
        zone = await self._subscriptions.zone_of(tx, order.seller)
        if not zone and order.decision is not None:
            zone = order.decision.time_zone
        subscription, event = lifecycle.create(order, time_zone=zone, now=self._clock.now())
        await self._subscriptions.add(tx, subscription)
        for timer in due_timers(subscription):
            tx.schedule(*timer)
        tx.record(event)

    async def order_cancelled(self, tx: Transaction, order: Order, actor: Actor) -> None:
        """Ends the subscription of an order that was cancelled."""
        if order.plan is None:
            return
        found = await self._subscriptions.load(tx, f"subscriptions/{order.id}", for_update=True)
        if found is None or found.ended_at is not None:
            return
        now = self._clock.now()
        move = lifecycle.end(found, at=now, now=now, actor=actor, reason=EndReason.ORDER_CANCELLED)
        await self.keep(tx, found, move, actor=actor)

    async def keep(
        self,
        tx: Transaction,
        before: Subscription,
        move: Move,
        *,
        actor: Actor,
        begin: Begin | None = None,
    ) -> Payment | None:
        """Stores what a move of `before` leads to, all but the timer. A new payment that is to be charged is
        begun by `begin` in this transaction, or else by a timer of its own. Answers the payment that is tried
        again, if the move says so.
        """
        renewed = None
        after = move.subscription
        await self._subscriptions.save(tx, after, expected=before.version)
        if move.due is not None:
            payment = self._payment_of(after, move.due)
            if move.charge and begin is not None:
                payment = begin(tx, payment)
            elif move.charge:
                schedule_charge(tx, payment, self._clock.now())
            await self._repository.add_payment(tx, payment)
        elif move.charge:
            await self._charge(tx, after, await self._payment(tx, after, move.charge))
        if move.retry:
            declined = await self._payment(tx, after, move.retry)
            renewed = payments.due_again(
                declined, actor=actor, token=after.payment_token, now=self._clock.now()
            )
            await self._repository.save_payment(tx, renewed, expected=declined.version)
            schedule_charge(tx, renewed, self._clock.now())
        for one in move.void:
            await self._void(tx, after, one, actor)
        tx.record(move.event)
        return renewed

    def schedule(self, tx: Transaction, subscription: Subscription) -> None:
        """Sets the timer to what happens next, in a transaction that holds it."""
        for timer in due_timers(subscription):
            tx.schedule(*timer)

    def schedule_earlier(self, tx: Transaction, before: Subscription, after: Subscription) -> None:
        """Sets the timer where it would fire too late."""
        was, now = lifecycle.next_due(before), lifecycle.next_due(after)
        if now is not None and (was is None or now < was):
            self.schedule(tx, after)

    def _payment_of(self, subscription: Subscription, due: lifecycle.Due) -> Payment:
        is_offline = subscription.payment_method is PaymentMethod.OFFLINE
        return payments.new(
            subscription.name,
            due.purpose,
            due.amount,
            payment_id=due.id,
            parties=(subscription.seller, subscription.buyer),
            provider=offline.PROVIDER if is_offline else self._provider,
            token="" if is_offline else subscription.payment_token,
            now=self._clock.now(),
            sequence=due.sequence,
        )

    async def _charge(self, tx: Transaction, subscription: Subscription, payment: Payment) -> None:
        """Charges a payment that waited, by the means of payment of today."""
        now = self._clock.now()
        if payment.token != subscription.payment_token:
            current = replace(
                payment, token=subscription.payment_token, version=payment.version + 1, update_time=now
            )
            await self._repository.save_payment(tx, current, expected=payment.version)
        schedule_charge(tx, payment, now)

    async def _void(self, tx: Transaction, subscription: Subscription, payment_id: str, actor: Actor) -> None:
        payment = await self._payment(tx, subscription, payment_id)
        if payment.state is State.CREATED:
            voided = payments.void(payment, actor=actor, now=self._clock.now())
            await self._repository.save_payment(tx, voided, expected=payment.version)
        if payment.state is State.REQUIRES_ACTION:
            schedule_look(tx, ChargeErrand.of(payment, {}), self._clock.now(), end=True)

    async def _payment(self, tx: Transaction, subscription: Subscription, payment_id: str) -> Payment:
        name = f"{subscription.name}/payments/{payment_id}"
        payment = await self._repository.load_payment(tx, name)
        if payment is None:
            raise LookupError(f"{name} does not exist")
        return payment
