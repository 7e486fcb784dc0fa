"""EvaluateGate as its callers meet it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from google.type.date_pb2 import Date

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, refused, service
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.order_settings_pb2 import OrderSettings
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.listing_pb2 import Listing
from parley.offers.v1.offer_pb2 import Offer, OfferRevision
from parley.orders.v1.order_pb2 import Order
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BEN,
    BUYER,
    LISTING,
    NIGHTS,
    OPERATOR,
    OTHER_PACKAGE,
    OWNER,
    PACKAGE,
    SELLER,
    Seconds,
    World,
    at,
    listing_message,
    windows,
    world_of,
)

ALLOWED = GateDecision.OUTCOME_ALLOWED
REQUIRED = GateDecision.OUTCOME_REQUEST_REQUIRED
UNAVAILABLE = GateDecision.OUTCOME_UNAVAILABLE
ORDERS = service("orders")


async def reason(world: World, **question: Any) -> str:
    decision = await world.evaluate(**question)
    return GateDecision.Reason.Name(decision.reason).removeprefix("REASON_")


@pytest.mark.covers("G14", "G03")
async def test_without_settings_orders_are_instant(world: World) -> None:
    await world.tell_listing()
    decision = await world.evaluate()
    assert (decision.outcome, decision.reason) == (ALLOWED, GateDecision.REASON_SWITCHED_OFF)
    assert (decision.package, decision.buyer, decision.settings_version) == (PACKAGE, BUYER, 0)


@pytest.mark.covers("G01", "G02", "G25")
async def test_a_closed_gate_asks_for_a_request_and_explains_itself(world: World) -> None:
    saved = await world.close_gate()
    decision = await world.evaluate()
    assert (decision.outcome, decision.reason) == (REQUIRED, GateDecision.REASON_ALWAYS)
    assert decision.settings_version == saved.settings_version == 1
    assert (decision.local_time, decision.time_zone) == ("2026-06-01T14:00:00+02:00", "Europe/Berlin")
    assert decision.explanation == (
        "It is Mon 2026-06-01 14:00 (Europe/Berlin), and the seller always wants to be asked first:"
        " an order request is needed."
    )
    assert not decision.HasField("next_change_time")
    assert decision.evaluate_time == timestamp(world.clock.now())


@pytest.mark.covers("G07", "G17", "G20", "G21", "G22", "G24")
async def test_the_edges_of_windows_to_the_millisecond(world: World) -> None:
    await world.close_gate(windows=windows(*NIGHTS))
    for local, outcome, matched, change in (
        ("2026-06-01T20:59:59.999+02:00", ALLOWED, "", "2026-06-01T21:00:00+02:00"),
        ("2026-06-01T21:00:00.000+02:00", REQUIRED, "MON 21:00-24:00", "2026-06-02T06:00:00+02:00"),
        ("2026-06-01T23:59:59.999+02:00", REQUIRED, "MON 21:00-24:00", "2026-06-02T06:00:00+02:00"),
        ("2026-06-02T00:00:00.000+02:00", REQUIRED, "TUE 00:00-06:00", "2026-06-02T06:00:00+02:00"),
        ("2026-06-02T05:59:59.999+02:00", REQUIRED, "TUE 00:00-06:00", "2026-06-02T06:00:00+02:00"),
        ("2026-06-02T06:00:00.000+02:00", ALLOWED, "", "2026-06-02T21:00:00+02:00"),
    ):
        world.clock.set(at(local))
        decision = await world.evaluate()
        assert (decision.outcome, decision.matched_window) == (outcome, matched)
        assert decision.next_change_time == timestamp(at(change))
        assert at(decision.local_time) == at(local)


@pytest.mark.covers("G23")
@pytest.mark.parametrize(
    ("instant", "outcome"),
    [
        ("2026-03-28T22:59:59.999", REQUIRED),
        ("2026-03-29T03:59:59.999", REQUIRED),
        ("2026-03-29T04:00:00", ALLOWED),
        ("2026-03-29T19:00:00", REQUIRED),
        ("2026-10-25T04:59:59.999", REQUIRED),
        ("2026-10-25T05:00:00", ALLOWED),
        ("2026-10-25T19:59:59.999", ALLOWED),
        ("2026-10-25T20:00:00", REQUIRED),
    ],
)
async def test_daylight_saving(world: World, instant: str, outcome: int) -> None:
    await world.close_gate(windows=windows(*NIGHTS))
    world.clock.set(at(instant))
    assert (await world.evaluate()).outcome == outcome


@pytest.mark.covers("G18", "G37")
async def test_a_zone_change_counts_from_then_on(world: World) -> None:
    await world.close_gate(windows=windows(*NIGHTS))
    world.clock.set(at("2026-06-01T19:30:00"))
    before = await world.submit()
    assert before.gate_decision.time_zone == "Europe/Berlin"
    await world.save(time_zone="America/New_York")
    now = await world.evaluate()
    assert (now.outcome, now.time_zone, now.settings_version) == (ALLOWED, "America/New_York", 2)
    assert (await world.read(before.name)).gate_decision == before.gate_decision


@pytest.mark.covers("X10")
async def test_an_override_holds_on_its_date(world: World) -> None:
    override = OrderSettings.Override(date=Date(year=2026, month=6, day=1), open=True, label="Open house")
    await world.close_gate(overrides=[override])
    decision = await world.evaluate()
    assert (decision.outcome, decision.matched_window) == (ALLOWED, "2026-06-01 open")
    world.clock.set(at("2026-06-01T22:00:00"))
    assert await reason(world) == "ALWAYS"


@pytest.mark.covers("G16", "G25")
async def test_the_scope(world: World) -> None:
    await world.close_gate(scope=OrderSettings.Scope(packages=[PACKAGE]))
    assert await reason(world) == "ALWAYS"
    assert await reason(world, package=OTHER_PACKAGE) == "OUT_OF_SCOPE"
    await world.save("scope", scope=OrderSettings.Scope())
    assert await reason(world) == "OUT_OF_SCOPE"


@pytest.mark.covers("G36")
async def test_a_listing_is_excluded(world: World) -> None:
    await world.close_gate(excluded_listings=[LISTING])
    assert await reason(world) == "LISTING_EXCLUDED"


@pytest.mark.covers("G15")
async def test_only_new_buyers_ask(world: World) -> None:
    await world.close_gate(audience=OrderSettings.AUDIENCE_NEW_BUYERS)
    assert await reason(world) == "ALWAYS"
    await world.tell_order(state=Order.STATE_DECLINED)
    assert await reason(world) == "ALWAYS"
    await world.tell_order(number=2)
    assert await reason(world) == "RETURNING_BUYER"
    assert await reason(world, who=BEN) == "ALWAYS"


@pytest.mark.covers("G12")
async def test_an_open_offer_lets_its_buyer_pass(world: World) -> None:
    await world.close_gate()
    until = world.clock.now() + timedelta(hours=1)
    await world.tell_offer(offers_events.OfferSent, expire_time=until)
    decision = await world.evaluate()
    assert (decision.outcome, decision.reason) == (ALLOWED, GateDecision.REASON_OPEN_OFFER)
    assert decision.offer == "offers/01900000-0000-7000-8000-000000000001"
    assert decision.next_change_time == timestamp(until)
    assert await reason(world, who=BEN) == "ALWAYS"
    assert await reason(world, package=OTHER_PACKAGE) == "ALWAYS"
    world.clock.set(until - timedelta(microseconds=1))
    assert await reason(world) == "OPEN_OFFER"
    world.clock.set(until)
    assert await reason(world) == "ALWAYS"


@pytest.mark.covers("G12")
async def test_a_withdrawn_offer_lets_nobody_pass(world: World) -> None:
    await world.close_gate()
    await world.tell_offer(offers_events.OfferSent)
    assert await reason(world) == "OPEN_OFFER"
    await world.tell_offer(offers_events.OfferWithdrawn, version=3, state=Offer.STATE_WITHDRAWN)
    assert await reason(world) == "ALWAYS"
    await world.save(bypass_policy=OrderSettings.BYPASS_POLICY_ANY_PAST_OFFER)
    assert await reason(world) == "PAST_OFFER"
    await world.save(bypass_policy=OrderSettings.BYPASS_POLICY_NEVER)
    assert await reason(world) == "ALWAYS"


async def test_a_counter_offer_of_the_buyer_is_no_offer_that_he_holds(world: World) -> None:
    await world.close_gate()
    await world.tell_offer(offers_events.OfferSent)
    await world.tell_offer(offers_events.OfferCountered, version=3, author=OfferRevision.AUTHOR_BUYER)
    assert await reason(world) == "ALWAYS"
    await world.tell_offer(offers_events.OfferRevised, version=4, package=OTHER_PACKAGE)
    assert await reason(world) == "ALWAYS"
    assert await reason(world, package=OTHER_PACKAGE) == "OPEN_OFFER"


async def test_offers_known_in_disorder(world: World) -> None:
    await world.close_gate()
    await world.tell_offer(offers_events.OfferDeclined, version=3, state=Offer.STATE_DECLINED)
    await world.tell_offer(offers_events.OfferSent, version=2)
    assert await reason(world) == "ALWAYS"


@pytest.mark.covers("G29")
async def test_unavailability(world: World) -> None:
    await world.close_gate()
    until = world.clock.now() + timedelta(hours=2)
    request = pb.SetAvailabilityRequest(name=LISTING, available=False, end_time=timestamp(until))
    response = await world.stub(AGENT).SetAvailability(request)
    assert (response.availability.etag, response.availability.available) == ("v1", False)
    decision = await world.evaluate()
    assert (decision.outcome, decision.reason) == (UNAVAILABLE, GateDecision.REASON_LISTING_UNAVAILABLE)
    assert decision.unavailable_until == decision.next_change_time == timestamp(until)
    await world.stub(OWNER).SetAvailability(pb.SetAvailabilityRequest(name=SELLER, available=False))
    assert await reason(world) == "SELLER_UNAVAILABLE"
    await world.stub(OWNER).SetAvailability(pb.SetAvailabilityRequest(name=SELLER, available=True))
    world.clock.set(until)
    assert await reason(world) == "ALWAYS"


@pytest.mark.covers("G04")
async def test_a_lapsed_plan_opens_the_gate_and_keeps_the_settings(world: World) -> None:
    saved = await world.close_gate()
    until = world.clock.now() + timedelta(hours=1)
    await world.make_premium(until)
    decision = await world.evaluate()
    assert (decision.outcome, decision.next_change_time) == (REQUIRED, timestamp(until))
    pending = await world.submit()
    world.clock.set(until)
    assert await reason(world) == "NOT_ENTITLED"
    request = pb.GetOrderSettingsRequest(name=saved.name)
    kept = (await world.stub(OWNER).GetOrderSettings(request)).order_settings
    assert kept.enabled
    assert kept.inactive_reason == OrderSettings.INACTIVE_REASON_NOT_ENTITLED
    question = pb.AskInformationRequest(name=pending.name, question="Which colour?")
    assert (await world.stub(OWNER).AskInformation(question)).order_request.inquiries
    await world.make_premium()
    assert await reason(world) == "ALWAYS"
    assert (await world.stub(OWNER).GetOrderSettings(request)).order_settings == saved


@pytest.mark.covers("G03")
@pytest.mark.parametrize("intake", [Listing.INTAKE_SELLER_REVIEW, Listing.INTAKE_BY_QUOTE])
async def test_other_intakes_are_not_gated(world: World, intake: int) -> None:
    await world.close_gate()
    await world.tell_listing(listing_message(intake=intake, version=2), version=2)
    assert await reason(world) == "INTAKE_NOT_INSTANT"


async def test_an_unknown_listing_is_asked_for_once_and_kept(world: World, seconds: Seconds) -> None:
    world.listings.known[LISTING] = listing_message(version=4)
    assert await reason(world) == "SWITCHED_OFF"
    seconds.now = 5.0
    assert await reason(world) == "SWITCHED_OFF"
    assert world.listings.asked == [LISTING]
    assert [row.version for row in await world.rows("SELECT version FROM listing")] == [4]
    await world.tell_listing(listing_message(intake=Listing.INTAKE_BY_QUOTE), version=3)
    assert await reason(world) == "SWITCHED_OFF"


@pytest.mark.parametrize(
    "package", [f"{LISTING}/packages/none", f"{SELLER}/listings/none/packages/basic", PACKAGE]
)
async def test_what_nobody_can_order_is_not_found(world: World, package: str) -> None:
    unpublished = listing_message()
    unpublished.published = package != PACKAGE
    await world.tell_listing(unpublished)
    found = await refused(world.evaluate(package=package))
    assert (found.kind, found.reason, found.metadata["resource"]) == ("not_found", "NOT_FOUND", package)


async def test_while_the_owner_of_listings_is_away_nothing_is_guessed(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    async with world_of(backends, clock, seconds, alone=True) as world:
        found = await refused(world.evaluate())
        assert (found.kind, found.reason) == ("unavailable", "PEER_UNAVAILABLE")
        await world.tell_listing()
        assert await reason(world) == "SWITCHED_OFF"


async def test_a_service_asks_for_a_buyer_and_a_buyer_for_himself(world: World) -> None:
    await world.close_gate()
    assert (await world.evaluate(ORDERS, buyer=BUYER)).buyer == BUYER
    assert (await world.evaluate(ANA, buyer=BUYER)).buyer == BUYER
    missing = await refused(world.evaluate(ORDERS))
    assert (missing.reason, missing.metadata["field"]) == ("VALIDATION_FAILED", "buyer")
    for who, buyer in ((BEN, BUYER), (OWNER, ""), (OPERATOR, "")):
        assert (await refused(world.evaluate(who, buyer=buyer))).reason == "PERMISSION_DENIED"


async def test_the_answer_changes_within_a_minute_where_it_must(world: World) -> None:
    await world.close_gate()
    world.clock.set(at("2026-06-01T12:00:10"))
    await world.make_premium(at("2026-06-01T12:00:30.5"))
    assert await reason(world) == "ALWAYS"
    world.clock.set(at("2026-06-01T12:00:30.499999"))
    assert await reason(world) == "ALWAYS"
    world.clock.set(at("2026-06-01T12:00:30.5"))
    assert await reason(world) == "NOT_ENTITLED"
    world.clock.set(at("2026-06-01T12:00:20"))
    assert await reason(world) == "ALWAYS"


async def test_an_ungated_evaluation_touches_no_database(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate(windows=windows(*NIGHTS))
        assert await reason(world) == "OUTSIDE_WINDOWS"
        other = await asyncpg.connect(dsn)
        try:
            # Whoever reads one of these now waits until the lock is gone, and longer than the call may take.
            await other.execute(
                "BEGIN; LOCK TABLE order_settings, seller_plan, availability, absence, listing, "
                "buyer_verification, offered_package, confirmed_order, known_order, gate_change "
                "IN ACCESS EXCLUSIVE MODE"
            )
            for _ in range(20):
                assert await reason(world) == "OUTSIDE_WINDOWS"
        finally:
            await other.close()


_ENABLE = """
UPDATE order_settings SET document = document || '{{"enabled": {}}}', version = version + 1 RETURNING 1
"""


async def test_another_replica_follows_within_a_second(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with (
        world_of(backends, clock, seconds, dsn=dsn) as one,
        world_of(backends, clock, seconds, dsn=dsn) as two,
    ):
        await one.close_gate()
        await two.service.settle()
        seconds.now += 1.0
        assert await reason(two) == "ALWAYS"
        await one.save("enabled", enabled=False)
        seconds.now += 0.249
        assert await reason(two) == "ALWAYS"
        seconds.now += 1.0
        assert await reason(two) == "SWITCHED_OFF"
        # Nobody but the database hears of this one.
        await one.rows(_ENABLE.format("true"))
        seconds.now += 1.0
        assert await reason(two) == "ALWAYS"


async def test_a_flood_of_changes_is_noticed(world: World, seconds: Seconds) -> None:
    await world.close_gate()
    assert await reason(world) == "ALWAYS"
    await world.rows(
        "WITH flood AS (INSERT INTO seller_plan (seller, version, tier) "
        "SELECT 'sellers/s' || number, 1, 'BASIC' FROM generate_series(1, 10001) AS number), "
        + _ENABLE.format("false").strip().replace("UPDATE", "changed AS (UPDATE", 1)
        + ") SELECT 1"
    )
    seconds.now += 1.0
    assert await reason(world) == "SWITCHED_OFF"


async def test_changes_that_are_committed_late_are_not_missed(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate()
        assert await reason(world) == "ALWAYS"
        slow = await asyncpg.connect(dsn)
        try:
            # It has its transaction id before those that follow, and is seen after all of them.
            transaction = slow.transaction()
            await transaction.start()
            await slow.execute(_ENABLE.format("false"))
            for _ in range(3):
                await world.rows("UPDATE listing SET title = title || '!' RETURNING 1")
                seconds.now += 1.0
                assert await reason(world) == "ALWAYS"
            await transaction.commit()
        finally:
            await slow.close()
        seconds.now += 1.0
        assert await reason(world) == "SWITCHED_OFF"
