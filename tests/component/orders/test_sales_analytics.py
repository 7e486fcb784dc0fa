"""What a seller sold: the figures, what they leave out, and that it does not matter how they are counted."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from chassis.kernel.refusal import Kind
from chassis.testing.service import Identity, operator, refused
from parley.orders.v1 import analytics_pb2 as pb
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import fulfilment_pb2, order_pb2, payment_pb2
from parley.orders.v1 import orders_service_pb2 as orders
from parley.orders.v1 import subscription_methods_pb2 as methods
from parley.orders.v1.payment_methods_pb2 import RefundPaymentRequest
from parley.orders.v1.refund_pb2 import Refund
from services.orders.adapters.sales_repository import SalesRepository
from services.orders.app.analytics import fold_all, rebuild_analytics
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    OFFLINE,
    ONLINE,
    QUOTED,
    REVIEWED,
    RIVAL,
    Market,
    accepted,
    euro,
    fresh_id,
)
from tests.component.orders.subscribers import monthly, payments, sell, subscribe
from tests.unit.orders.purchases import LISTING, SELLER

NAME = f"{SELLER}/salesAnalytics"
Ask, Why = pb.GetSalesAnalyticsRequest, pb.SalesExclusion
DAYS = timedelta(days=1)


def at(when: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(when)
    return stamp


async def sales(market: Market, who: Identity = ACME, **fields: Any) -> pb.SalesAnalytics:
    request = Ask(**{"name": NAME, **fields})
    found: pb.SalesAnalytics = (await market.stub(who).GetSalesAnalytics(request)).sales_analytics
    return found


async def behind(market: Market, measure: str, **fields: Any) -> list[Any]:
    """Every order behind a number of the last 90 days, over small pages."""
    whole = await sales(market)
    found, token = [], ""
    while True:
        request = pb.ListSalesOrdersRequest(
            parent=NAME,
            start_time=whole.start_time,
            end_time=whole.end_time,
            measure=pb.ListSalesOrdersRequest.Measure.Value(f"MEASURE_{measure}"),
            page_size=2,
            page_token=token,
            **fields,
        )
        answer = await market.stub(ACME).ListSalesOrders(request)
        found += answer.sales_orders
        token = answer.next_page_token
        if not token:
            return found


async def fold(market: Market) -> None:
    await fold_all(market.service.host.database, SalesRepository())
    assert await market.rows("SELECT * FROM sales_change") == []


async def rebuild(market: Market, repository: Path) -> str:
    """What the real command says."""
    config = market.service.host.config
    environment = os.environ | {
        "PARLEY_ORDERS_DSN": config.dsn.reveal(),
        "PARLEY_NATS_URL": config.nats_url,
        "PYTHONPATH": f"{repository}:{repository / 'protos' / 'gen'}",
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.orders",
        "rebuild-analytics",
        cwd=repository,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 0, errors.decode()
    return output.decode()


async def busy_shop(market: Market) -> None:
    """Sold, cancelled, paid, declined, withdrawn, waiting, agreed elsewhere; two currencies, three days."""
    token: dict[str, Any] = {"payment_method": ONLINE, "payment_token": "sandbox_success"}
    first = await market.place(**token)
    await market.place(quantity=3)
    await market.service.settle()
    await market.stub(ACME).RefundPayment(
        RefundPaymentRequest(
            name=(await market.payment(first.name)).name, amount=euro(30), reason=Refund.REASON_GOODWILL
        )
    )
    await market.service.settle()
    market.service.clock.advance(DAYS)
    cancelled = await market.place(**token)
    await market.service.settle()
    reason = fulfilment_pb2.Cancellation.REASON_NOT_NEEDED
    await market.stub(ANA).CancelOrder(work.CancelOrderRequest(name=cancelled.name, reason=reason))
    declined = (await market.place(package=REVIEWED)).name
    price = order_pb2.Order.DECLINE_REASON_PRICE
    await market.stub(ACME).DeclineOrder(orders.DeclineOrderRequest(name=declined, reason=price))
    withdrawn = (await market.place(package=REVIEWED)).name
    await market.stub(ANA).WithdrawOrder(orders.WithdrawOrderRequest(name=withdrawn))
    await market.place(package=REVIEWED)
    quoted = (await market.place(package=QUOTED)).name
    market.service.clock.advance(DAYS)
    await market.stub(ACME).ConfirmOrder(orders.ConfirmOrderRequest(name=quoted))
    yen = {"currency_code": "JPY", "units": 5001}
    offer = f"offers/{fresh_id()}"
    made = accepted(offer, at=market.service.clock.now(), total=yen)
    for item in made.offer.line_items:
        item.unit_price.CopyFrom(made.offer.total)
    await market.publish_and_settle(made, version=5)


@pytest.mark.covers("B38", "G41")
async def test_what_was_sold_and_what_is_left_out(market: Market) -> None:
    await busy_shop(market)
    found = await sales(market)
    assert [one.currency_code for one in found.totals] == ["EUR", "JPY"]
    euros, yen = found.totals
    assert (euros.orders, euros.confirmed_value) == (3, euro(500))
    assert (euros.average_order_value.units, euros.average_order_value.nanos) == (166, 670_000_000)
    assert (euros.cancelled_orders, euros.cancelled_value) == (1, euro(100))
    assert euros.cancellation_rate == pytest.approx(1 / 3)
    assert (euros.paid_orders, euros.paid_value) == (2, euro(200))
    assert (euros.refunded_orders, euros.refunded_value) == (1, euro(30))
    assert (yen.orders, yen.confirmed_value.units, yen.cancellation_rate) == (1, 5001, 0)
    assert [(one.reason, one.currency_code, one.orders) for one in found.exclusions] == [
        (Why.REASON_PRICE_AGREED_ELSEWHERE, "EUR", 1),
        (Why.REASON_DECLINED, "EUR", 1),
        (Why.REASON_WITHDRAWN, "EUR", 1),
        (Why.REASON_UNDECIDED, "EUR", 1),
    ]
    assert [(one.listing, [f.orders for f in one.figures]) for one in found.listings] == [
        (LISTING, [3]),
        ("", [1]),
    ]
    sold = [one for one in found.periods if one.figures]
    assert [one.start_date for one in sold] == [Date(year=2026, month=6, day=day) for day in (1, 2, 3)]
    assert (found.time_zone, len(found.periods)) == ("UTC", 90)

    for measure, number in (("ORDERS", 4), ("CANCELLED", 1), ("PAID", 2), ("REFUNDED", 1), ("EXCLUDED", 4)):
        assert len(await behind(market, measure)) == number, measure
    assert len(await behind(market, "ORDERS", currency_code="EUR")) == euros.orders
    assert len(await behind(market, "ORDERS", listing=LISTING)) == 3
    (ended,) = await behind(market, "CANCELLED")
    assert (ended.total, ended.paid_value, ended.cancelled) == (euro(100), euro(100), True)
    reasons = {one.exclusion_reason for one in await behind(market, "EXCLUDED")}
    assert reasons == {one.reason for one in found.exclusions}


async def club(market: Market) -> tuple[str, str]:
    """Two subscriptions, one of them paid offline, two months long: paid, refunded, declined, marked."""
    online = await subscribe(market)
    first = market.service.clock.now()
    (paid,) = await payments(market, online.name)
    await market.stub(ACME).RefundPayment(
        RefundPaymentRequest(name=paid.name, amount=euro(10), reason=Refund.REASON_GOODWILL)
    )
    package = sell(market, monthly(50), name="gym")
    offline = (await market.place(package=package, payment_method=OFFLINE)).subscription
    await market.service.settle()
    market.service.clock.set(first + 10 * DAYS)
    await market.stub(ANA).ChangePaymentMeans(
        methods.ChangePaymentMeansRequest(name=online.name, payment_token="sandbox_decline_soft")
    )
    market.service.clock.set(first + 31 * DAYS)
    await market.service.settle()
    (owed, _) = await payments(market, offline, ACME)
    await market.stub(ACME).MarkSubscriptionPaymentPaid(
        methods.MarkSubscriptionPaymentPaidRequest(name=owed.name, means=payment_pb2.Payment.MEANS_CASH)
    )
    return online.name, offline


@pytest.mark.covers("X22")
async def test_what_subscriptions_bring_is_counted_beside_their_orders(
    market: Market, repository: Path
) -> None:
    online, offline = await club(market)
    found = await sales(market)
    (euros,) = found.totals
    # The orders themselves cost nothing; four charges became due, two of them were received.
    assert (euros.orders, euros.confirmed_value, euros.cancellation_rate) == (2, euro(0), 0)
    assert (euros.renewals, euros.renewal_value) == (4, euro(160))
    assert (euros.paid_renewals, euros.paid_renewal_value) == (2, euro(80))
    assert (euros.refunded_renewals, euros.refunded_renewal_value) == (1, euro(10))
    assert {one.listing: one.figures[0].paid_renewal_value for one in found.listings} == {
        f"{SELLER}/listings/club": euro(30),
        f"{SELLER}/listings/gym": euro(50),
    }
    months = (await sales(market, period=Ask.PERIOD_MONTH)).periods
    assert [one.figures[0].renewals for one in months if one.figures] == [2, 2]
    # A month with nothing but renewals is a month with figures.
    assert [one.figures[0].orders for one in months if one.figures] == [2, 0]
    for measure, number in (("RENEWALS", 4), ("PAID_RENEWALS", 2), ("REFUNDED_RENEWALS", 1)):
        assert len(await behind(market, measure)) == number, measure
    assert len(await behind(market, "RENEWALS", listing=f"{SELLER}/listings/gym")) == 2
    assert len(await behind(market, "RENEWALS", currency_code="JPY")) == 0
    (back,) = await behind(market, "REFUNDED_RENEWALS")
    assert (back.total, back.paid_value, back.refunded_value) == (euro(30), euro(30), euro(10))
    assert back.payment.startswith(f"{online}/payments/")
    assert back.order == f"orders/{online.removeprefix('subscriptions/')}"
    # Folded, and added up anew, they are the same.
    asked: list[dict[str, Any]] = [{}, {"listing": f"{SELLER}/listings/club"}, {"period": Ask.PERIOD_WEEK}]
    fresh = [await sales(market, **fields) for fields in asked]
    await fold(market)
    assert [await sales(market, **fields) for fields in asked] == fresh
    await market.rows("UPDATE sales_quarter SET renewals = renewals + 7 RETURNING 1")
    await market.rows("DELETE FROM sales_day RETURNING 1")
    assert "1 sellers" in await rebuild(market, repository)
    assert [await sales(market, **fields) for fields in asked] == fresh
    # The seller was not paid after all.
    (owed, _) = await payments(market, offline, ACME)
    await market.stub(ACME).UnmarkSubscriptionPaymentPaid(
        methods.UnmarkSubscriptionPaymentPaidRequest(name=owed.name)
    )
    (euros,) = (await sales(market)).totals
    assert (euros.renewals, euros.paid_renewals, euros.paid_renewal_value) == (4, 1, euro(30))


@pytest.mark.covers("X22")
async def test_folded_and_rebuilt_the_figures_are_the_same(market: Market, repository: Path) -> None:
    await busy_shop(market)
    asked: list[dict[str, Any]] = [
        {},
        {"listing": LISTING},
        {"period": Ask.PERIOD_WEEK, "time_zone": "Asia/Kathmandu"},
        {"period": Ask.PERIOD_MONTH, "time_zone": "America/New_York"},
        {"start_time": at(datetime(2026, 6, 2, 9, tzinfo=UTC)), "time_zone": "Pacific/Auckland"},
    ]
    fresh = [await sales(market, **fields) for fields in asked]
    await fold(market)
    assert [await sales(market, **fields) for fields in asked] == fresh
    tables = ("sales_quarter", "sales_day")
    empty = " OR ".join(f"{name} <> 0" for name in ("orders", "value", "cancelled_orders", "paid_orders"))
    query = "SELECT * FROM {} WHERE " + empty + " ORDER BY seller, listing, slot, currency, reason"
    kept = [await market.rows(query.format(table)) for table in tables]
    assert all(kept)
    # As if the sums had been lost or spoilt.
    await market.rows("UPDATE sales_quarter SET orders = orders + 7 RETURNING 1")
    await market.rows("DELETE FROM sales_day RETURNING 1")
    assert "1 sellers" in await rebuild(market, repository)
    assert [await sales(market, **fields) for fields in asked] == fresh
    assert [await market.rows(query.format(table)) for table in tables] == kept
    # What changes afterwards is counted on top.
    await market.place()
    again = await sales(market)
    assert again.totals[0].orders == fresh[0].totals[0].orders + 1
    await fold(market)
    assert await sales(market) == again


async def test_who_sells_while_sums_are_made_is_counted_once(market: Market) -> None:
    database, upkeep = market.service.host.database, SalesRepository()
    await market.place()
    await asyncio.gather(
        *[market.place() for _ in range(30)],
        *[rebuild_analytics(database, upkeep=upkeep) for _ in range(2)],
        *[fold_all(database, upkeep) for _ in range(3)],
    )
    for _ in range(2):
        assert (await sales(market)).totals[0].orders == 31
        await fold(market)


async def test_days_begin_where_the_seller_is(market: Market) -> None:
    market.service.clock.set(datetime(2026, 6, 1, 22, 30, tzinfo=UTC))
    await market.place()
    market.gate.time_zone = "Europe/Berlin"
    found = await sales(market)
    (sold,) = [one for one in found.periods if one.figures]
    assert (found.time_zone, sold.start_date) == ("Europe/Berlin", Date(year=2026, month=6, day=2))
    assert sold.start_time.ToDatetime(UTC) == datetime(2026, 6, 1, 22, tzinfo=UTC)
    (sold,) = [one for one in (await sales(market, time_zone="UTC")).periods if one.figures]
    assert sold.start_date == Date(year=2026, month=6, day=1)
    market.gate.is_down = True
    refusal = await refused(sales(market))
    assert (refusal.kind, refusal.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
    assert (await sales(market, time_zone="UTC")).totals[0].orders == 1


async def test_nothing_sold_is_no_failure(market: Market) -> None:
    found = await sales(market, who=operator(), period=Ask.PERIOD_WEEK)
    assert not found.totals
    assert not found.listings
    assert not found.exclusions
    assert len(found.periods) in (13, 14)


async def test_who_may_ask_for_what(market: Market) -> None:
    assert (await sales(market, who=AGENT)).name == NAME
    for who in (ANA, RIVAL):
        assert (await refused(sales(market, who=who))).reason == "NOT_FOUND"
    noon, early = datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    bad: list[tuple[dict[str, Any], str, str]] = [
        ({"listing": "sellers/rival/listings/logo"}, "listing", "VALIDATION_FAILED"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "UNKNOWN_TIME_ZONE"),
        ({"start_time": at(early)}, "start_time", "VALIDATION_FAILED"),
        ({"start_time": at(noon + 2 * DAYS)}, "start_time", "VALIDATION_FAILED"),
        ({"period": 99}, "period", "VALIDATION_FAILED"),
    ]
    for fields, field, reason in bad:
        refusal = await refused(sales(market, **fields))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, reason), fields
        assert [one.field for one in refusal.violations] == [field]
    for start, end in ((noon, noon), (noon, early), (early, noon)):
        request = pb.ListSalesOrdersRequest(parent=NAME, start_time=at(start), end_time=at(end))
        assert [
            one.field for one in (await refused(market.stub(ACME).ListSalesOrders(request))).violations
        ] == ["end_time"]
