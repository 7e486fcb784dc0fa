"""Buyers who subscribe: a market that sells plans, and shortcuts to what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.kernel.money import Money
from chassis.testing.service import Identity
from parley.orders.v1 import subscription_methods_pb2 as methods
from parley.orders.v1 import subscription_pb2
from parley.type.v1 import commerce_pb2
from services.orders.domain.commerce import Interval, Plan
from services.orders.domain.listing import ListingIntake
from tests.component.orders.market import ACME, ANA, ONLINE, Market, euro, sold_as
from tests.unit.orders.purchases import SELLER

Subscription = subscription_pb2.Subscription
NOW, PERIOD_END = Subscription.WHEN_NOW, Subscription.WHEN_PERIOD_END
SUCCESS, SOFT, HARD = "sandbox_success", "sandbox_decline_soft", "sandbox_decline_hard"
DAY = timedelta(days=1)


def monthly(units: int = 30, **changes: Any) -> Plan:
    return replace(Plan(Money("EUR", units * 100), Interval.MONTH, 1), **changes)


def sell(
    market: Market,
    plan: Plan,
    *,
    intake: ListingIntake = ListingIntake.INSTANT,
    name: str = "club",
    price: int = 0,
) -> str:
    """Puts a package with a plan on sale; its name."""
    listing = sold_as(f"{SELLER}/listings/{name}", intake, price=price)
    (package,) = listing.packages
    market.offers.listings[listing.name] = replace(listing, packages=(replace(package, plan=plan),))
    return package.name


async def subscribe(
    market: Market, plan: Plan | None = None, *, token: str = SUCCESS, who: Identity = ANA, **more: Any
) -> Any:
    """A subscription by an instant order whose first charge was tried."""
    package = sell(market, plan or monthly(), name=more.pop("name", "club"))
    order = await market.place(who, package=package, payment_method=ONLINE, payment_token=token, **more)
    await market.service.settle()
    return await fetch(market, order.subscription, who)


async def fetch(market: Market, name: str, who: Identity = ANA) -> Any:
    answer = await market.stub(who).GetSubscription(methods.GetSubscriptionRequest(name=name))
    return answer.subscription


async def payments(market: Market, name: str, who: Identity = ANA, **page: Any) -> list[Any]:
    answer = await market.stub(who).ListSubscriptionPayments(
        methods.ListSubscriptionPaymentsRequest(parent=name, **page)
    )
    return list(answer.payments)


async def bucket(market: Market, name: str) -> str:
    return Subscription.Bucket.Name((await fetch(market, name)).bucket).removeprefix("BUCKET_")


async def listed(market: Market, which: str, who: Identity = ACME) -> list[str]:
    """The names in a bucket of the seller (of the buyer, where a buyer asks)."""
    request = methods.ListSubscriptionsRequest(
        seller=SELLER if who is ACME else "", bucket=Subscription.Bucket.Value(f"BUCKET_{which}")
    )
    answer = await market.stub(who).ListSubscriptions(request)
    return [one.name for one in answer.subscriptions]


async def cancel(market: Market, name: str, when: Any = NOW, who: Identity = ANA, **more: Any) -> Any:
    request = methods.CancelSubscriptionRequest(name=name, when=when, **more)
    return (await market.stub(who).CancelSubscription(request)).subscription


async def pause(market: Market, name: str, who: Identity = ANA, **more: Any) -> Any:
    request = methods.PauseSubscriptionRequest(name=name, **more)
    return (await market.stub(who).PauseSubscription(request)).subscription


async def resume(market: Market, name: str, who: Identity = ANA, **more: Any) -> Any:
    request = methods.ResumeSubscriptionRequest(name=name, **more)
    return (await market.stub(who).ResumeSubscription(request)).subscription


async def preview(
    market: Market, name: str, plan: commerce_pb2.Plan, when: Any = NOW, who: Identity = ACME
) -> Any:
    request = methods.PreviewPlanChangeRequest(name=name, plan=plan, when=when)
    return (await market.stub(who).PreviewPlanChange(request)).preview


async def change(
    market: Market, name: str, plan: commerce_pb2.Plan, when: Any = NOW, *, token: str = "", **more: Any
) -> Any:
    who = more.pop("who", ACME)
    request = methods.ChangePlanRequest(name=name, plan=plan, when=when, preview_token=token, **more)
    return (await market.stub(who).ChangePlan(request)).subscription


def wire_plan(units: int, interval: Any = commerce_pb2.Plan.INTERVAL_MONTH, **more: Any) -> commerce_pb2.Plan:
    return commerce_pb2.Plan(price=euro(units), interval=interval, interval_count=1, **more)


def at(instant: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def amounts(found: Sequence[Any]) -> list[tuple[int, int]]:
    """Sequence number and cents of each payment."""
    return [(one.sequence, one.amount.units * 100 + one.amount.nanos // 10_000_000) for one in found]


async def until(market: Market, instant: datetime) -> None:
    """Moves the clock to `instant` and lets everything happen."""
    market.service.clock.set(instant)
    await market.service.settle()
