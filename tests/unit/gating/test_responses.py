"""When an answer came in time, and what is left out of the response rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gating.domain.interval import Interval
from services.gating.domain.metrics import share_value
from services.gating.domain.responses import (
    IN_TIME,
    Closure,
    Declaration,
    Exclusion,
    PlannedClosure,
    RateTally,
    RequestLife,
    ResponseTime,
    TimeTally,
    closures,
    due_time,
    judge,
)

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
SELLER = "sellers/acme"
LISTING = "sellers/acme/listings/logo"


def at(hours: float) -> datetime:
    return START + hours * HOUR


def life(**times: float) -> RequestLife:
    """A request of START; times in hours after it."""
    moments: dict[str, Any] = {f"{name}_time": at(hours) for name, hours in times.items()}
    return RequestLife("orderRequests/1", LISTING, START, "ALWAYS", **moments)


def away(start: float, end: float | None) -> Closure:
    return Closure(at(start), None if end is None else at(end))


@pytest.mark.parametrize(
    ("closed", "due"),
    [
        ((), 24),
        ((away(-9, 0),), 24),
        ((away(24, 30),), 24),
        ((away(23, 30),), 31),
        ((away(2, 5), away(10, 11)), 28),
        ((away(2, 9), away(5, 11)), 33),
        ((away(2, 9), away(3, 4)), 31),
        ((away(20, 22), away(25, 90)), 91),
        ((away(-1, 6),), 30),
        ((away(3, None),), None),
        ((away(24, None),), 24),
    ],
)
def test_24_hours_run_while_messages_are_open(closed: tuple[Closure, ...], due: float | None) -> None:
    assert due_time(START, closed) == (None if due is None else at(due))
    assert due_time(START, tuple(reversed(closed))) == due_time(START, closed)


spans = st.lists(
    st.tuples(st.integers(-30, 60), st.integers(1, 40)).map(lambda s: away(s[0], s[0] + s[1])), max_size=5
)


@given(spans)
def test_exactly_24_open_hours_lie_before_the_deadline(closed: list[Closure]) -> None:
    due = due_time(START, closed)
    assert due is not None
    hours = [at(n) for n in range(int((due - START) / HOUR))]
    assert sum(not any(each.holds(hour) for each in closed) for hour in hours) == IN_TIME / HOUR


@pytest.mark.parametrize(
    ("request_life", "closed", "now", "verdict"),
    [
        (life(response=24), (), 25, True),
        (life(response=24.01), (), 25, False),
        (life(response=3, decline=3), (), 25, True),
        (life(), (), 23.9, Exclusion.NOT_DUE),
        (life(), (), 24, False),
        (life(withdraw=23), (), 99, Exclusion.WITHDRAWN),
        (life(withdraw=24), (), 99, False),
        (life(close=5), (), 99, Exclusion.CLOSED),
        (life(close=30), (), 99, False),
        (life(expire=5), (), 99, False),
        (life(expire=5), (away(2, 4),), 99, Exclusion.SELLER_UNAVAILABLE),
        (life(expire=30), (away(2, 4),), 99, False),
        (life(), (away(0, 9),), 99, Exclusion.SELLER_UNAVAILABLE),
        (life(response=1), (away(-1, 0.5),), 99, Exclusion.SELLER_UNAVAILABLE),
        (life(response=27), (away(2, 5),), 99, True),
        (life(response=28), (away(2, 5),), 99, False),
        (life(), (away(2, None),), 99, Exclusion.SELLER_UNAVAILABLE),
        (life(response=200), (away(2, None),), 300, True),
        (life(withdraw=3, response=26), (), 99, Exclusion.WITHDRAWN),
    ],
)
def test_verdicts(
    request_life: RequestLife, closed: tuple[Closure, ...], now: float, verdict: bool | Exclusion
) -> None:
    assert judge(request_life, closed, at(now)) is verdict


def test_a_closure_ends_by_itself_or_by_the_next_declaration() -> None:
    found = closures(
        [
            Declaration(SELLER, at(0), is_closed=True, end_time=at(5)),
            Declaration(SELLER, at(7), is_closed=True, end_time=at(20)),
            Declaration(SELLER, at(9), is_closed=False),
            Declaration(LISTING, at(1), is_closed=True),
            Declaration(SELLER, at(30), is_closed=True),
            Declaration(SELLER, at(30), is_closed=False),
        ]
    )
    assert found == {SELLER: (away(0, 5), away(7, 9)), LISTING: (away(1, None),)}


@pytest.mark.covers("X10", "G30")
def test_what_is_planned_closes_beside_what_is_declared() -> None:
    found = closures(
        [Declaration(SELLER, at(0), is_closed=True, end_time=at(5))],
        [
            PlannedClosure(SELLER, at(3), at(9)),
            PlannedClosure(SELLER, at(10), at(20), delete_time=at(12)),
            PlannedClosure(SELLER, at(30), at(40), delete_time=at(30)),
            PlannedClosure(LISTING, at(1), at(2), delete_time=at(50)),
        ],
    )
    assert found == {SELLER: (away(0, 5), away(3, 9), away(10, 12)), LISTING: (away(1, 2),)}


def test_a_listings_closure_protects_its_own_requests_only() -> None:
    mine = RequestLife("orderRequests/1", LISTING, START, "ALWAYS")
    other = RequestLife("orderRequests/2", f"{LISTING}-two", START, "ALWAYS")
    tally = RateTally(
        {LISTING: (away(-1, 1),)}, seller=SELLER, interval=Interval(START, at(99)), now=at(99), named=9
    )
    tally.add([mine, other])
    found = tally.rate()
    assert (found.share.sample.ids, found.share.part.number) == (("orderRequests/2",), 0)
    assert [(reason, count.ids) for reason, count in found.exclusions] == [
        (Exclusion.SELLER_UNAVAILABLE, ("orderRequests/1",))
    ]


@pytest.mark.parametrize(("size", "speaks"), [(0, False), (2, False), (3, True)])
def test_a_rate_needs_three(size: int, speaks: bool) -> None:
    lives = [RequestLife(f"orderRequests/{n}", LISTING, START, response_time=START) for n in range(size)]
    tally = RateTally({}, seller=SELLER, interval=Interval(START, at(1)), now=at(99), named=0)
    tally.add(lives)
    found = tally.rate()
    assert (share_value(found.share) == 1) is speaks
    assert (share_value(found.share) is None) is not speaks


def response_time(lives: Sequence[RequestLife]) -> ResponseTime:
    tally = TimeTally(named=0)
    for each in lives:
        tally.add([each])
    return tally.response_time()


@pytest.mark.parametrize(
    ("hours", "median", "percentile_90"),
    [
        ((7,), 7, 7),
        ((1, 2), 1.5, 2),
        ((3, 1, 2), 2, 3),
        (tuple(range(1, 11)), 5.5, 9),
        (tuple(range(1, 12)), 6, 10),
        ((-1, -2), 0, 0),
    ],
)
def test_response_times(hours: tuple[float, ...], median: float, percentile_90: float) -> None:
    found = response_time([life(response=each) for each in hours])
    assert (found.median, found.percentile_90) == (median * HOUR, percentile_90 * HOUR)
    assert found.sample.number == len(hours)


def test_nobody_answered() -> None:
    found = response_time([life(), life(withdraw=3)])
    assert (found.median, found.percentile_90, found.sample.number) == (None, None, 0)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_90_of_100_are_not_slower_than_their_percentile(hours: list[int]) -> None:
    found = response_time([life(response=each) for each in hours])
    assert found.percentile_90 is not None
    assert found.median is not None
    assert 10 * sum(each * HOUR <= found.percentile_90 for each in hours) >= 9 * len(hours)
    assert 10 * sum(each * HOUR < found.percentile_90 for each in hours) < 9 * len(hours)
    assert min(hours) * HOUR <= found.median <= max(hours) * HOUR
    assert found.median <= found.percentile_90 or len(hours) < 3
