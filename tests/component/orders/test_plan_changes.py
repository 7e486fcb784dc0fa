"""Changes of plan: what is shown before is what is done, to the minor unit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date

import pytest
from google.type.money_pb2 import Money as WireMoney

from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from parley.orders.v1 import payment_pb2
from parley.type.v1 import commerce_pb2
from tests.component.orders.market import Market, euro
from tests.component.orders.subscribers import (
    DAY,
    NOW,
    PERIOD_END,
    SOFT,
    Subscription,
    amounts,
    cancel,
    change,
    fetch,
    monthly,
    payments,
    preview,
    subscribe,
    until,
    wire_plan,
)


def eur(cents: int) -> WireMoney:
    return WireMoney(currency_code="EUR", units=cents // 100, nanos=cents % 100 * 10_000_000)


@pytest.mark.covers("B20")
async def test_an_upgrade_now_costs_what_its_preview_said(market: Market) -> None:
    begin = market.service.clock.now()
    subscription = await subscribe(market, monthly(30))
    name = subscription.name
    await until(market, begin + 10 * DAY)
    shown = await preview(market, name, wire_plan(50))
    # 20 of 30 days are left: 20.00 of the old plan, 33.33 of the new one (50.00 less the 16.67 of 10 days).
    assert (shown.credit, shown.charge, shown.amount_due) == (eur(2_000), eur(3_333), eur(1_333))
    assert shown.next_charge_time == subscription.period_end_time
    assert shown.next_charge_amount == euro(50)

    missing = await refused(change(market, name, wire_plan(50)))
    assert (missing.kind, missing.reason) == (Kind.INVALID, "PREVIEW_REQUIRED")
    other = await refused(change(market, name, wire_plan(60), token=shown.preview_token))
    assert (other.kind, other.reason) == (Kind.STALE, "PREVIEW_STALE")
    changed = await change(market, name, wire_plan(50), token=shown.preview_token, request_id="up")
    await market.service.settle()
    assert changed.plan.price == euro(50)
    again = await change(market, name, wire_plan(50), token=shown.preview_token, request_id="up")
    assert again.etag == changed.etag
    found = await payments(market, name)
    assert amounts(found) == [(1, 3_000), (1, 1_333)]
    assert found[1].purpose == payment_pb2.Payment.PURPOSE_PLAN_CHANGE
    await until(market, subscription.period_end_time.ToDatetime(UTC))
    assert amounts(await payments(market, name))[2:] == [(2, 5_000)]


@pytest.mark.covers("B20")
async def test_a_downgrade_leaves_a_balance_that_later_periods_use_up(market: Market) -> None:
    subscription = await subscribe(market, monthly(30))
    name = subscription.name
    shown = await preview(market, name, wire_plan(10))
    assert (shown.amount_due, shown.balance) == (euro(0), euro(20))
    assert shown.next_charge_amount == euro(0)
    changed = await change(market, name, wire_plan(10), token=shown.preview_token)
    assert changed.balance == euro(20)
    await until(market, market.service.clock.now() + 100 * DAY)
    # The second and the third period are covered by the balance.
    assert amounts(await payments(market, name)) == [(1, 3_000), (4, 1_000)]


@pytest.mark.covers("B20")
async def test_a_change_at_the_period_end_waits_and_can_be_taken_back(market: Market) -> None:
    subscription = await subscribe(market, monthly(30))
    name, end = subscription.name, subscription.period_end_time
    waiting = await change(market, name, wire_plan(50), PERIOD_END)
    assert (waiting.plan.price, waiting.next_plan.price) == (euro(30), euro(50))
    assert waiting.next_charge_amount == euro(50)
    assert (await change(market, name, wire_plan(50), PERIOD_END)).etag == waiting.etag
    back = await change(market, name, wire_plan(30), PERIOD_END)
    assert not back.HasField("next_plan")
    await change(market, name, wire_plan(50), PERIOD_END)
    await until(market, end.ToDatetime(UTC))
    renewed = await fetch(market, name)
    assert (renewed.plan.price, renewed.HasField("next_plan")) == (euro(50), False)
    assert amounts(await payments(market, name)) == [(1, 3_000), (2, 5_000)]


async def test_another_interval_begins_a_new_period_today(market: Market) -> None:
    begin = market.service.clock.now()
    name = (await subscribe(market, monthly(30))).name
    await until(market, begin + 9 * DAY)
    yearly = wire_plan(300, commerce_pb2.Plan.INTERVAL_YEAR)
    shown = await preview(market, name, yearly)
    assert (shown.credit, shown.charge, shown.amount_due) == (euro(21), euro(300), euro(279))
    changed = await change(market, name, yearly, token=shown.preview_token)
    end = changed.period_end_date
    assert date(end.year, end.month, end.day) == date(2027, 6, 10)
    assert changed.period_number == 2


async def test_while_something_is_unpaid_or_ends_nothing_is_changed(market: Market) -> None:
    overdue = await subscribe(market, token=SOFT)
    assert (await refused(preview(market, overdue.name, wire_plan(50)))).reason == "TRANSITION_FORBIDDEN"
    ending = await subscribe(market)
    await cancel(market, ending.name, PERIOD_END)
    for when in (NOW, PERIOD_END):
        refusal = await refused(change(market, ending.name, wire_plan(50), when))
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "CANCELLATION_SCHEDULED")
    due = await subscribe(market)
    shown = await preview(market, due.name, wire_plan(50))
    market.service.clock.set(due.period_end_time.ToDatetime(UTC))
    # The next period has begun, and nobody has charged it yet.
    refusal = await refused(change(market, due.name, wire_plan(50), token=shown.preview_token))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PAYMENT_OPEN")


async def test_a_preview_is_good_for_the_day_and_for_what_it_saw(market: Market) -> None:
    name = (await subscribe(market)).name
    shown = await preview(market, name, wire_plan(50))
    await until(market, market.service.clock.now() + DAY)
    refusal = await refused(change(market, name, wire_plan(50), token=shown.preview_token))
    assert (refusal.kind, refusal.reason) == (Kind.STALE, "PREVIEW_STALE")
    fresh = await preview(market, name, wire_plan(50))
    answers = await asyncio.gather(
        *(change(market, name, wire_plan(50), token=fresh.preview_token) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    await market.service.settle()
    assert len(await payments(market, name)) == 2


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", 3_000), ("KWD", 30_000), ("EUR", 3_000)], ids=["JPY", "KWD", "EUR"]
)
async def test_parts_add_up_in_currencies_of_every_precision(
    market: Market, currency: str, amount: int
) -> None:
    begin = market.service.clock.now()
    plan = replace(monthly(), price=Money(currency, amount))
    package_currency = await subscribe(market, plan)
    name = package_currency.name
    await until(market, begin + 7 * DAY)
    new = Money(currency, amount * 2 + 1)
    units, nanos = new.units_nanos()
    wire = commerce_pb2.Plan(
        price=WireMoney(currency_code=currency, units=units, nanos=nanos),
        interval=commerce_pb2.Plan.INTERVAL_MONTH,
        interval_count=1,
    )
    shown = await preview(market, name, wire)
    changed = await change(market, name, wire, token=shown.preview_token)
    await market.service.settle()
    rows = await market.rows("SELECT amount FROM payment WHERE subscription_id = $1", name[14:])
    collected = sum(row["amount"] for row in rows)
    used = amount - Money(currency, amount).allocate((7, 23))[1].amount
    assert collected == used + new.allocate((7, 23))[1].amount
    assert changed.bucket == Subscription.BUCKET_ACTIVE
