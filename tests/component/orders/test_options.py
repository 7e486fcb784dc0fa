"""By-quote orders that their buyers customise, and what an order with a plan shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from chassis.wire import timestamp
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import listing_pb2, option_pb2
from parley.orders.v1 import order_pb2
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1.option_choice_pb2 import OptionChoice
from parley.type.v1 import commerce_pb2
from services.orders.adapters.listing_catalog import MAX_AGE
from tests.component.orders.market import (
    ACME,
    ANA,
    OFFLINE,
    ONLINE,
    QUOTED,
    Market,
    Order,
    accepted,
    euro,
    fresh_id,
    place_request,
)
from tests.unit.orders.purchases import HOUR, NOW

SHOP = QUOTED.partition("/packages/")[0]
COLOUR = option_pb2.Option(
    option_id="colour",
    title="Colour",
    required=True,
    values=option_pb2.ValueInput(
        values=[
            option_pb2.OptionValue(value_id="red", title="Red"),
            option_pb2.OptionValue(value_id="gold", title="Gold", price_difference=euro(5)),
        ],
        max_values=2,
    ),
)
ENGRAVING = option_pb2.Option(
    option_id="engraving", title="Engraving", text=option_pb2.TextInput(max_characters=20)
)
PAGES = option_pb2.Option(
    option_id="pages",
    title="Pages",
    number=option_pb2.NumberInput(min_number=1, max_number=40, unit="pages", unit_price=euro(2)),
)
CHOICES = [
    OptionChoice(option_id="pages", number=10),
    OptionChoice(option_id="engraving", text="SECRET for Bo"),
    OptionChoice(option_id="colour", value_ids=["gold", "red"]),
]


def shop_event(*, version: int, options: Any = (COLOUR, ENGRAVING, PAGES), **package: Any) -> Any:
    only = listing_pb2.Package(
        **{"package_id": "basic", "title": "Basic", "price": euro(100), "delivery_days": 7, **package},
        options=options,
    )
    listing = listing_pb2.Listing(
        name=SHOP, title="Sign", intake=listing_pb2.Listing.INTAKE_BY_QUOTE, published=True, packages=[only]
    )
    return offers_events.ListingUpdated(listing=listing, version=version)


async def customised(market: Market, **fields: Any) -> order_pb2.Order:
    return await market.place(**{"package": QUOTED, "options": CHOICES, **fields})


@pytest.mark.covers("B24")
async def test_the_buyer_customises_an_order_and_both_see_what_was_chosen(market: Market) -> None:
    await market.publish_and_settle(shop_event(version=2), version=2)
    order = await customised(market, quantity=2, expected_total=euro(250))
    assert order.state == Order.STATE_PENDING
    for who in (ANA, ACME):
        seen = await market.get(order.name, who)
        colour, engraving, pages = seen.options
        assert [(one.value_id, one.title) for one in colour.values] == [("red", "Red"), ("gold", "Gold")]
        assert colour.values[1].price_difference == euro(5)
        assert not colour.values[0].HasField("price_difference")
        assert (engraving.title, engraving.text) == ("Engraving", "SECRET for Bo")
        assert (pages.number, pages.unit, pages.unit_price) == (10, "pages", euro(2))
        assert [(one.title, one.quantity, one.unit_price) for one in seen.line_items] == [
            ("Sign: Basic", 2, euro(100)),
            ("Colour: Red", 2, euro(0)),
            ("Colour: Gold", 2, euro(5)),
            ("Pages (pages)", 20, euro(2)),
        ]
        assert seen.total == euro(250)
    for row in await market.rows("SELECT body FROM outbox"):
        assert b"SECRET" not in row["body"]


@pytest.mark.covers("B24")
async def test_what_was_chosen_is_frozen_and_outlives_the_quote(market: Market) -> None:
    await market.publish_and_settle(shop_event(version=2), version=2)
    request = place_request(package=QUOTED, options=CHOICES, request_id="once")
    first = (await market.stub().PlaceOrder(request)).order
    dearer = option_pb2.Option()
    dearer.CopyFrom(COLOUR)
    dearer.values.values[1].price_difference.units = 50
    dearer.values.values[1].title = "Solid gold"
    await market.publish_and_settle(shop_event(version=3, options=[dearer]), version=3)
    assert (await market.get(first.name, ANA)) == first
    # The same call again, although the options that it names are gone.
    assert (await market.stub().PlaceOrder(request)).order == first
    assert (await refused(customised(market))).reason == "UNKNOWN_OPTION"
    gold = [OptionChoice(option_id="colour", value_ids=["gold"])]
    refusal = await refused(customised(market, options=gold, expected_total=euro(105)))
    assert (refusal.reason, refusal.metadata["actual"]) == ("PRICE_CHANGED", "150.00 EUR")
    # A quote replaces the positions; what was asked for stays.
    event = accepted(f"offers/{fresh_id()}", order=first.name, units=300)
    await market.publish_and_settle(event, version=5)
    quoted = await market.get(first.name)
    assert (quoted.total, len(quoted.line_items)) == (euro(300), 1)
    assert quoted.options == first.options


REFUSED: list[tuple[list[OptionChoice], str, str]] = [
    ([], "OPTION_REQUIRED", "options"),
    ([OptionChoice(option_id="size")], "UNKNOWN_OPTION", "options[0].option_id"),
    (
        [OptionChoice(option_id="colour", value_ids=["pink"])],
        "UNKNOWN_OPTION",
        "options[0].value_ids[0]",
    ),
    ([CHOICES[2], CHOICES[2]], "DUPLICATE_OPTION", "options[1].option_id"),
    (
        [CHOICES[2], OptionChoice(option_id="pages", number=41)],
        "OPTION_OUT_OF_RANGE",
        "options[1].number",
    ),
    (
        [CHOICES[2], OptionChoice(option_id="engraving", text="x" * 21)],
        "OPTION_OUT_OF_RANGE",
        "options[1].text",
    ),
    (
        [CHOICES[2], OptionChoice(option_id="engraving", text="\x00")],
        "VALIDATION_FAILED",
        "options[1].text",
    ),
    ([OptionChoice()], "VALIDATION_FAILED", "options[0].option_id"),
    ([OptionChoice(option_id="colour", value_ids=[""])], "VALIDATION_FAILED", "options[0].value_ids[0]"),
    (
        [OptionChoice(option_id="colour", value_ids=["x"] * 31)],
        "VALIDATION_FAILED",
        "options[0].value_ids",
    ),
    ([OptionChoice(option_id="engraving", text="x" * 2_001)], "VALIDATION_FAILED", "options[0].text"),
    ([OptionChoice(option_id="pages")] * 21, "VALIDATION_FAILED", "options"),
]


async def test_choices_that_the_listing_does_not_offer_are_refused(market: Market) -> None:
    await market.publish_and_settle(shop_event(version=2), version=2)
    before = await market.counts()
    for options, reason, field in REFUSED:
        refusal = await refused(customised(market, options=options, request_id="key"))
        assert (refusal.kind, refusal.reason, refusal.metadata["field"]) == (Kind.INVALID, reason, field)
    assert await market.counts() == before


async def test_a_listing_without_options_takes_no_choices(market: Market) -> None:
    refusal = await refused(market.place(options=CHOICES))
    assert (refusal.reason, refusal.metadata["option"]) == ("UNKNOWN_OPTION", "pages")


async def test_options_are_read_from_the_stored_listing_too(market: Market) -> None:
    await market.publish_and_settle(shop_event(version=2), version=2)
    first = await customised(market)
    market.service.clock.advance(MAX_AGE * 2)
    assert (await customised(market)).options == first.options


@pytest.mark.covers("B12")
async def test_an_order_says_that_its_buyer_will_be_charged_again_and_again(market: Market) -> None:
    plan = commerce_pb2.Plan(
        price=euro(9),
        interval=commerce_pb2.Plan.INTERVAL_MONTH,
        interval_count=1,
        trial_days=14,
        period_count=12,
        anchor_day=31,
    )
    await market.publish_and_settle(shop_event(version=2, options=(), plan=plan), version=2)
    start = timestamp(NOW + 24 * HOUR)
    order = await market.place(
        package=QUOTED, payment_method=ONLINE, payment_token="sandbox_success", start_time=start
    )
    assert order.plan == plan
    charge = (await market.get(order.name, ANA)).recurring_charge
    assert (await market.get(order.name, ACME)).recurring_charge == charge
    assert (charge.amount, charge.charge_count, charge.total_amount) == (euro(9), 12, euro(108))
    assert (charge.estimated, charge.automatic, charge.start_time) == (True, True, start)
    # 14 days from June 2nd on, then the last of the month: its midnight in Berlin, where the gate decided.
    assert charge.first_charge_time.ToDatetime(UTC) == datetime(2026, 6, 29, 22, tzinfo=UTC)
    await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=order.name))
    confirmed = (await market.get(order.name, ANA)).recurring_charge
    assert (confirmed.estimated, confirmed.first_charge_time) == (False, charge.first_charge_time)
    plain = await market.place(payment_method=OFFLINE)
    assert not plain.HasField("recurring_charge")
