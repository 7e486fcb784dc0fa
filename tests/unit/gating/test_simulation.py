"""A simulation says of each placement what the gate itself would have said."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.kernel.timetable import zone_names
from services.gating.domain.catalogue import Intake
from services.gating.domain.gate import GateReason, Outcome
from services.gating.domain.settings import Audience, BypassPolicy, DayOverride, DayRule, OrderSettings, Scope
from services.gating.domain.simulation import (
    NO_HISTORY,
    BuyerHistory,
    PastOffer,
    Placement,
    Report,
    Simulation,
    Workload,
    turns,
)
from services.gating.domain.verification import BuyerVerification
from tests.unit.gating.examples import (
    BUYER,
    NOON,
    OTHER_PACKAGE,
    PACKAGE,
    at,
    day,
    decide,
    nights,
    rules,
    settings_with,
)
from tests.unit.gating.test_gate_properties import SOON, ZONES, overrides, windows

NIGHT = at("2026-06-01T20:00:00")
TICK = timedelta(microseconds=1)


def placed(
    when: datetime = NOON,
    *,
    number: int = 1,
    package: str = PACKAGE,
    buyer: str = BUYER,
    intake: Intake = Intake.INSTANT,
    is_request: bool = False,
) -> Placement:
    kind = "orderRequests" if is_request else "orders"
    return Placement(f"{kind}/{number}", package, buyer, intake, when, is_request)


def replay(
    found: OrderSettings, *placements: Placement, history: BuyerHistory | None = None, examples: int = 5
) -> Report:
    simulation = Simulation(found, max_examples=examples)
    simulation.settle(simulation.weigh(placements), {BUYER: history})
    return simulation.report()


histories = st.builds(
    BuyerHistory,
    first_order=st.sampled_from(["orders/1", "orders/2"]),
    first_confirm_time=st.none() | SOON,
    offers=st.lists(
        st.builds(
            PastOffer,
            st.sampled_from(["offers/1", "offers/2"]),
            st.sampled_from([PACKAGE, OTHER_PACKAGE]),
            SOON,
            st.none() | SOON,
            st.none() | SOON,
        ),
        max_size=3,
    ).map(tuple),
    verifications=st.lists(
        st.builds(BuyerVerification, st.just(BUYER), st.booleans(), st.none() | SOON, set_time=SOON),
        max_size=3,
    ).map(lambda said: tuple(sorted(said, key=lambda one: one.set_time, reverse=True))),
)
chosen_settings = st.builds(
    settings_with,
    windows=windows(),
    overrides=overrides(),
    time_zone=ZONES,
    enabled=st.sampled_from([True, True, True, False]),
    audience=st.sampled_from(Audience),
    bypass_policy=st.sampled_from(BypassPolicy),
    scope=st.sampled_from([Scope(all_packages=True), Scope(packages=(PACKAGE,)), Scope()]),
    max_open_orders=st.integers(0, 2),
)


@pytest.mark.covers("X04")
@settings(deadline=None)
@given(
    chosen=chosen_settings,
    times=st.lists(SOON, min_size=1, max_size=8),
    history=histories,
    confirmed=st.lists(SOON, max_size=4),
    intake=st.sampled_from(Intake),
)
def test_it_says_what_the_gate_says(
    chosen: OrderSettings,
    times: list[datetime],
    history: BuyerHistory,
    confirmed: list[datetime],
    intake: Intake,
) -> None:
    limit = chosen.max_open_orders
    filled = sorted(confirmed)[limit - 1 : limit] if limit else []
    simulation = Simulation(chosen, workload=Workload([(time, True) for time in filled]))
    for time in times:
        placement = placed(time, intake=intake)
        found = simulation.judge(placement, history)
        is_full = bool(limit) and sum(one < time for one in confirmed) >= limit
        live = replace(rules(chosen, intake=intake), is_full=is_full)
        expected = decide(live, time, history.facts(placement)).verdict
        assert (found.outcome, found.reason, found.offer) == (
            expected.outcome,
            expected.reason,
            expected.offer,
        )
        if expected.outcome is Outcome.REQUEST_REQUIRED:
            assert found.matched_window == expected.matched_window


@pytest.mark.covers("G23", "X04")
@pytest.mark.parametrize("part", range(8))
def test_in_every_zone_and_over_thirty_years_it_says_what_the_gate_says(part: int) -> None:
    generator = random.Random(part)
    start = datetime(1997, 1, 1, tzinfo=UTC)
    for zone in sorted(zone_names())[part::8]:
        chosen = nights(zone, overrides=(DayOverride(day("2012-02-29"), DayRule.CLOSED),))
        simulation, live = Simulation(chosen), rules(chosen)
        for _ in range(25):
            time = start + timedelta(milliseconds=generator.randrange(30 * 366 * 86_400_000))
            found, expected = simulation.judge(placed(time)), decide(live, time).verdict
            assert (found.reason, found.matched_window) == (expected.reason, expected.matched_window)


def test_rules_are_counted_with_what_happened_in_truth() -> None:
    report = replay(
        nights(),
        placed(NOON, number=1),
        placed(NOON + TICK, number=2, is_request=True),
        placed(NIGHT, number=3),
        placed(NIGHT + TICK, number=4),
        placed(NIGHT + 2 * TICK, number=5, is_request=True),
    )
    assert (report.sample_size, report.gated, report.newly_gated, report.newly_instant) == (5, 3, 2, 1)
    night, noon = report.rules
    assert (night.outcome, night.reason, night.matched_window) == (
        Outcome.REQUEST_REQUIRED,
        GateReason.INSIDE_WINDOW,
        "MON 21:00-24:00",
    )
    assert (night.placements, night.orders, night.requests) == (3, 2, 1)
    assert (noon.reason, noon.orders, noon.requests) == (GateReason.OUTSIDE_WINDOWS, 1, 1)
    assert report.settings_version == 3


def test_examples_are_the_first_of_each_reason() -> None:
    placements = [placed(NOON + number * TICK, number=number) for number in range(9)]
    placements += [placed(NIGHT + number * TICK, number=10 + number) for number in range(9)]
    report = replay(nights(), *placements, examples=2)
    assert [example.placement.name for example in report.examples] == [
        "orders/0",
        "orders/1",
        "orders/10",
        "orders/11",
    ]
    assert report.examples[2].local_time == "2026-06-01T22:00:00+02:00"
    assert replay(nights(), *placements, examples=0).examples == ()


def test_a_buyer_returns_after_another_order_was_confirmed_and_not_by_the_one_he_places() -> None:
    chosen = settings_with(audience=Audience.NEW_BUYERS)
    for first, confirmed, reason in (
        ("orders/7", NOON - TICK, GateReason.RETURNING_BUYER),
        ("orders/7", NOON, GateReason.ALWAYS),
        ("orders/1", NOON - TICK, GateReason.ALWAYS),
        ("", None, GateReason.ALWAYS),
    ):
        history = BuyerHistory(first, confirmed)
        assert Simulation(chosen).judge(placed(), history).reason is reason


@pytest.mark.parametrize(
    ("offer", "policy", "reason"),
    [
        (PastOffer("offers/1", PACKAGE, NOON), BypassPolicy.OPEN_OFFER, GateReason.OPEN_OFFER),
        (PastOffer("offers/1", PACKAGE, NOON + TICK), BypassPolicy.ANY_PAST_OFFER, GateReason.ALWAYS),
        (PastOffer("offers/1", PACKAGE, NIGHT, None), BypassPolicy.OPEN_OFFER, GateReason.ALWAYS),
        (PastOffer("offers/1", PACKAGE, at("2026-05-01"), NOON), BypassPolicy.OPEN_OFFER, GateReason.ALWAYS),
        (
            PastOffer("offers/1", PACKAGE, at("2026-05-01"), NOON + TICK),
            BypassPolicy.OPEN_OFFER,
            GateReason.OPEN_OFFER,
        ),
        (
            PastOffer("offers/1", PACKAGE, at("2026-05-01"), None, NOON),
            BypassPolicy.OPEN_OFFER,
            GateReason.ALWAYS,
        ),
        (
            PastOffer("offers/1", PACKAGE, at("2026-05-01"), NOON),
            BypassPolicy.ANY_PAST_OFFER,
            GateReason.PAST_OFFER,
        ),
        (PastOffer("offers/1", OTHER_PACKAGE, at("2026-05-01")), BypassPolicy.OPEN_OFFER, GateReason.ALWAYS),
    ],
)
def test_an_offer_counts_from_when_it_was_made_until_it_ended(
    offer: PastOffer, policy: BypassPolicy, reason: GateReason
) -> None:
    history = BuyerHistory(offers=(offer,))
    assert Simulation(settings_with(bypass_policy=policy)).judge(placed(), history).reason is reason


def test_a_seller_is_full_behind_the_instant_that_filled_him() -> None:
    workload = Workload([(NOON, True), (NOON + TICK, False)])
    instants = (NOON - TICK, NOON, NOON + TICK, NOON + 2 * TICK)
    assert [workload.is_full(instant) for instant in instants] == [False, False, True, False]
    chosen = replace(nights(), max_open_orders=2)
    simulation = Simulation(chosen, workload=workload)
    reasons = [simulation.judge(placed(instant)).reason for instant in (NOON, NOON + TICK, NIGHT)]
    assert reasons == [GateReason.OUTSIDE_WINDOWS, GateReason.AT_CAPACITY, GateReason.INSIDE_WINDOW]


SPANS = st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)).map(
    lambda span: (span[0], None if span[1] is None else span[0] + span[1])
)


@given(spans=st.lists(SPANS, max_size=12), limit=st.integers(1, 4))
def test_a_seller_turns_full_when_as_many_orders_are_open(
    spans: list[tuple[int, int | None]], limit: int
) -> None:
    found = turns([begin for begin, _ in spans], [end for _, end in spans if end is not None], limit=limit)
    assert [time for time, _ in found] == sorted({time for time, _ in found})
    workload = Workload([(NOON + time * TICK, is_full) for time, is_full in found])
    for time in range(20):
        count = sum(begin < time and (end is None or time <= end) for begin, end in spans)
        assert workload.is_full(NOON + time * TICK) is (count >= limit)


def test_nothing_placed_nothing_found() -> None:
    report = replay(nights())
    assert (report.sample_size, report.rules, report.examples) == (0, (), ())
    assert NO_HISTORY.facts(placed()).offers == ()
