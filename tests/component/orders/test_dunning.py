"""Dunning, what was missed, and races: nothing is charged twice, nothing is forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Any

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from parley.orders.v1 import audit_pb2, payment_pb2
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1 import subscription_methods_pb2 as methods
from services.orders.domain.commerce import Interval
from tests.component.orders.market import (
    ACME,
    ANA,
    STRANGER,
    Market,
)
from tests.component.orders.subscribers import (
    DAY,
    HARD,
    NOW,
    PERIOD_END,
    SOFT,
    SUCCESS,
    Subscription,
    amounts,
    bucket,
    cancel,
    fetch,
    monthly,
    pause,
    payments,
    subscribe,
    until,
)

CAPTURED = payment_pb2.Payment.STATE_CAPTURED


@pytest.mark.covers("B21", "X13")
async def test_cancelling_an_overdue_one_stops_the_retries(market: Market) -> None:
    now, later = await subscribe(market, token=SOFT), await subscribe(market, token=SOFT)
    assert now.HasField("retry_time")
    gone = await cancel(market, now.name, NOW, ACME)
    ending = await cancel(market, later.name, PERIOD_END, ANA)
    assert gone.bucket == Subscription.BUCKET_INACTIVE
    assert ending.bucket == Subscription.BUCKET_OVERDUE
    assert not ending.HasField("retry_time")
    await until(market, market.service.clock.now() + 60 * DAY)
    assert len(await market.charges()) == 2
    assert await bucket(market, later.name) == "INACTIVE"


@pytest.mark.covers("X13")
async def test_a_soft_decline_is_retried_by_the_schedule_then_it_ends(
    market: Market,
) -> None:
    begin = market.service.clock.now()
    subscription = await subscribe(market, token=SOFT)
    name = subscription.name
    tried = []
    for days in range(13):
        if days:
            await until(market, begin + days * DAY)
        found = await payments(market, name)
        tried.append(len(found[0].attempts))
    assert tried == [1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5]
    over = await fetch(market, name)
    assert over.end_reason == Subscription.END_REASON_FAILED_PAYMENTS
    # Three days of grace after the last try.
    assert over.end_time.ToDatetime(UTC) == begin + 10 * DAY
    assert len(await market.charges()) == 5


@pytest.mark.covers("X13")
async def test_a_hard_decline_is_not_retried_and_another_means_recovers_it(market: Market) -> None:
    begin = market.service.clock.now()
    subscription = await subscribe(market, token=HARD)
    assert subscription.bucket == Subscription.BUCKET_OVERDUE
    assert not subscription.HasField("retry_time")
    assert subscription.grace_end_time.ToDatetime(UTC) == begin + 3 * DAY
    (payment,) = await payments(market, subscription.name)
    assert payment.allowed_actions == ["retry"]
    await until(market, begin + 2 * DAY)

    def retry(token: str, who: Any = ANA) -> Any:
        return market.stub(who).RetryPayment(pb.RetryPaymentRequest(name=payment.name, payment_token=token))

    assert (await refused(retry(""))).reason == "PAYMENT_MEANS_REFUSED"
    assert (await refused(retry(SUCCESS, STRANGER))).kind is Kind.NOT_FOUND
    await retry(SUCCESS)
    await market.service.settle()
    recovered = await fetch(market, subscription.name)
    assert recovered.bucket == Subscription.BUCKET_ACTIVE
    assert (await market.events(subscription.name))[-1] == "SubscriptionRecovered"
    assert (await refused(retry(SUCCESS))).reason == "TRANSITION_FORBIDDEN"
    # The new means counts from now on, and the period kept its day.
    await until(market, subscription.period_end_time.ToDatetime(UTC))
    assert amounts(await payments(market, subscription.name)) == [(1, 3_000), (2, 3_000)]
    assert await bucket(market, subscription.name) == "ACTIVE"


@pytest.mark.covers("X13")
async def test_active_again_only_when_nothing_else_is_unpaid(market: Market) -> None:
    plan = monthly(30, interval=Interval.WEEK)
    begin = market.service.clock.now()
    subscription = await subscribe(market, plan, token=SOFT)
    await until(market, begin + 7 * DAY)
    first, second = await payments(market, subscription.name)
    # What was missed is not made up in a burst; the second week waits behind the first and was not tried.
    assert (len(first.attempts), len(second.attempts)) == (2, 0)
    assert second.allowed_actions == []
    await market.stub().RetryPayment(pb.RetryPaymentRequest(name=first.name, payment_token=SUCCESS))
    await market.service.settle()
    states = [one.state for one in await payments(market, subscription.name)]
    assert states == [CAPTURED, CAPTURED]
    events = await market.events(subscription.name)
    assert events[-2:] == ["SubscriptionPaid", "SubscriptionRecovered"]
    assert await bucket(market, subscription.name) == "ACTIVE"


async def test_missed_periods_are_charged_once_each_in_their_order(market: Market) -> None:
    plan = monthly(30, interval=Interval.WEEK)
    paying, owing = await subscribe(market, plan), await subscribe(market, plan, name="second")
    await market.rows("UPDATE subscription SET payment_token = $1 WHERE id = $2", SOFT, owing.name[14:])
    # Every process was down for a month.
    await until(market, market.service.clock.now() + 30 * DAY)
    found = await payments(market, paying.name)
    assert [one.sequence for one in found] == [1, 2, 3, 4, 5]
    assert all(one.state == CAPTURED for one in found)
    times = [one.capture_time.ToDatetime(UTC) for one in found]
    assert times == sorted(times)
    behind = await payments(market, owing.name)
    assert [len(one.attempts) for one in behind] == [1, 1, 0, 0, 0]
    assert await bucket(market, owing.name) == "OVERDUE"


async def test_of_concurrent_commands_one_wins(market: Market) -> None:
    subscription = await subscribe(market)
    name, etag = subscription.name, subscription.etag
    answers = await asyncio.gather(
        *(cancel(market, name, NOW, etag=etag) for _ in range(3)),
        *(cancel(market, name, PERIOD_END, etag=etag) for _ in range(3)),
        *(pause(market, name, who=ACME, etag=etag) for _ in range(3)),
        return_exceptions=True,
    )
    won = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(won) == 1
    assert (await fetch(market, name)).etag == won[0].etag == "v4"
    assert len(await market.events(name)) == 4


async def test_commands_race_with_the_renewal_without_losing_either(market: Market) -> None:
    subscription = await subscribe(market)
    name = subscription.name
    market.service.clock.set(subscription.period_end_time.ToDatetime(UTC))
    answers = await asyncio.gather(
        market.service.host.timers.run_due(),
        *(cancel(market, name, NOW) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers[1:]) == 1
    await market.service.settle()
    found = await fetch(market, name)
    assert found.bucket == Subscription.BUCKET_INACTIVE
    # Either it was renewed before it ended, then at most once, or it ended first.
    assert len(await payments(market, name)) == found.period_number <= 2
    await until(market, market.service.clock.now() + 90 * DAY)
    assert len(await payments(market, name)) == found.period_number


@pytest.mark.covers("X24")
async def test_the_record_names_who_changed_a_subscription_and_what(market: Market) -> None:
    subscription = await subscribe(market)
    market.service.clock.advance(DAY)
    await pause(market, subscription.name, ACME)

    async def entries(who: Any) -> list[Any]:
        request = audit_pb2.ListAuditEntriesRequest(parent=subscription.name)
        return list((await market.stub(who).ListAuditEntries(request)).audit_entries)

    for who in (ACME, ANA):
        found = await entries(who)
        last = found[-1]
        assert last.resource == subscription.name
        assert {one.field for one in last.changes} == {"paused_since"}
        assert last.cause.action.endswith("PauseSubscription")
        assert any(one.resource.startswith(f"{subscription.name}/payments/") for one in found)
    assert (await refused(entries(STRANGER))).kind is Kind.NOT_FOUND


async def test_payments_are_listed_page_by_page(market: Market) -> None:
    subscription = await subscribe(market, monthly(30, interval=Interval.WEEK))
    await until(market, market.service.clock.now() + 30 * DAY)
    seen, token = [], ""
    while True:
        answer = await market.stub().ListSubscriptionPayments(
            methods.ListSubscriptionPaymentsRequest(parent=subscription.name, page_size=2, page_token=token)
        )
        seen += [one.sequence for one in answer.payments]
        token = answer.next_page_token
        if not token:
            break
    assert seen == [1, 2, 3, 4, 5]
