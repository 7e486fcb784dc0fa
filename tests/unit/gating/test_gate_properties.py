"""What holds of the gate for every zone, window and instant."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chassis.kernel.timetable import Span, Window, zone_names, zone_of
from services.gating.domain.availability import Availability
from services.gating.domain.gate import BuyerFacts, GateReason, HeldOffer, Outcome
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import Audience, BypassPolicy, DayOverride, DayRule
from services.gating.domain.verification import BuyerVerification
from tests.unit.gating.examples import (
    LISTING,
    NIGHTS,
    PACKAGE,
    SELLER,
    at,
    decide,
    nights,
    rules,
    settings_with,
)

MINUTE = timedelta(minutes=1)
SOON = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from(sorted(zone_names()))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, 1439))
        end = draw(st.integers(start + 1, 1440))
        found.append(Window(frozenset(draw(st.sets(st.integers(0, 6), min_size=1))), start, end))
    return tuple(found)


@st.composite
def overrides(draw: st.DrawFn) -> tuple[DayOverride, ...]:
    days = draw(st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=3))
    return tuple(
        DayOverride(day, rule, (Span(600, 700),) if rule is DayRule.WINDOWS else ())
        for day in sorted(days)
        for rule in [draw(st.sampled_from(DayRule))]
    )


@pytest.mark.covers("G18", "G20", "G23")
@pytest.mark.parametrize(
    ("zone", "start", "minutes", "spans"),
    [
        (
            "Europe/Berlin",
            "2026-06-01",
            1440,
            [("2026-05-31T22:00", "2026-06-01T04:00"), ("2026-06-01T19:00", "2026-06-01T22:00")],
        ),
        (
            "Europe/Berlin",
            "2026-03-29",
            1380,
            [("2026-03-28T23:00", "2026-03-29T04:00"), ("2026-03-29T19:00", "2026-03-29T22:00")],
        ),
        (
            "Europe/Berlin",
            "2026-10-25",
            1500,
            [("2026-10-24T22:00", "2026-10-25T05:00"), ("2026-10-25T20:00", "2026-10-25T23:00")],
        ),
        (
            "Asia/Kathmandu",
            "2026-06-01",
            1440,
            [("2026-05-31T18:15", "2026-06-01T00:15"), ("2026-06-01T15:15", "2026-06-01T18:15")],
        ),
    ],
)
def test_the_vectors(zone: str, start: str, minutes: int, spans: list[tuple[str, str]]) -> None:
    midnight = datetime.fromisoformat(start).replace(tzinfo=zone_of(zone))
    first = midnight.astimezone(UTC)
    following = (midnight + timedelta(days=1)).astimezone(UTC)
    assert (following - first) / MINUTE == minutes
    found = rules(nights(zone))
    expected = [(at(begin), at(end)) for begin, end in spans]
    gated = 0
    for offset in range(minutes):
        instant = first + offset * MINUTE
        is_gated = decide(found, instant).verdict.outcome is Outcome.REQUEST_REQUIRED
        assert is_gated == any(begin <= instant < end for begin, end in expected)
        gated += is_gated
    assert gated == sum((end - begin) / MINUTE for begin, end in expected)


@pytest.mark.covers("G20")
@given(found=windows(), seed=st.integers(), instant=SOON, zone=ZONES)
def test_the_order_of_windows_does_not_matter(
    found: tuple[Window, ...], seed: int, instant: datetime, zone: str
) -> None:
    shuffled = list(found)
    random.Random(seed).shuffle(shuffled)
    given_order = settings_with(windows=found, time_zone=zone)
    other_order = settings_with(windows=tuple(shuffled), time_zone=zone)
    assert decide(rules(given_order), instant) == decide(rules(other_order), instant)


@pytest.mark.covers("G23")
@settings(deadline=None)
@given(
    found=windows(),
    on=overrides(),
    instant=SOON,
    zone=ZONES,
    lapse=st.none() | SOON,
    away_until=st.none() | SOON,
    expiry=st.none() | SOON,
    audience=st.sampled_from(Audience),
    verified_until=st.none() | SOON,
    portion=st.floats(0, 1, exclude_max=True),
)
def test_the_outcome_is_constant_until_the_next_change(  # noqa: PLR0917
    found: tuple[Window, ...],
    on: tuple[DayOverride, ...],
    instant: datetime,
    zone: str,
    lapse: datetime | None,
    away_until: datetime | None,
    expiry: datetime | None,
    audience: Audience,
    verified_until: datetime | None,
    portion: float,
) -> None:
    away = Availability(LISTING, away_until is None, away_until)
    held = HeldOffer("offers/1", PACKAGE, is_open=expiry is not None, expire_time=expiry)
    verification = BuyerVerification("users/ana", True, verified_until)
    facts = BuyerFacts(offers=(held,), verification=verification)
    known = rules(
        settings_with(windows=found, overrides=on, time_zone=zone, audience=audience),
        plan=SellerPlan(SELLER, Tier.PREMIUM, lapse),
        of_listing=away,
    )
    verdict = decide(known, instant, facts).verdict
    end = verdict.next_change_time
    if end is None:
        end = instant + timedelta(days=400)
    else:
        assert end > instant
    just_before = end - timedelta(microseconds=1)
    # A portion close to the whole is rounded to it.
    between = min(instant + portion * (end - instant), just_before)
    assert decide(known, between, facts).verdict.outcome is verdict.outcome
    assert decide(known, just_before, facts).verdict.outcome is verdict.outcome


@pytest.mark.covers("G23", "G24")
@given(found=windows(), zone=ZONES, other=ZONES, instant=SOON)
def test_the_gate_depends_on_the_local_wall_time_and_weekday_only(
    found: tuple[Window, ...], zone: str, other: str, instant: datetime
) -> None:
    assume(found)
    wall = instant.astimezone(zone_of(zone)).replace(tzinfo=None)
    elsewhere = wall.replace(tzinfo=zone_of(other))
    # A wall time that the other zone skips does not exist there.
    assume(elsewhere.astimezone(UTC).astimezone(zone_of(other)).replace(tzinfo=None) == wall)
    here = decide(rules(settings_with(windows=found, time_zone=zone)), instant).verdict
    there = decide(rules(settings_with(windows=found, time_zone=other)), elsewhere.astimezone(UTC)).verdict
    assert (here.outcome, here.reason, here.matched_window) == (
        there.outcome,
        there.reason,
        there.matched_window,
    )
    a_week_later = (wall + timedelta(days=7)).replace(tzinfo=zone_of(zone)).astimezone(UTC)
    assume(a_week_later.astimezone(zone_of(zone)).replace(tzinfo=None) == wall + timedelta(days=7))
    assert (
        decide(rules(settings_with(windows=found, time_zone=zone)), a_week_later).verdict.reason
        is here.reason
    )


@pytest.mark.covers("G18", "G37")
@given(before=ZONES, after=ZONES, instant=SOON, later=st.timedeltas(MINUTE, timedelta(days=30)))
def test_a_zone_change_leaves_earlier_decisions_untouched(
    before: str, after: str, instant: datetime, later: timedelta
) -> None:
    old = nights(before)
    taken = decide(rules(old), instant)
    new = replace(old, time_zone=after, version=old.version + 1)
    decide(rules(new), instant + later)
    assert decide(rules(old), instant) == taken
    assert taken.time_zone == before
    # From the change on the same wall times are read in the new zone.
    wall = (instant + later).astimezone(zone_of(after))
    minute = wall.hour * 60 + wall.minute
    expected = any(window.start_minute <= minute < window.end_minute for window in NIGHTS)
    assert (decide(rules(new), instant + later).verdict.outcome is Outcome.REQUEST_REQUIRED) == expected


@settings(deadline=None)
@given(
    found=windows(),
    on=overrides(),
    instant=SOON,
    zone=ZONES,
    enabled=st.booleans(),
    audience=st.sampled_from(Audience),
    policy=st.sampled_from(BypassPolicy),
    facts=st.builds(
        BuyerFacts,
        has_confirmed_order=st.booleans(),
        offers=st.lists(
            st.builds(HeldOffer, st.just("offers/1"), st.just(PACKAGE), st.booleans(), st.none() | SOON),
            max_size=3,
        ).map(tuple),
        verification=st.none()
        | st.builds(BuyerVerification, st.just("users/ana"), st.booleans(), st.none() | SOON),
    ),
)
def test_the_gate_decides_whatever_it_is_asked(  # noqa: PLR0917
    found: tuple[Window, ...],
    on: tuple[DayOverride, ...],
    instant: datetime,
    zone: str,
    enabled: bool,
    audience: Audience,
    policy: BypassPolicy,
    facts: BuyerFacts,
) -> None:
    chosen = settings_with(
        windows=found,
        overrides=on,
        time_zone=zone,
        enabled=enabled,
        audience=audience,
        bypass_policy=policy,
    )
    verdict = decide(rules(chosen), instant, facts).verdict
    assert bool(verdict.offer) == (verdict.reason in {GateReason.OPEN_OFFER, GateReason.PAST_OFFER})
    assert verdict.explanation.endswith(".")
    assert verdict.next_change_time is None or verdict.next_change_time > instant
