"""The calendar of a subscription: anchors that never drift, in every zone."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.kernel.money import Money
from chassis.kernel.timetable import local_time, zone_names, zone_of
from services.orders.domain.commerce import Interval, Plan
from services.orders.domain.subscription import calendar
from tests.unit.orders.subscribing import BERLIN, created, monthly, step

DAYS = st.dates(date(1995, 1, 1), date(2060, 12, 31))


def plan(interval: Interval, count: int = 1, **changes: Any) -> Plan:
    return Plan(Money("EUR", 100), interval, count, **changes)


def walk(begin: date, sold: Plan, anchor: int, periods: int) -> list[date]:
    days = [begin]
    for _ in range(periods):
        days.append(calendar.following(days[-1], sold, anchor))
    return days


def test_the_31st_comes_back_after_shorter_months() -> None:
    days = walk(date(2027, 12, 31), plan(Interval.MONTH), 31, 6)
    assert [(day.month, day.day) for day in days] == [
        (12, 31), (1, 31), (2, 29), (3, 31), (4, 30), (5, 31), (6, 30),
    ]  # fmt: skip
    leap = walk(date(2028, 2, 29), plan(Interval.YEAR), 29, 4)
    assert [(day.year, day.day) for day in leap] == [
        (2028, 29),
        (2029, 28),
        (2030, 28),
        (2031, 28),
        (2032, 29),
    ]


@given(begin=DAYS, interval=st.sampled_from(Interval), count=st.integers(1, 24))
def test_no_number_of_periods_drifts(begin: date, interval: Interval, count: int) -> None:
    days = walk(begin, plan(interval, count), begin.day, 12)
    for number, day in enumerate(days):
        if interval is Interval.WEEK:
            assert day == begin + timedelta(weeks=count * number)
            continue
        months = begin.year * 12 + begin.month - 1 + count * number * (12 if interval is Interval.YEAR else 1)
        last = monthrange(months // 12, months % 12 + 1)[1]
        assert (day.year * 12 + day.month - 1, day.day) == (months, min(begin.day, last))


@pytest.mark.parametrize(
    ("begin", "trial_days", "anchor_day", "first"),
    [
        (date(2026, 6, 1), 0, 0, date(2026, 6, 1)),
        (date(2026, 6, 1), 0, 1, date(2026, 6, 1)),
        (date(2026, 6, 2), 0, 1, date(2026, 7, 1)),
        (date(2026, 6, 1), 0, 31, date(2026, 6, 30)),
        (date(2026, 12, 30), 14, 5, date(2027, 2, 5)),
        (date(2027, 1, 31), 1, 31, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, 30, date(2028, 2, 29)),
        (date(2026, 12, 31), 1, 31, date(2027, 1, 31)),
    ],
)
def test_the_first_charge_waits_for_the_trial_and_the_day(
    begin: date, trial_days: int, anchor_day: int, first: date
) -> None:
    sold = plan(Interval.MONTH, trial_days=trial_days, anchor_day=anchor_day)
    assert calendar.first_paid_day(begin, sold) == first


@given(begin=DAYS, trial=st.integers(0, 730), anchor=st.integers(0, 31))
def test_the_first_charge_follows_the_trial_on_the_anchor_day(begin: date, trial: int, anchor: int) -> None:
    first = calendar.first_paid_day(begin, plan(Interval.MONTH, trial_days=trial, anchor_day=anchor))
    earliest = begin + timedelta(days=trial)
    if not anchor:
        assert first == earliest
        return
    assert first >= earliest
    assert first.day == min(anchor, monthrange(first.year, first.month)[1])
    assert (first - earliest).days < 31


@settings(max_examples=200)
@given(day=DAYS, zone=st.sampled_from(sorted(zone_names())))
def test_a_day_begins_when_the_day_before_is_over_in_every_zone(day: date, zone: str) -> None:
    begin = calendar.beginning_of(day, zone)
    assert begin < calendar.beginning_of(day + timedelta(days=2), zone)
    # The moment before belongs to an earlier date, or to the first of two midnights; what begins is this
    # date, or the next where the zone skips it.
    assert local_time(begin - timedelta(hours=3), zone_of(zone)).date() < day
    assert local_time(begin, zone_of(zone)).date() >= day


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        # Clocks go forward at midnight: the day begins with the jump.
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),
        # Midnight comes twice: the day before is over with the first one.
        ("America/Havana", date(2027, 11, 7), datetime(2027, 11, 7, 4, tzinfo=UTC)),
        (BERLIN, date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 6, 1), datetime(2026, 5, 31, 18, 15, tzinfo=UTC)),
    ],
)
def test_known_beginnings(zone: str, day: date, instant: datetime) -> None:
    assert calendar.beginning_of(day, zone) == instant


def test_renewals_keep_their_local_day_over_the_change_of_the_clocks() -> None:
    # 23:30 UTC is the next day in Berlin.
    subscription = created(at=datetime(2026, 1, 30, 23, 30, tzinfo=UTC))
    times = []
    for number in range(13):
        due = subscription.period_end_time
        subscription = step(subscription, due, f"p{number}").subscription
        times.append(local_time(due, zone_of(BERLIN)))
    assert [one.day for one in times] == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31]
    assert times[0].hour == 0
    assert all((one.hour, one.minute) == (0, 0) for one in times[1:])


def test_the_trial_the_anchor_and_the_start_decide_on_the_first_charge() -> None:
    at = datetime(2026, 1, 10, 12, tzinfo=UTC)
    assert created(at=at).period_end_time == at
    trial = created(monthly(trial_days=14), at=at)
    assert (trial.number, trial.period_end, trial.anchor_day) == (0, date(2026, 1, 24), 24)
    anchored = created(monthly(trial_days=14, anchor_day=31), at=at)
    assert (anchored.period_end, anchored.anchor_day) == (date(2026, 1, 31), 31)
    later = created(monthly(start_time=at + timedelta(days=5)), at=at)
    assert (later.activate_time, later.period_end_time) == (None, at + timedelta(days=5))
