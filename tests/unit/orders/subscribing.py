"""Subscriptions in every shape, for the tests of the domain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from services.orders.domain.commerce import Interval, PaymentMethod, Plan
from services.orders.domain.order import State
from services.orders.domain.subscription import commands, dunning, lifecycle
from services.orders.domain.subscription.facts import Bucket, Subscription, When
from services.orders.domain.subscription.lifecycle import Move
from tests.unit.orders import purchases

BERLIN = "Europe/Berlin"
BEGIN = datetime(2026, 1, 31, 14, tzinfo=UTC)
DUNNING = dunning.Dunning()
FIRST = "payment-1"


def monthly(amount: int = 3_000, currency: str = "EUR", **changes: Any) -> Plan:
    return replace(Plan(Money(currency, amount), Interval.MONTH, 1), **changes)


def created(
    plan: Plan | None = None, *, zone: str = BERLIN, at: datetime = BEGIN, **changes: Any
) -> Subscription:
    """The subscription of an order that was confirmed `at`, before anything was charged."""
    order = purchases.in_state(State.CONFIRMED, method=PaymentMethod.ONLINE)
    order = replace(
        order, plan=plan or monthly(), confirm_time=at, clock_start_time=at, payment_token="sandbox_success"
    )
    order = replace(order, **changes)
    return lifecycle.create(order, time_zone=zone, now=at)[0]


def step(subscription: Subscription, now: datetime, payment_id: str = FIRST) -> Move:
    move = lifecycle.advance(subscription, now=now, payment_id=payment_id)
    assert move is not None
    return move


def paid(subscription: Subscription, now: datetime) -> Subscription:
    """After the payment that is being charged was captured."""
    head = subscription.unpaid[0]
    move = dunning.collected(subscription, head, Money("EUR", 1), now=now)
    assert move is not None
    return move.subscription


def declined(subscription: Subscription, now: datetime, *, hard: bool = False) -> Subscription:
    """After the payment that is being charged was declined."""
    move = dunning.declined(
        subscription, subscription.unpaid[0], Money("EUR", 1), hard=hard, dunning=DUNNING, now=now
    )
    assert move is not None
    return move.subscription


def running(plan: Plan | None = None, *, at: datetime = BEGIN, zone: str = BERLIN) -> Subscription:
    """Active, its first period paid."""
    return paid(step(created(plan, at=at, zone=zone), at).subscription, at)


def in_bucket(bucket: Bucket) -> Subscription:
    """A subscription that got there by its moves."""
    move: Move | None = None
    match bucket:
        case Bucket.SCHEDULED:
            return created(monthly(start_time=BEGIN + timedelta(days=30)))
        case Bucket.ACTIVE:
            return running()
        case Bucket.OVERDUE:
            return declined(step(created(), BEGIN).subscription, BEGIN)
        case Bucket.PAUSED:
            move = commands.pause(running(), actor=Actor.SELLER, pause_time=None, resume_time=None, now=BEGIN)
        case Bucket.INACTIVE:
            move = commands.cancel(running(), actor=Actor.BUYER, when=When.NOW, now=BEGIN)
    assert move is not None
    return move.subscription
