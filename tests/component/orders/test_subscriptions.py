"""Subscriptions from their order to their end, through the public API on the test clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import operator, refused
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import order_settings_pb2
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import fulfilment_pb2, payment_pb2
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1 import subscription_methods_pb2 as methods
from services.orders.domain.listing import ListingIntake
from tests.component.orders.market import (
    ACME,
    ANA,
    OFFLINE,
    ONLINE,
    RIVAL,
    STRANGER,
    Market,
    accepted,
    euro,
    fresh_id,
)
from tests.component.orders.subscribers import (
    DAY,
    PERIOD_END,
    SOFT,
    SUCCESS,
    Subscription,
    amounts,
    at,
    bucket,
    cancel,
    fetch,
    listed,
    monthly,
    pause,
    payments,
    resume,
    sell,
    subscribe,
    until,
    wire_plan,
)
from tests.unit.orders.purchases import SELLER

CAPTURED = payment_pb2.Payment.STATE_CAPTURED


def day_of(message: Any) -> date:
    return date(message.year, message.month, message.day)


@pytest.mark.covers("B12", "B13", "B14", "B15", "B22")
async def test_confirming_a_reviewed_order_with_a_plan_subscribes_once(
    market: Market,
) -> None:
    package = sell(market, monthly(30), intake=ListingIntake.SELLER_REVIEW, price=10_000)
    order = await market.place(package=package, payment_method=ONLINE, payment_token=SUCCESS)
    assert (order.plan.price, order.subscription) == (euro(30), "")
    assert (await refused(fetch(market, f"subscriptions/{order.name[7:]}"))).kind is Kind.NOT_FOUND

    answers = await asyncio.gather(
        *(market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=order.name)) for _ in range(8)),
        return_exceptions=True,
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    await market.service.settle()

    found = await market.get(order.name)
    subscription = await fetch(market, found.subscription)
    assert (subscription.order, subscription.bucket) == (order.name, Subscription.BUCKET_ACTIVE)
    assert (subscription.seller, subscription.buyer, subscription.package) == (SELLER, "users/ana", package)
    assert subscription.time_zone == "Europe/Berlin"
    assert amounts(await payments(market, subscription.name)) == [(1, 3_000)]
    # What is paid once was paid beside it, once.
    assert (await market.payment(order.name)).amount == euro(100)
    charged = sorted(row["amount"] for row in await market.charges())
    assert charged == [3_000, 10_000]
    assert len(await market.rows("SELECT * FROM subscription")) == 1


@pytest.mark.covers("B14")
async def test_instant_orders_and_accepted_offers_subscribe_too_and_only_once(market: Market) -> None:
    instant = await subscribe(market, monthly(30), quantity=2, request_id="once")
    assert instant.plan.price == euro(60)
    package = f"{SELLER}/listings/club/packages/basic"
    again = await market.place(
        package=package, payment_method=ONLINE, payment_token=SUCCESS, quantity=2, request_id="once"
    )
    assert again.subscription == instant.name

    offer = fresh_id()
    event = accepted(f"offers/{offer}", token=SUCCESS, plan=wire_plan(40))
    await market.deliver_at_once([(event, 5)] * 3, copies=3)
    await market.service.settle()
    made = await fetch(market, f"subscriptions/{offer}")
    assert made.plan.price == euro(40)
    assert amounts(await payments(market, made.name)) == [(1, 4_000)]
    assert len(await market.rows("SELECT * FROM subscription")) == 2


async def test_a_plan_needs_a_means_of_payment_even_where_nothing_is_paid_at_once(market: Market) -> None:
    package = sell(market, monthly())
    refusal = await refused(market.place(package=package, payment_method=ONLINE))
    assert refusal.reason == "PAYMENT_TOKEN_REQUIRED"


@pytest.mark.covers("B16", "B17", "B18", "B19")
async def test_the_buckets_list_what_is_in_them_newest_first(market: Market) -> None:
    clock = market.service.clock
    names: dict[str, str] = {}
    names["ACTIVE"] = (await subscribe(market)).name
    names["SCHEDULED"] = (await subscribe(market, start_time=at(clock.now() + 10 * DAY))).name
    names["OVERDUE"] = (await subscribe(market, token=SOFT)).name
    names["PAUSED"] = (await subscribe(market)).name
    await pause(market, names["PAUSED"])
    names["INACTIVE"] = (await subscribe(market)).name
    await cancel(market, names["INACTIVE"])
    other = (await subscribe(market, who=STRANGER)).name
    for which, name in names.items():
        assert await bucket(market, name) == which
        assert await listed(market, which, ANA) == [name]
        assert await listed(market, which) == ([other, name] if which == "ACTIVE" else [name])
    whole = (await market.stub().ListSubscriptions(methods.ListSubscriptionsRequest())).subscriptions
    assert [one.name for one in whole] == list(reversed(names.values()))

    seen, token = [], ""
    while True:
        page = await market.stub(ACME).ListSubscriptions(
            methods.ListSubscriptionsRequest(seller=SELLER, page_size=2, page_token=token)
        )
        seen += [one.name for one in page.subscriptions]
        token = page.next_page_token
        if not token:
            break
    assert seen == [other, *reversed(names.values())]


async def test_trial_anchor_term_and_renewals(market: Market) -> None:
    # Noon of 1 June in UTC.
    plan = monthly(30, trial_days=14, period_count=3, anchor_day=31)
    subscription = await subscribe(market, plan)
    assert (subscription.bucket, subscription.period_number) == (Subscription.BUCKET_ACTIVE, 0)
    assert day_of(subscription.period_end_date) == date(2026, 6, 30)
    assert await payments(market, subscription.name) == []
    begins = [
        datetime(2026, 6, 29, 22, tzinfo=UTC),
        datetime(2026, 7, 30, 22, tzinfo=UTC),
        datetime(2026, 8, 30, 22, tzinfo=UTC),
    ]
    for number, begin in enumerate(begins, 1):
        assert (await fetch(market, subscription.name)).next_charge_time.ToDatetime(UTC) == begin
        await until(market, begin - timedelta(microseconds=1))
        assert len(await payments(market, subscription.name)) == number - 1
        await until(market, begin)
        assert len(await payments(market, subscription.name)) == number
    last = await fetch(market, subscription.name)
    assert not last.HasField("next_charge_time")
    end = datetime(2026, 9, 29, 22, tzinfo=UTC)
    assert last.period_end_time.ToDatetime(UTC) == end
    await until(market, end)
    over = await fetch(market, subscription.name)
    assert (over.bucket, over.end_reason) == (Subscription.BUCKET_INACTIVE, Subscription.END_REASON_TERM_OVER)
    assert over.end_time.ToDatetime(UTC) == end
    await until(market, end + 90 * DAY)
    assert amounts(await payments(market, subscription.name)) == [(1, 3_000), (2, 3_000), (3, 3_000)]
    assert await market.rows("SELECT * FROM timer") == []


async def test_the_zone_of_the_account_decides_which_day_it_is(market: Market) -> None:
    await market.service.settle()
    settings = order_settings_pb2.OrderSettings(
        name=f"{SELLER}/orderSettings", time_zone="Pacific/Auckland", settings_version=4
    )
    await market.publish_and_settle(gating_events.OrderSettingsSaved(order_settings=settings), version=4)
    offer = fresh_id()
    event = accepted(f"offers/{offer}", token=SUCCESS, plan=wire_plan(40))
    await market.publish_and_settle(event, version=5)
    made = await fetch(market, f"subscriptions/{offer}")
    # Noon of 1 June in UTC is midnight of 2 June in Auckland.
    assert (made.time_zone, day_of(made.period_start_date)) == ("Pacific/Auckland", date(2026, 6, 2))
    assert made.period_end_time.ToDatetime(UTC) == datetime(2026, 7, 1, 12, tzinfo=UTC)


async def test_a_scheduled_start_begins_by_itself(market: Market) -> None:
    start = market.service.clock.now() + 40 * DAY
    subscription = await subscribe(market, start_time=at(start))
    assert await bucket(market, subscription.name) == "SCHEDULED"
    await until(market, start - DAY)
    assert await payments(market, subscription.name) == []
    await until(market, start)
    assert await bucket(market, subscription.name) == "ACTIVE"
    assert len(await payments(market, subscription.name)) == 1
    assert await market.events(subscription.name) == [
        "SubscriptionCreated",
        "SubscriptionActivated",
        "SubscriptionRenewed",
        "SubscriptionPaid",
    ]


async def test_offline_subscriptions_count_their_periods_and_charge_nothing(market: Market) -> None:
    package = sell(market, monthly())
    order = await market.place(package=package, payment_method=OFFLINE)
    await market.service.settle()
    await until(market, market.service.clock.now() + 70 * DAY)
    found = await fetch(market, order.subscription)
    assert (found.period_number, found.bucket) == (3, Subscription.BUCKET_ACTIVE)
    assert await market.charges() == []


@pytest.mark.covers("B21")
async def test_cancelling_at_the_period_end_keeps_it_until_then(market: Market) -> None:
    subscription = await subscribe(market)
    ending = await cancel(market, subscription.name, PERIOD_END, request_id="bye", etag=subscription.etag)
    assert (ending.bucket, ending.cancel_time) == (Subscription.BUCKET_ACTIVE, subscription.period_end_time)
    assert "cancel" in ending.allowed_actions
    assert "pause" not in ending.allowed_actions
    # The same key, another key for the same wish, and a stale etag.
    assert (
        await cancel(market, subscription.name, PERIOD_END, request_id="bye", etag=subscription.etag)
        == ending
    )
    assert (await cancel(market, subscription.name, PERIOD_END)).etag == ending.etag
    stale = await refused(cancel(market, subscription.name, PERIOD_END, etag=subscription.etag))
    assert (stale.kind, stale.reason) == (Kind.STALE, "ETAG_MISMATCH")
    end = ending.cancel_time.ToDatetime(UTC)
    await until(market, end)
    over = await fetch(market, subscription.name)
    assert (over.bucket, over.end_reason) == (Subscription.BUCKET_INACTIVE, Subscription.END_REASON_CANCELLED)
    assert over.allowed_actions == []
    await until(market, end + 60 * DAY)
    assert len(await payments(market, subscription.name)) == 1


async def test_a_cancelled_order_ends_its_subscription(market: Market) -> None:
    subscription = await subscribe(market)
    await market.stub(ANA).CancelOrder(
        work.CancelOrderRequest(name=subscription.order, reason=fulfilment_pb2.Cancellation.REASON_NOT_NEEDED)
    )
    over = await fetch(market, subscription.name)
    assert over.end_reason == Subscription.END_REASON_ORDER_CANCELLED
    await until(market, market.service.clock.now() + 90 * DAY)
    assert len(await market.charges()) == 1


@pytest.mark.covers("X14")
async def test_a_pause_moves_the_end_of_the_period_by_its_days(market: Market) -> None:
    begin = market.service.clock.now()
    subscription = await subscribe(market)
    await until(market, begin + 10 * DAY)
    paused = await pause(market, subscription.name, ACME)
    assert paused.bucket == Subscription.BUCKET_PAUSED
    assert not paused.HasField("next_charge_time")
    await until(market, begin + 55 * DAY)
    assert len(await market.charges()) == 1
    going = await resume(market, subscription.name, ANA)
    assert going.bucket == Subscription.BUCKET_ACTIVE
    # 1 July, 45 days later.
    assert day_of(going.period_end_date) == date(2026, 8, 15)
    await until(market, going.period_end_time.ToDatetime(UTC))
    assert len(await market.charges()) == 2
    assert day_of((await fetch(market, subscription.name)).period_end_date) == date(2026, 9, 15)


@pytest.mark.covers("X14")
async def test_pauses_begin_and_end_by_themselves_and_can_be_taken_back(market: Market) -> None:
    begin = market.service.clock.now()
    subscription = await subscribe(market)
    name = subscription.name
    waiting = await pause(market, name, pause_time=at(begin + 5 * DAY), resume_time=at(begin + 8 * DAY))
    assert waiting.bucket == Subscription.BUCKET_ACTIVE
    assert waiting.allowed_actions == ["cancel", "pause", "changePaymentMeans", "resume"]
    again = await pause(market, name, pause_time=at(begin + 5 * DAY), resume_time=at(begin + 8 * DAY))
    assert again.etag == waiting.etag
    back = await resume(market, name)
    assert (back.HasField("pause_time"), back.HasField("resume_time")) == (False, False)
    refusal = await refused(resume(market, name))
    assert refusal.reason == "TRANSITION_FORBIDDEN"

    await pause(market, name, pause_time=at(begin + 5 * DAY))
    moved = await resume(market, name, resume_time=at(begin + 8 * DAY))
    assert moved.resume_time == at(begin + 8 * DAY)
    await until(market, begin + 6 * DAY)
    assert await bucket(market, name) == "PAUSED"
    await until(market, begin + 8 * DAY)
    assert await bucket(market, name) == "ACTIVE"
    assert day_of((await fetch(market, name)).period_end_date) == date(2026, 7, 4)

    refusals: tuple[dict[str, Any], ...] = (
        {"pause_time": at(begin)},
        {"resume_time": at(begin + 800 * DAY)},
        {"pause_time": at(begin + 20 * DAY), "resume_time": at(begin + 19 * DAY)},
    )
    for fields in refusals:
        refusal = await refused(pause(market, name, **fields))
        assert refusal.kind is Kind.INVALID, fields


async def test_strangers_learn_nothing_and_roles_are_kept(market: Market) -> None:
    name = (await subscribe(market)).name
    for who in (STRANGER, RIVAL):
        for call in (fetch(market, name, who), payments(market, name, who), cancel(market, name, who=who)):
            assert (await refused(call)).kind is Kind.NOT_FOUND
    assert (await fetch(market, name, operator())).allowed_actions == []
    request = methods.ListSubscriptionsRequest(seller=SELLER)
    assert (await refused(market.stub(RIVAL).ListSubscriptions(request))).kind is Kind.NOT_FOUND
    assert (await refused(cancel(market, name, who=operator()))).kind is Kind.NOT_FOUND
    change_as_buyer = market.stub(ANA).ChangePlan(
        methods.ChangePlanRequest(name=name, plan=wire_plan(10), when=PERIOD_END)
    )
    assert (await refused(change_as_buyer)).kind is Kind.DENIED
    assert (await fetch(market, name, ACME)).allowed_actions == ["changePlan", "cancel", "pause"]
    assert (await fetch(market, name, ANA)).allowed_actions == ["cancel", "pause", "changePaymentMeans"]
