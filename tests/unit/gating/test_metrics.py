"""What facts add up to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.gating.domain.interval import Interval
from services.gating.domain.metrics import (
    LONGEST_COMPARISON,
    MAX_CHANGES,
    NAMED_IDS,
    Figures,
    ListingTally,
    OrderLife,
    OrderTally,
    RequestTally,
    SettingsSave,
    comparisons,
    share_value,
)
from services.gating.domain.responses import NOTHING, Count, RequestLife, Share

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LISTING = "sellers/acme/listings/logo"
PERIOD = Interval(START, START + 90 * DAY)


def at(hours: float) -> datetime:
    return START + hours * HOUR


def figures(
    requests: Sequence[RequestLife],
    orders: Sequence[OrderLife],
    visits: Count,
    interval: Interval,
    *,
    portion: int = 2,
    named: int = NAMED_IDS,
) -> Figures:
    """What is counted in portions; all come oldest first."""
    became = {order.order_request: order for order in orders if order.order_request}
    placed, begun = OrderTally(interval, named), RequestTally(interval, became, named)
    for first in range(0, len(orders), portion):
        placed.add(orders[::-1][first : first + portion])
    for first in range(0, len(requests), portion):
        begun.add(requests[::-1][first : first + portion])
    return begun.figures(visits, placed)


def test_an_accepted_offer_wins_over_an_end() -> None:
    requests = [
        RequestLife("orderRequests/1", LISTING, at(0), "ALWAYS", expire_time=at(5), convert_time=at(6)),
        RequestLife("orderRequests/2", LISTING, at(1), "ALWAYS", expire_time=at(5)),
        RequestLife("orderRequests/3", LISTING, at(2), "ALWAYS", expire_time=at(5), offer_time=at(6)),
    ]
    found = figures(requests, (), NOTHING, PERIOD)
    assert (found.converted.ids, found.expired.ids) == (("orderRequests/1",), ("orderRequests/2",))
    assert share_value(found.request_conversion) == Fraction(1, 3)


def test_cancellations_are_counted_among_confirmed_orders_only() -> None:
    requests = [RequestLife("orderRequests/1", LISTING, at(0), "INSIDE_WINDOW", convert_time=at(1))]
    orders = [
        OrderLife("orders/1", LISTING, "orderRequests/1", at(1), at(1), at(9)),
        OrderLife("orders/2", LISTING, "", at(2), at(2)),
        OrderLife("orders/3", LISTING, "", at(3)),
    ]
    found = figures(requests, orders, Count(6), PERIOD)
    assert (found.cancellation_rate.part.ids, found.cancellation_rate.sample.number) == (("orders/1",), 2)
    assert (found.orders.number, found.direct_orders.number) == (3, 2)
    assert share_value(found.visit_conversion) == Fraction(1, 2)
    (rule,) = found.rules
    assert (rule.gate_reason, share_value(rule.cancellation_rate)) == ("INSIDE_WINDOW", Fraction(1))


def test_nothing_is_said_of_nothing() -> None:
    found = figures((), (), NOTHING, PERIOD)
    for share in (found.visit_conversion, found.request_conversion, found.cancellation_rate):
        assert share_value(share) is None
    assert found.rules == ()


def test_intervals_are_half_open() -> None:
    found = figures(
        [RequestLife(f"orderRequests/{n}", LISTING, at(n)) for n in range(3)],
        [OrderLife(f"orders/{n}", LISTING, "", at(n)) for n in range(3)],
        NOTHING,
        Interval(at(0), at(2)),
    )
    assert found.requests.ids == ("orderRequests/1", "orderRequests/0")
    assert found.orders.ids == found.direct_orders.ids == ("orders/1", "orders/0")


hours_of_saves = st.lists(st.integers(-1000, 3000), unique=True, max_size=40).map(sorted)


@given(hours_of_saves)
def test_comparisons_are_equally_long_and_reach_over_no_other_save(hours: list[int]) -> None:
    saves = [SettingsSave(n, at(hour)) for n, hour in enumerate(hours, start=1)]
    found = comparisons(saves, PERIOD)
    inside = [save for save in saves if PERIOD.contains(save.time)]
    assert [each.save for each in found] == inside[::-1][:MAX_CHANGES]
    for each in found:
        before, after = each.before, each.after
        assert before.end == after.start == each.save.time
        assert before.end - before.start == after.end - after.start
        assert timedelta() < after.end - after.start <= LONGEST_COMPARISON
        assert after.end <= PERIOD.end
        others = [save.time for save in saves if save != each.save]
        assert not any(before.start < other < after.end for other in others)


def test_listings_come_with_the_most_visits_first() -> None:
    orders = [
        OrderLife("orders/1", "b", "", at(1)),
        OrderLife("orders/2", "c", "", at(1)),
        OrderLife("orders/3", "", "", at(1)),
    ]
    tally = ListingTally(PERIOD, NAMED_IDS)
    tally.add(orders)
    found = tally.figures({"a": Count(3), "b": Count(5)})
    assert [(each.listing, each.visits.number, each.orders.number) for each in found] == [
        ("b", 5, 1),
        ("a", 3, 0),
        ("c", 0, 1),
    ]
    assert [share_value(each.conversion) for each in found] == [Fraction(1, 5), 0, None]


sizes = st.integers(1, 12)


@given(sizes, sizes, st.integers(0, 12))
def test_how_facts_are_portioned_does_not_matter(first: int, second: int, named: int) -> None:
    requests = [
        RequestLife(f"orderRequests/{n}", LISTING, at(n // 2), f"RULE {n % 3}", response_time=at(n + n % 4))
        for n in range(12)
    ]
    orders = [OrderLife(f"orders/{n}", LISTING, f"orderRequests/{n}", at(n // 3), at(n)) for n in range(12)]
    span = Interval(at(1), at(5))
    found = figures(requests, orders, NOTHING, span, portion=first, named=named)
    assert found == figures(requests, orders, NOTHING, span, portion=second, named=named)
    whole = figures(requests, orders, NOTHING, span)
    assert (found.requests.number, found.response_time.median) == (8, whole.response_time.median)
    assert found.requests.ids == whole.requests.ids[:named]


def test_a_share_is_exact() -> None:
    assert share_value(Share(Count(1), Count(3))) == Fraction(1, 3)
    assert share_value(Share(Count(2), Count(2), minimum=3)) is None
