"""When orders are taken: what is declared and what is planned, by the seller and for a listing, together."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.kernel.refusal import Refusal
from services.gating.domain.availability import Availability
from services.gating.domain.calendar import (
    MAX_ABSENCES,
    Calendar,
    Planned,
    delete_absence,
    plan_absence,
    unavailability,
)
from services.gating.domain.gate import GateReason, Outcome
from tests.unit.gating.examples import LISTING, NOON, SELLER, absence, decide, nights, rules, settings_with

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
GRID = 24


def hour(number: int) -> datetime:
    return NOON + number * HOUR


def calendar(
    *spans: tuple[int, int, bool], subject: str = SELLER, declared: Availability | None = None
) -> Calendar:
    planned = (absence(hour(a), hour(b), closed=closed, subject=subject) for a, b, closed in spans)
    return Calendar(declared or Availability(subject), tuple(planned))


@pytest.mark.covers("X10")
def test_an_absence_begins_and_ends_exactly() -> None:
    found = rules(seller=calendar((2, 5, False)))
    before = decide(found, hour(2) - TICK).verdict
    assert (before.outcome, before.next_change_time) == (Outcome.REQUEST_REQUIRED, hour(2))
    away = decide(found, hour(2)).verdict
    assert (away.outcome, away.reason) == (Outcome.UNAVAILABLE, GateReason.SELLER_UNAVAILABLE)
    assert away.next_change_time == away.unavailable_until == hour(5)
    assert decide(found, hour(5) - TICK).verdict.outcome is Outcome.UNAVAILABLE
    after = decide(found, hour(5)).verdict
    assert (after.outcome, after.next_change_time) == (Outcome.REQUEST_REQUIRED, None)


def test_the_clock_and_the_calendar_are_both_looked_ahead_at() -> None:
    # Noon in UTC is 14:00 in Berlin; the window begins at 21:00.
    found = rules(nights(), seller=calendar((3, 4, False), (9, 10, False)))
    assert decide(found, NOON).verdict.next_change_time == hour(3)
    assert decide(found, hour(4)).verdict.next_change_time == hour(7)
    assert decide(found, hour(7)).verdict.next_change_time == hour(9)


def test_an_absence_also_changes_what_no_clock_changes() -> None:
    switched_off = rules(settings_with(enabled=False), of_listing=calendar((3, 4, True), subject=LISTING))
    assert decide(switched_off, NOON).verdict.next_change_time == hour(3)
    verdict = decide(switched_off, hour(3)).verdict
    assert (verdict.reason, verdict.messages_closed) == (GateReason.LISTING_UNAVAILABLE, True)


@pytest.mark.covers("X10")
def test_absences_that_overlap_or_meet_are_one_unavailability() -> None:
    seller = calendar((0, 4, False), (3, 6, True), (6, 9, False), (12, 13, False))
    verdict = decide(rules(seller=seller), hour(1)).verdict
    assert (verdict.unavailable_until, verdict.next_change_time) == (hour(9), hour(3))
    assert not verdict.messages_closed
    closed = decide(rules(seller=seller), hour(3)).verdict
    assert (closed.messages_closed, closed.unavailable_until, closed.next_change_time) == (
        True,
        hour(9),
        hour(6),
    )
    opened = decide(rules(seller=seller), hour(6)).verdict
    assert (opened.messages_closed, opened.next_change_time) == (False, hour(9))


def test_the_listing_stays_away_when_the_seller_is_back() -> None:
    found = rules(seller=calendar((0, 2, False)), of_listing=calendar((1, 5, False), subject=LISTING))
    verdict = decide(found, hour(1)).verdict
    assert (verdict.reason, verdict.unavailable_until) == (GateReason.SELLER_UNAVAILABLE, hour(5))
    assert verdict.next_change_time == hour(2)
    assert decide(found, hour(2)).verdict.reason is GateReason.LISTING_UNAVAILABLE


def test_what_is_declared_without_end_outlasts_what_is_planned() -> None:
    away = Availability(SELLER, False, None, False, 1)
    verdict = decide(rules(seller=calendar((2, 3, True), declared=away)), NOON).verdict
    assert (verdict.unavailable_until, verdict.next_change_time) == (None, hour(2))
    during = decide(rules(seller=calendar((2, 3, True), declared=away)), hour(2)).verdict
    assert (during.messages_closed, during.next_change_time) == (True, hour(3))


@st.composite
def calendars(draw: st.DrawFn, subject: str) -> Calendar:
    spans = draw(
        st.lists(
            st.tuples(st.integers(0, GRID), st.integers(1, 9), st.booleans()).map(
                lambda found: (found[0], found[0] + found[1], found[2])
            ),
            max_size=4,
        )
    )
    end = draw(st.none() | st.integers(0, GRID).map(hour))
    declared = draw(
        st.sampled_from([Availability(subject), Availability(subject, False, end, draw(st.booleans()), 1)])
    )
    return calendar(*spans, subject=subject, declared=declared)


@pytest.mark.covers("X10")
@settings(max_examples=60)
@given(calendars(SELLER), calendars(LISTING), st.integers(0, 4 * GRID))
def test_nothing_changes_before_the_next_change_and_something_does_then(
    seller: Calendar, listing: Calendar, quarter: int
) -> None:
    def said(at: datetime) -> tuple[object, ...]:
        found = unavailability(seller, listing, at)
        return (None,) if found is None else (found.by_seller, found.messages_closed, found.until)

    at = NOON + quarter * HOUR / 4
    found = unavailability(seller, listing, at)
    if found is None:
        change = min(filter(None, (seller.next_absence(at), listing.next_absence(at))), default=None)
    else:
        change = found.next_change_time
    horizon = hour(3 * GRID) if change is None else change
    inside = [at + n * HOUR / 4 for n in range(12 * GRID) if at + n * HOUR / 4 < horizon]
    assert {said(instant) for instant in inside} <= {said(at)}
    if change is not None:
        assert change > at
        assert said(change - TICK) == said(at) != said(change)


@settings(max_examples=60)
@given(calendars(SELLER), calendars(LISTING), st.integers(0, GRID))
def test_nothing_is_taken_until_the_end_that_is_told(
    seller: Calendar, listing: Calendar, number: int
) -> None:
    found = unavailability(seller, listing, hour(number))
    end = hour(4 * GRID) if found is None or found.until is None else found.until
    taken = [seller.holds(hour(n)) and listing.holds(hour(n)) for n in range(number, 5 * GRID)]
    if found is None:
        assert taken[0]
        return
    assert not any(taken[: (end - hour(number)) // HOUR])
    if found.until is not None:
        assert taken[(found.until - hour(number)) // HOUR]


def planned(start: datetime, end: datetime) -> Planned:
    return Planned(start, end, False, "Summer", "users/owner")


def test_an_absence_is_planned_ahead() -> None:
    found, event = plan_absence(
        "1", SELLER, planned(NOON + TICK, hour(1)), already=MAX_ABSENCES - 1, now=NOON
    )
    assert (found.name, event.absence, event.time) == (f"{SELLER}/absences/1", found, NOON)
    assert found.create_time == NOON
    with pytest.raises(Refusal) as caught:
        plan_absence("1", SELLER, planned(NOON, hour(1)), already=0, now=NOON)
    assert (caught.value.reason, caught.value.metadata["field"]) == (
        "TIME_OUT_OF_RANGE",
        "absence.start_time",
    )
    with pytest.raises(Refusal) as caught:
        plan_absence("1", SELLER, planned(hour(1), hour(2)), already=MAX_ABSENCES, now=NOON)
    assert caught.value.metadata == {"resource": SELLER, "limit": "100"}


def test_what_has_ended_cannot_be_deleted() -> None:
    found = absence(hour(1), hour(2))
    for at in (NOON, hour(1), hour(2) - TICK):
        event = delete_absence(found, now=at)
        assert event is not None
        assert event.time == at
    assert delete_absence(found, now=hour(2)) is None
