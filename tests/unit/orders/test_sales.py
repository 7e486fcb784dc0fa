"""How time is divided, and what sums add up to."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.refusal import Refusal
from chassis.kernel.timetable import zone_names, zone_of
from services.orders.domain import sales
from services.orders.domain.sales import Exclusion, Period, Sum
from services.orders.domain.subscription import calendar

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@given(
    st.sampled_from(sorted(zone_names())),
    st.integers(0, 37 * 366).map(lambda day: EPOCH + timedelta(days=day, hours=day % 24, seconds=day % 7)),
    st.integers(1, 400),
    st.sampled_from(list(Period)),
)
def test_periods_join_without_a_gap_in_every_zone(
    name: str, end: datetime, days: int, period: Period
) -> None:
    zone = zone_of(name)
    whole = sales.span(end - timedelta(days=days), end, zone)
    periods = sales.divided(whole, period, zone)
    assert (periods[0].start, periods[-1].end) == (whole.start, whole.end)
    assert all(one.end == after.start for one, after in itertools.pairwise(periods))
    assert whole.start <= end - timedelta(days=days)
    assert whole.end >= end
    # The sums know quarters of an hour: a day never begins inside of one.
    assert not any((one.start - EPOCH) % QUARTER for one in periods)


def test_days_weeks_and_months_are_local() -> None:
    zone = zone_of("Europe/Berlin")
    whole = sales.span(datetime(2026, 3, 27, 23, 30, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), zone)
    days = sales.divided(whole, Period.DAY, zone)
    assert [one.first_day for one in days] == [date(2026, 3, 28) + timedelta(days=n) for n in range(5)]
    # The day on which clocks go forward has 23 hours.
    assert days[1].end - days[1].start == timedelta(hours=23)
    weeks = sales.divided(whole, Period.WEEK, zone)
    assert [one.first_day for one in weeks] == [date(2026, 3, 28), date(2026, 3, 30)]
    months = sales.divided(whole, Period.MONTH, zone)
    assert [one.first_day for one in months] == [date(2026, 3, 28), date(2026, 4, 1)]


def test_what_is_absent_or_too_long() -> None:
    zone = zone_of("UTC")
    end = datetime(2026, 6, 1, tzinfo=UTC)
    assert sales.span(None, end, zone).first_day == date(2026, 3, 3)
    assert sales.span(end - timedelta(days=400), end, zone).end == end
    for start in (end, end + timedelta(days=1), end - timedelta(days=402)):
        with pytest.raises(Refusal):
            sales.span(start, end, zone)


def sold(currency: str, orders: int, value: int, cancelled: int = 0, why: Exclusion | None = None) -> Sum:
    return Sum(currency, why, orders, value, cancelled, cancelled * 10, 0, 0, 0, 0)


def test_currencies_are_never_added_and_averages_are_rounded_half_up() -> None:
    found = sales.figures(
        [
            sold("JPY", 2, 3),
            sold("EUR", 2, 100),
            sold("EUR", 1, 1, 1),
            sold("EUR", 9, 0, why=Exclusion.DECLINED),
        ]
    )
    assert [(one.confirmed.currency, one.orders) for one in found] == [("EUR", 3), ("JPY", 2)]
    euro, yen = found
    assert (str(euro.confirmed), str(euro.average), str(yen.average)) == ("1.01 EUR", "0.34 EUR", "2 JPY")
    assert euro.cancellation_rate == Fraction(1, 3)
    assert sales.figures([sold("EUR", 0, 0)]) == ()


def test_exclusions_are_counted_by_reason_and_currency() -> None:
    found = sales.exclusions(
        [
            sold("EUR", 1, 0, why=Exclusion.WITHDRAWN),
            sold("EUR", 2, 0, why=Exclusion.PRICE_AGREED_ELSEWHERE),
            sold("EUR", 1, 0, why=Exclusion.WITHDRAWN),
            sold("EUR", 1, 0, why=Exclusion.UNDECIDED),
            sold("EUR", -1, 0, why=Exclusion.UNDECIDED),
        ]
    )
    assert found == ((Exclusion.PRICE_AGREED_ELSEWHERE, "EUR", 2), (Exclusion.WITHDRAWN, "EUR", 2))


@pytest.mark.parametrize(
    "name", ["America/Havana", "America/St_Johns", "Antarctica/Casey", "Asia/Amman", "Cuba"]
)
def test_days_of_sales_begin_where_periods_of_subscriptions_do(name: str) -> None:
    """Also where midnight comes twice or is skipped, and for a minute of a day that then is not over."""
    zone, end = zone_of(name), datetime(2010, 12, 31, 12, tzinfo=UTC)
    for year in range(2000, 2011):
        whole = sales.span(end.replace(year=year) - timedelta(days=364), end.replace(year=year), zone)
        for one in sales.divided(whole, Period.DAY, zone):
            assert one.start == calendar.beginning_of(one.first_day, name)
    back = datetime(2005, 10, 30, 2, 30, 30, tzinfo=UTC)
    for start in (back, back + timedelta(minutes=30)):
        whole = sales.span(start, start + timedelta(minutes=1), zone_of("America/St_Johns"))
        assert whole.first_day == date(2005, 10, 29)
        assert whole.start <= start < start + timedelta(minutes=1) <= whole.end
        assert len(sales.divided(whole, Period.DAY, zone_of("America/St_Johns"))) == 1


def test_what_was_confirmed_counts_unless_it_was_agreed_elsewhere() -> None:
    def judged(state: str, *, is_confirmed: bool = False, elsewhere: bool = False) -> Exclusion | None:
        return sales.exclusion_of(state=state, is_confirmed=is_confirmed, price_agreed_elsewhere=elsewhere)

    assert judged("CANCELLED", is_confirmed=True) is None
    assert judged("CONFIRMED", is_confirmed=True, elsewhere=True) is Exclusion.PRICE_AGREED_ELSEWHERE
    assert judged("DECLINED", elsewhere=True) is Exclusion.DECLINED
    assert judged("WITHDRAWN") is Exclusion.WITHDRAWN
    assert judged("PENDING") is judged("AWAITING_ANSWER") is Exclusion.UNDECIDED
