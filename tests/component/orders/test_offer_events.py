"""Orders that offers make, and quotes that change their price: once each, in any order of arrival."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from parley.offers.v1 import events_pb2 as offers
from parley.orders.v1 import orders_service_pb2 as pb
from tests.component.orders.market import (
    ACME,
    ANA,
    MINUTES,
    ONLINE,
    QUOTED,
    Market,
    Order,
    accepted,
    euro,
    fresh_id,
    quote,
)
from tests.unit.orders.purchases import NOW

OFFER_TIME = NOW - 5 * MINUTES


@pytest.mark.covers("G08", "G09", "G12", "B35", "X02")
async def test_an_accepted_offer_is_a_confirmed_order_that_is_charged_once(market: Market) -> None:
    number = fresh_id()
    event = accepted(
        f"offers/{number}", token="sandbox_success", at=OFFER_TIME, order_request="orderRequests/r1"
    )
    await market.publish_and_settle(event, version=5)
    order = await market.get(f"orders/{number}", ANA)
    assert (order.state, order.intake) == (Order.STATE_CONFIRMED, Order.INTAKE_OFFER)
    assert (order.total, order.offer, order.order_request) == (
        euro(250),
        f"offers/{number}",
        "orderRequests/r1",
    )
    assert order.payment_state == Order.PAYMENT_STATE_PAID
    assert order.clock_start_time.ToDatetime(NOW.tzinfo) == OFFER_TIME
    assert order.delivery_due_time.ToDatetime(NOW.tzinfo) == OFFER_TIME + timedelta(days=10)
    assert order.conversation == f"conversations/{number}"
    assert not order.HasField("gate_decision")
    assert await market.events(order.name) == ["OrderPlaced", "OrderPaid"]
    assert [charge["amount"] for charge in await market.charges()] == [25_000]


@pytest.mark.covers("G08")
async def test_the_clock_waits_for_the_agreed_start(market: Market) -> None:
    number = fresh_id()
    event = accepted(f"offers/{number}", at=OFFER_TIME)
    event.offer.start_time.FromDatetime(NOW + timedelta(days=3))
    await market.publish_and_settle(event, version=5)
    order = await market.get(f"orders/{number}")
    assert order.clock_start_time == order.start_time
    assert order.payment_state == Order.PAYMENT_STATE_OFFLINE


@pytest.mark.covers("B35")
async def test_fifty_deliveries_at_once_make_one_order_and_one_charge(market: Market) -> None:
    number = fresh_id()
    event = accepted(f"offers/{number}", token="sandbox_success")
    sent = offers.OfferSent(offer=event.offer)
    # The same event fifty times at once, beside others of the offer, then fifty times by the broker.
    await market.deliver_at_once([(event, 5), (sent, 1)], copies=50)
    await market.publish(event, version=5, copies=50)
    await market.service.settle()
    counts = await market.counts()
    assert (counts["orders"], counts["payment"], counts["sandbox_charge"]) == (1, 1, 1)
    assert await market.events(f"orders/{number}") == ["OrderPlaced", "OrderPaid"]
    assert await market.rows("SELECT * FROM dead_letter") == []


async def test_addresses_are_read_from_the_offer_and_fetched_later_if_need_be(market: Market) -> None:
    first, second = fresh_id(), fresh_id()
    await market.publish_and_settle(accepted(f"offers/{first}", has_addresses=True), version=5)
    order = await market.get(f"orders/{first}", ANA)
    assert order.billing_address.locality == "Berlin"
    assert not order.HasField("delivery_address")
    market.offers.is_down = True
    await market.publish_and_settle(accepted(f"offers/{second}", has_addresses=True), version=5)
    # The order does not wait for them.
    assert not (await market.get(f"orders/{second}")).HasField("billing_address")
    market.offers.is_down = False
    await market.service.advance(timedelta(hours=2))
    late = await market.get(f"orders/{second}")
    assert (late.billing_address.locality, late.etag) == ("Berlin", "v1")
    for row in await market.rows("SELECT body FROM outbox"):
        assert b"Berlin" not in row["body"]


async def quoted(market: Market) -> tuple[str, str]:
    order = await market.place(package=QUOTED, payment_method=ONLINE, payment_token="sandbox_success")
    return order.name, f"offers/{fresh_id()}"


@pytest.mark.covers("B25", "B27", "B29", "B31", "B33", "B35")
async def test_a_quote_is_accepted_then_confirmed_then_charged_at_its_price(market: Market) -> None:
    order, offer = await quoted(market)
    await market.publish_and_settle(quote(offers.OfferSent, order, offer, state="OPEN", version=1), version=1)
    waiting = await market.get(order)
    assert (waiting.state, waiting.folder) == (Order.STATE_AWAITING_ANSWER, Order.FOLDER_AWAITING_ANSWER)
    assert (waiting.unread_count, waiting.offer, waiting.total) == (0, offer, euro(100))
    assert list(waiting.allowed_actions) == ["decline"]
    event = accepted(offer, token="sandbox_success", order=order, version=2)
    await market.publish_and_settle(event, version=2, copies=3)
    agreed = await market.get(order)
    assert (agreed.state, agreed.folder) == (Order.STATE_PROCESSING, Order.FOLDER_INBOX)
    assert (agreed.unread_count, agreed.total) == (1, euro(250))
    assert [item.title for item in agreed.line_items] == ["Logo, large"]
    assert await market.charges() == []
    answer = await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=order))
    assert not answer.order.price_agreed_elsewhere
    assert answer.order.unread_count == 0
    await market.service.settle()
    assert [charge["amount"] for charge in await market.charges()] == [25_000]
    assert await market.events(order) == [
        "OrderPlaced",
        "OrderQuoteSent",
        "OrderQuoteAnswered",
        "OrderConfirmed",
        "OrderPaid",
    ]


@pytest.mark.covers("B31", "B34", "B36")
@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (offers.OfferDeclined, "DECLINED"),
        (offers.OfferWithdrawn, "WITHDRAWN"),
        (offers.OfferExpired, "EXPIRED"),
    ],
)
async def test_a_quote_that_ends_leaves_the_price_and_one_unread(
    market: Market, kind: Any, state: str
) -> None:
    order, offer = await quoted(market)
    await market.publish_and_settle(quote(offers.OfferSent, order, offer, state="OPEN", version=1), version=1)
    await market.publish_and_settle(quote(kind, order, offer, state=state, version=2), version=2)
    seen = await market.get(order)
    assert (seen.state, seen.folder, seen.unread_count) == (Order.STATE_PROCESSING, Order.FOLDER_INBOX, 1)
    assert seen.total == euro(100)
    # The seller looks at it, which is what resets the count, and quotes again.
    marked = (await market.stub(ACME).MarkProcessing(pb.MarkProcessingRequest(name=order))).order
    assert (marked.unread_count, marked.folder) == (0, Order.FOLDER_PROCESSING)
    again = f"offers/{fresh_id()}"
    await market.publish_and_settle(quote(offers.OfferSent, order, again, state="OPEN", version=1), version=1)
    assert (await market.get(order)).offer == again


@pytest.mark.covers("B31")
async def test_who_asks_for_a_new_quote_brings_the_order_back_into_the_inbox(market: Market) -> None:
    order, offer = await quoted(market)
    await market.publish_and_settle(quote(offers.OfferSent, order, offer, state="OPEN", version=1), version=1)
    ended = quote(offers.OfferExpired, order, offer, state="EXPIRED", version=2)
    await market.publish_and_settle(ended, version=2)
    await market.stub(ACME).MarkProcessing(pb.MarkProcessingRequest(name=order))
    wish = quote(offers.OfferNewQuoteRequested, order, offer, state="EXPIRED", version=3)
    await market.publish_and_settle(wish, version=3, copies=2)
    seen = await market.get(order)
    assert (seen.state, seen.folder, seen.unread_count) == (Order.STATE_PROCESSING, Order.FOLDER_INBOX, 1)
    assert (await market.events(order)).count("OrderQuoteAnswered") == 2


@pytest.mark.covers("B31", "B33")
@pytest.mark.parametrize("seed", range(6))
async def test_a_history_of_quotes_ends_the_same_in_any_order(market: Market, seed: int) -> None:
    order, first = await quoted(market)
    second = f"offers/{fresh_id()}"
    history = [
        (quote(offers.OfferSent, order, first, state="OPEN", version=1, units=200), 1),
        (quote(offers.OfferOpened, order, first, state="OPEN", version=2, units=200), 2),
        (quote(offers.OfferRevised, order, first, state="OPEN", version=3, units=210), 3),
        (quote(offers.OfferExpired, order, first, state="EXPIRED", version=4, units=210), 4),
        (quote(offers.OfferRevived, order, first, state="OPEN", version=5, units=210), 5),
        (quote(offers.OfferWithdrawn, order, first, state="WITHDRAWN", version=6, units=210), 6),
        (quote(offers.OfferSent, order, second, state="OPEN", version=1, units=300), 1),
        (quote(offers.OfferCountered, order, second, state="OPEN", version=2, units=280), 2),
        (accepted(second, token="sandbox_success", order=order, version=3, units=290), 3),
    ]
    timed = [(event, version, NOW + minute * MINUTES) for minute, (event, version) in enumerate(history)]
    random.Random(seed).shuffle(timed)
    for event, version, at in timed:
        await market.publish(event, version=version, at=at, copies=2)
    await market.service.settle()
    seen = await market.get(order)
    assert (seen.state, seen.total, seen.offer) == (Order.STATE_PROCESSING, euro(290), second)
    assert (seen.folder, seen.unread_count) == (Order.FOLDER_INBOX, 1)
    versions = await market.rows("SELECT version FROM outbox WHERE aggregate = $1 ORDER BY version", order)
    assert [row["version"] for row in versions] == list(range(1, len(versions) + 1))
    assert await market.rows("SELECT * FROM dead_letter") == []


async def test_a_quote_that_comes_after_the_decision_changes_nothing(market: Market) -> None:
    order, offer = await quoted(market)
    await market.stub(ANA).WithdrawOrder(pb.WithdrawOrderRequest(name=order))
    before = await market.get(order)
    await market.publish_and_settle(quote(offers.OfferSent, order, offer, state="OPEN", version=1), version=1)
    await market.publish_and_settle(accepted(offer, order=order, version=2), version=2)
    assert await market.get(order) == before


async def test_a_quote_for_an_order_that_never_was_is_left_to_a_person(market: Market) -> None:
    event = quote(offers.OfferSent, f"orders/{fresh_id()}", f"offers/{fresh_id()}", state="OPEN", version=1)
    with pytest.raises(LookupError):
        await market.deliver_at_once([(event, 1)], copies=1)
    assert (await market.counts())["orders"] == 0
