"""PlaceOrder: what comes out of it, what it refuses, and that it happens once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import ANONYMOUS, Identity, operator, refused
from parley.gating.v1 import gate_decision_pb2
from parley.orders.v1 import events_pb2, order_pb2
from parley.type.v1 import commerce_pb2
from services.orders.domain.gate import Outcome
from tests.component.orders.market import (
    ACME,
    ANA,
    MINUTES,
    ONLINE,
    QUOTED,
    REVIEWED,
    STRANGER,
    Market,
    Order,
    accepted,
    euro,
    fresh_id,
    listing_event,
    place_request,
)
from tests.unit.orders.purchases import BUYER, LISTING, NOW, PACKAGE, SELLER

PRODUCT = commerce_pb2.LISTING_KIND_PRODUCT
NOTHING = dict.fromkeys(
    ("orders", "payment", "payment_attempt", "outbox", "timer", "idempotency", "sandbox_charge"), 0
)


@pytest.mark.covers("G03", "G09", "X06")
async def test_an_instant_order_is_confirmed_the_moment_it_is_placed(market: Market) -> None:
    market.gate.details = {"reason": "OUTSIDE_WINDOWS", "next_change_time": NOW + 9 * MINUTES}
    order = await market.place(quantity=2, requirements="Blue", expected_total=euro(200))
    assert (order.state, order.intake) == (Order.STATE_CONFIRMED, Order.INTAKE_INSTANT)
    assert (order.total, order.payment_state) == (euro(200), Order.PAYMENT_STATE_OFFLINE)
    assert (order.seller, order.buyer, order.package) == (SELLER, BUYER, PACKAGE)
    assert order.clock_start_time.ToDatetime(NOW.tzinfo) == NOW
    assert order.delivery_due_time.ToDatetime(NOW.tzinfo) == NOW + timedelta(days=7)
    assert order.conversation == f"conversations/{order.name.removeprefix('orders/')}"
    assert (order.folder, order.unread_count, list(order.allowed_actions)) == (0, 0, ["cancel"])
    closed = {"withdraw", "changePaymentMethod", "requestChanges", "complete"}
    assert {one.action for one in order.unavailable_actions} == closed
    gate = order.gate_decision
    assert gate.reason == gate_decision_pb2.GateDecision.REASON_OUTSIDE_WINDOWS
    assert gate.next_change_time.ToDatetime(NOW.tzinfo) == NOW + 9 * MINUTES
    assert market.gate.calls == [(PACKAGE, BUYER)]
    assert await market.get(order.name, ANA) == order


async def test_the_event_says_everything_public_and_nothing_else(market: Market) -> None:
    order = await market.place(payment_method=ONLINE, payment_token="sandbox_success", requirements="Secret")
    (row,) = await market.rows("SELECT * FROM outbox WHERE version = 1")
    assert (row["aggregate"], row["type"]) == (order.name, "parley.orders.v1.OrderPlaced")
    assert row["subject"] == f"parley.orders.v1.order.placed.{order.name.removeprefix('orders/')}"
    event = events_pb2.OrderPlaced.FromString(row["body"])
    assert (event.order.name, event.order.version) == (order.name, 1)
    assert event.order.state == Order.STATE_CONFIRMED
    assert (event.order.total, event.order.confirm_time) == (order.total, order.confirm_time)
    assert b"Secret" not in row["body"]
    assert b"sandbox_success" not in row["body"]


@pytest.mark.covers("G02", "G11")
async def test_a_gated_purchase_is_refused_with_all_that_a_request_needs(market: Market) -> None:
    market.gate.outcome = Outcome.REQUEST_REQUIRED
    market.gate.details = {"reason": "INSIDE_WINDOW", "matched_window": "MON 21:00-24:00"}
    refusal = await refused(market.stub().PlaceOrder(place_request(request_id="one")))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "ORDER_REQUEST_REQUIRED")
    assert refusal.domain == "orders.parley"  # type: ignore[attr-defined]
    assert refusal.metadata["package"] == PACKAGE
    assert refusal.metadata["matched_window"] == "MON 21:00-24:00"
    assert refusal.metadata["create_order_request"] == "/v1/orderRequests"
    assert await market.counts() == NOTHING


async def test_an_unavailable_seller_takes_no_orders(market: Market) -> None:
    market.gate.outcome = Outcome.UNAVAILABLE
    market.gate.details = {"reason": "SELLER_UNAVAILABLE", "unavailable_until": NOW + MINUTES}
    for package in (PACKAGE, REVIEWED, QUOTED):
        refusal = await refused(market.stub().PlaceOrder(place_request(package=package)))
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "UNAVAILABLE")
        assert refusal.metadata["unavailable_until"] == "2026-06-01T12:01:00Z"
    assert await market.counts() == NOTHING


@pytest.mark.covers("G02")
async def test_without_the_gate_nothing_is_instant(market: Market) -> None:
    market.gate.is_down = True
    refusal = await refused(market.stub().PlaceOrder(place_request(request_id="one")))
    assert (refusal.kind, refusal.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
    assert refusal.metadata == {"peer": "gating"}
    assert refusal.retry_after_seconds is not None
    assert await market.counts() == NOTHING
    # These wait for the seller anyway.
    order = await market.place(package=REVIEWED)
    assert order.state == Order.STATE_PENDING
    assert not order.HasField("gate_decision")


@pytest.mark.covers("B03", "B23", "X06")
@pytest.mark.parametrize(
    ("package", "intake"), [(REVIEWED, Order.INTAKE_SELLER_REVIEW), (QUOTED, Order.INTAKE_BY_QUOTE)]
)
async def test_an_order_that_needs_a_decision_waits_in_the_inbox(
    market: Market, package: str, intake: order_pb2.Order.Intake.ValueType
) -> None:
    market.gate.outcome = Outcome.REQUEST_REQUIRED
    order = await market.place(package=package, payment_method=ONLINE, payment_token="sandbox_success")
    assert (order.state, order.intake) == (Order.STATE_PENDING, intake)
    assert (order.folder, order.unread_count) == (Order.FOLDER_UNSPECIFIED, 0)
    assert list(order.allowed_actions) == ["withdraw", "changePaymentMethod"]
    assert order.payment_state == Order.PAYMENT_STATE_NOT_DUE
    seen = await market.get(order.name, ACME)
    assert (seen.folder, seen.unread_count) == (Order.FOLDER_INBOX, 1)
    assert list(seen.allowed_actions) == ["markProcessing", "confirm", "decline", "changePaymentMethod"]
    await market.service.settle()
    assert await market.charges() == []


@pytest.mark.covers("X01")
async def test_a_hundred_identical_calls_at_once_make_one_order(market: Market) -> None:
    request = place_request(request_id="same", payment_method=ONLINE, payment_token="sandbox_success")
    answers = await asyncio.gather(*(market.stub().PlaceOrder(request) for _ in range(100)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    await market.service.settle()
    counts = await market.counts()
    assert (counts["orders"], counts["payment"], counts["sandbox_charge"]) == (1, 1, 1)
    assert await market.events(answers[0].order.name) == ["OrderPlaced", "OrderPaid"]


@pytest.mark.covers("X01")
async def test_a_repeated_call_gets_the_first_answer_whatever_has_changed(market: Market) -> None:
    request = place_request(request_id="key", expected_total=euro(100))
    first = await market.stub().PlaceOrder(request)
    market.gate.outcome = Outcome.REQUEST_REQUIRED
    assert await market.stub().PlaceOrder(request) == first
    await market.publish_and_settle(listing_event(version=9, units=999), version=9)
    assert await market.stub().PlaceOrder(request) == first
    market.gate.is_down = True
    assert await market.stub().PlaceOrder(request) == first
    assert (await market.counts())["orders"] == 1


@pytest.mark.covers("X01")
async def test_a_used_key_with_another_body_is_refused(market: Market) -> None:
    await market.place(request_id="key")
    for changed in (
        place_request(request_id="key", quantity=2),
        place_request(request_id="key", package=QUOTED),
    ):
        refusal = await refused(market.stub().PlaceOrder(changed))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "REQUEST_ID_REUSED")
        assert refusal.metadata["request_id"] == "key"
    # The key belongs to the caller: somebody else may have the same one.
    assert (await market.place(STRANGER, request_id="key")).buyer == "users/bob"
    assert (await market.counts())["orders"] == 2


async def test_without_a_key_every_call_is_an_order(market: Market) -> None:
    placed = [await market.place() for _ in range(3)]
    assert len({order.name for order in placed}) == 3


async def test_a_free_package_is_confirmed_and_nothing_is_due(market: Market) -> None:
    order = await market.place(package=f"{SELLER}/listings/free/packages/basic", payment_method=ONLINE)
    assert (order.state, order.payment_state) == (Order.STATE_CONFIRMED, Order.PAYMENT_STATE_FREE)
    assert (await market.counts())["payment"] == 0


async def test_what_cannot_be_bought(market: Market) -> None:
    for package in (
        f"{SELLER}/listings/nothing/packages/basic",
        f"{SELLER}/listings/draft/packages/basic",
        f"{LISTING}/packages/nothing",
    ):
        refusal = await refused(market.stub().PlaceOrder(place_request(package=package)))
        assert (refusal.kind, refusal.metadata) == (Kind.NOT_FOUND, {"resource": package})
    refusal = await refused(market.stub().PlaceOrder(place_request(expected_total=euro(99))))
    assert (refusal.kind, refusal.reason) == (Kind.STALE, "PRICE_CHANGED")
    assert refusal.metadata == {"package": PACKAGE, "expected": "99.00 EUR", "actual": "100.00 EUR"}
    refusal = await refused(market.stub().PlaceOrder(place_request(payment_method=ONLINE)))
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "PAYMENT_TOKEN_REQUIRED")
    late = place_request()
    late.start_time.FromDatetime(NOW - MINUTES)
    refusal = await refused(market.stub().PlaceOrder(late))
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "TIME_OUT_OF_RANGE")
    assert await market.counts() == NOTHING


async def test_only_buyers_buy_and_not_from_themselves(market: Market) -> None:
    both = Identity("users/acme-owner", ("buyer", "seller:acme:owner"))
    refusal = await refused(market.stub(both).PlaceOrder(place_request()))
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "OWN_LISTING")
    assert refusal.metadata["seller"] == SELLER
    for who, kind in ((ACME, Kind.DENIED), (operator(), Kind.DENIED), (ANONYMOUS, Kind.UNAUTHENTICATED)):
        assert (await refused(market.stub(who).PlaceOrder(place_request()))).kind is kind
    assert await market.counts() == NOTHING


async def test_listings_follow_their_events_and_need_no_peer_after_that(market: Market) -> None:
    await market.place()
    assert market.offers.reads == [LISTING]
    market.offers.is_down = True
    await market.publish_and_settle(listing_event(version=3, units=120), version=3)
    assert (await market.place()).total == euro(120)
    await market.publish_and_settle(listing_event(version=2, units=80), version=2)
    await market.service.advance(timedelta(hours=1))
    assert (await market.place()).total == euro(120)
    await market.publish_and_settle(listing_event(version=4, units=120, published=False), version=4)
    assert (await refused(market.stub().PlaceOrder(place_request()))).kind is Kind.NOT_FOUND
    assert market.offers.reads == [LISTING]


async def test_a_listing_that_is_known_nowhere_needs_the_offers_service(market: Market) -> None:
    market.offers.is_down = True
    refusal = await refused(market.stub().PlaceOrder(place_request()))
    assert (refusal.kind, refusal.metadata) == (Kind.UNAVAILABLE, {"peer": "offers"})
    assert await market.counts() == NOTHING


@pytest.mark.covers("B01")
async def test_an_order_keeps_the_kind_of_what_was_ordered(market: Market) -> None:
    assert (await market.place()).kind == commerce_pb2.LISTING_KIND_SERVICE
    await market.publish_and_settle(listing_event(version=7, units=100, kind=PRODUCT), version=7)
    order = await market.place()
    assert order.kind == PRODUCT
    number = fresh_id()
    fact = accepted(f"offers/{number}")
    fact.offer.package = PACKAGE
    await market.publish_and_settle(fact, version=5)
    await market.publish_and_settle(listing_event(version=8, units=100), version=8)
    for name in (order.name, f"orders/{number}"):
        assert (await market.get(name, ANA)).kind == PRODUCT
        (told,) = await market.rows("SELECT body FROM outbox WHERE aggregate = $1 AND version = 1", name)
        assert events_pb2.OrderPlaced.FromString(told["body"]).order.kind == PRODUCT
    assert (await market.place()).kind == commerce_pb2.LISTING_KIND_SERVICE
