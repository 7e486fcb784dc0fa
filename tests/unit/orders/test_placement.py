"""Placing an order: what is refused, and what comes out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind, Refusal
from services.orders.domain import placement
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.events import OrderPlaced
from services.orders.domain.gate import GateDecision, Outcome
from services.orders.domain.listing import Listing, ListingIntake, listing_of
from services.orders.domain.order import Intake, Order, PaymentState, State
from services.orders.domain.placement import START_HORIZON, PlaceOrder
from tests.unit.orders.purchases import (
    BUYER,
    HOUR,
    LISTING,
    NOW,
    ORDER_ID,
    PACKAGE,
    SELLER,
    decision,
    eur,
    listing,
    wish,
)

ONLINE = PaymentMethod.ONLINE


def check(asked: PlaceOrder, sold: Listing | None, *, in_team: bool = False) -> Refusal | None:
    try:
        placement.check(asked, sold, in_team=in_team, now=NOW)
    except Refusal as refusal:
        return refusal
    return None


def place(sold: Listing, said: GateDecision | None, **changes: Any) -> Order:
    order, event = placement.place(
        wish(**changes), sold, sold.packages[0], order_id=ORDER_ID, buyer=BUYER, decision=said, now=NOW
    )
    assert isinstance(event, OrderPlaced)
    assert event.order is order
    return order


@pytest.mark.covers("G03")
def test_an_instant_order_is_confirmed_at_once_and_keeps_the_decision() -> None:
    said = decision()
    order = place(listing(), said, quantity=3, payment_method=ONLINE, payment_token="card")
    assert (order.state, order.intake, order.decision) == (State.CONFIRMED, Intake.INSTANT, said)
    assert (order.total, order.payment_state) == (eur(30_000), PaymentState.PENDING)
    assert order.clock_start_time == order.confirm_time == NOW
    assert order.delivery_due_time == NOW + timedelta(days=7)
    assert order.unread == 1


@pytest.mark.covers("B03", "B23")
@pytest.mark.parametrize("intake", [ListingIntake.SELLER_REVIEW, ListingIntake.BY_QUOTE])
@pytest.mark.parametrize("said", [None, decision(), decision(Outcome.REQUEST_REQUIRED)])
def test_the_gate_does_not_apply_to_orders_that_wait_for_the_seller(
    intake: ListingIntake, said: GateDecision | None
) -> None:
    order = place(listing(intake), said, payment_method=ONLINE, payment_token="card")
    assert (order.state, order.confirm_time, order.unread) == (State.PENDING, None, 1)
    assert order.payment_state is PaymentState.NOT_DUE


@pytest.mark.covers("G02", "G11")
def test_a_closed_gate_asks_for_a_request_and_says_everything_about_it() -> None:
    said = decision(
        Outcome.REQUEST_REQUIRED,
        reason="INSIDE_WINDOW",
        explanation="It is night in Berlin.",
        matched_window="MON 21:00-24:00",
        next_change_time=NOW + HOUR,
    )
    with pytest.raises(Refusal) as refused:
        place(listing(), said)
    refusal = refused.value
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "ORDER_REQUEST_REQUIRED")
    assert refusal.metadata == {
        "package": PACKAGE,
        "seller": SELLER,
        "outcome": "REQUEST_REQUIRED",
        "reason": "INSIDE_WINDOW",
        "explanation": "It is night in Berlin.",
        "local_time": "2026-06-01T14:00:00+02:00",
        "time_zone": "Europe/Berlin",
        "settings_version": "3",
        "matched_window": "MON 21:00-24:00",
        "next_change_time": "2026-06-01T13:00:00Z",
        "create_order_request": "/v1/orderRequests",
    }


@pytest.mark.covers("G29")
@pytest.mark.parametrize("intake", ListingIntake)
def test_nobody_orders_from_an_unavailable_seller(intake: ListingIntake) -> None:
    said = decision(Outcome.UNAVAILABLE, reason="SELLER_UNAVAILABLE", unavailable_until=NOW + HOUR)
    with pytest.raises(Refusal) as refused:
        place(listing(intake), said)
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "UNAVAILABLE")
    assert refused.value.metadata == {
        "package": PACKAGE,
        "reason": "SELLER_UNAVAILABLE",
        "unavailable_until": "2026-06-01T13:00:00Z",
    }


def test_an_instant_order_without_a_decision_is_a_defect() -> None:
    with pytest.raises(ValueError, match="decision"):
        place(listing(), None)


@pytest.mark.parametrize(
    "sold",
    [None, listing(published=False), listing(packages=())],
    ids=["no listing", "unpublished", "no such package"],
)
def test_what_a_buyer_may_not_know_of_does_not_exist(sold: Listing | None) -> None:
    refusal = check(wish(), sold, in_team=True)
    assert refusal is not None
    assert (refusal.kind, refusal.metadata) == (Kind.NOT_FOUND, {"resource": PACKAGE})


def test_a_team_cannot_buy_from_itself() -> None:
    refusal = check(wish(), listing(), in_team=True)
    assert refusal is not None
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "OWN_LISTING")
    assert refusal.metadata["seller"] == SELLER


@pytest.mark.parametrize(
    ("asked", "price", "refused"),
    [
        (wish(payment_method=ONLINE), 100, True),
        (wish(payment_method=ONLINE, payment_token="card"), 100, False),
        (wish(payment_method=ONLINE), 0, False),
        (wish(), 100, False),
    ],
)
def test_paying_online_needs_a_means_of_payment(asked: PlaceOrder, price: int, refused: bool) -> None:
    refusal = check(asked, listing(price=price))
    assert (refusal is not None and refusal.reason == "PAYMENT_TOKEN_REQUIRED") is refused


@pytest.mark.parametrize(
    ("expected", "actual"),
    [(Money("EUR", 19_999), "200.00 EUR"), (Money("USD", 20_000), "200.00 EUR"), (Money("EUR", 20_000), "")],
)
def test_the_total_that_was_seen_must_be_the_total(expected: Money, actual: str) -> None:
    refusal = check(wish(quantity=2, expected_total=expected), listing())
    if not actual:
        assert refusal is None
        return
    assert refusal is not None
    assert (refusal.kind, refusal.reason) == (Kind.STALE, "PRICE_CHANGED")
    assert refusal.metadata == {"package": PACKAGE, "expected": str(expected), "actual": actual}


@pytest.mark.parametrize(
    ("after_now", "fits"),
    [
        (timedelta(microseconds=-1), False),
        (timedelta(0), True),
        (START_HORIZON, True),
        (START_HORIZON + timedelta(microseconds=1), False),
    ],
)
def test_the_start_lies_between_now_and_the_horizon(after_now: timedelta, fits: bool) -> None:
    refusal = check(wish(start_time=NOW + after_now), listing())
    assert (refusal is None) is fits
    if refusal is not None:
        assert (refusal.reason, refusal.metadata) == ("TIME_OUT_OF_RANGE", {"field": "start_time"})


def test_a_sum_beyond_all_bounds_is_refused() -> None:
    refusal = check(wish(quantity=100_000), listing(price=10**14))
    assert refusal is not None
    assert refusal.reason == "AMOUNT_INVALID"


def test_a_package_belongs_to_a_listing() -> None:
    assert listing_of(PACKAGE) == LISTING
    with pytest.raises(Refusal):
        listing_of(LISTING)
