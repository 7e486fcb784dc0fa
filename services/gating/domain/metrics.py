"""What the facts add up to. Pure: the same facts, period and instant give the same figures."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from services.gating.domain.interval import Interval
from services.gating.domain.responses import (
    NOTHING,
    Count,
    RequestLife,
    ResponseRate,
    ResponseTime,
    Share,
    response_time,
)

LONGEST_PERIOD: Final = timedelta(days=400)
LONGEST_COMPARISON: Final = timedelta(days=28)
"""How far before and after a change the figures look."""
MAX_CHANGES: Final = 20
MAX_LISTINGS: Final = 100
NAMED_IDS: Final = 1_000
"""How many ids stand beside a number."""


@dataclass(frozen=True, slots=True)
class OrderLife:
    """What became of an order. `order_request`: the request that it came from; else empty."""

    name: str
    listing: str
    order_request: str
    place_time: datetime
    confirm_time: datetime | None = None
    cancel_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class SettingsSave:
    """A version of the order settings began to hold."""

    version: int
    time: datetime


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """The requests that one rule asked for."""

    gate_reason: str
    requests: Count
    offers: Count
    conversion: Share
    response_time: ResponseTime
    cancellation_rate: Share


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in an interval."""

    interval: Interval
    visits: Count
    requests: Count
    offers: Count
    converted: Count
    declined: Count
    withdrawn: Count
    expired: Count
    closed: Count
    orders: Count
    direct_orders: Count
    visit_conversion: Share
    request_conversion: Share
    response_time: ResponseTime
    cancellation_rate: Share
    rules: tuple[RuleFigures, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two equally long intervals around a change."""

    save: SettingsSave
    before: Interval
    after: Interval


@dataclass(frozen=True, slots=True)
class Impact:
    """What changed with a save."""

    save: SettingsSave
    before: Figures
    after: Figures


@dataclass(frozen=True, slots=True)
class ListingFigures:
    """Visits and orders of a listing."""

    listing: str
    visits: Count
    orders: Count
    conversion: Share


@dataclass(frozen=True, slots=True)
class GateMetrics:
    """Everything that a seller is shown."""

    seller: str
    listing: str
    period: Figures
    response_rate: ResponseRate
    impacts: tuple[Impact, ...]
    listings: tuple[ListingFigures, ...]


class Lives:
    """Requests and orders by the time at which they began."""

    def __init__(self, requests: Iterable[RequestLife], orders: Iterable[OrderLife]) -> None:
        self._requests = sorted(requests, key=lambda life: (life.submit_time, life.name))
        self._orders = sorted(orders, key=lambda life: (life.place_time, life.name))
        self._by_request = {order.order_request: order for order in self._orders if order.order_request}

    def requests(self, interval: Interval) -> Sequence[RequestLife]:
        """Requests and inquiries that began in an interval, oldest first."""
        first = bisect_left(self._requests, interval.start, key=lambda life: life.submit_time)
        return self._requests[first : bisect_left(self._requests, interval.end, key=lambda r: r.submit_time)]

    def orders(self, interval: Interval) -> Sequence[OrderLife]:
        """Orders that were placed in an interval, oldest first."""
        first = bisect_left(self._orders, interval.start, key=lambda life: life.place_time)
        return self._orders[first : bisect_left(self._orders, interval.end, key=lambda o: o.place_time)]

    def orders_of(self, requests: Iterable[RequestLife]) -> Sequence[OrderLife]:
        """The orders that requests became, as far as they are known."""
        found = (self._by_request.get(request.name) for request in requests)
        return [order for order in found if order is not None]


def figures(lives: Lives, visits: Count, interval: Interval) -> Figures:
    """The figures of an interval."""
    begun, orders = lives.requests(interval), lives.orders(interval)
    requests = [life for life in begun if not life.is_inquiry]
    asked, placed = _named(requests), _named(orders)
    converted = _named(life for life in requests if life.convert_time is not None)
    return Figures(
        interval=interval,
        visits=visits,
        requests=asked,
        offers=_offers(requests),
        converted=converted,
        declined=_ended(requests, lambda life: life.decline_time),
        withdrawn=_ended(requests, lambda life: life.withdraw_time),
        expired=_ended(requests, _expiry),
        closed=_ended(requests, lambda life: life.close_time),
        orders=placed,
        direct_orders=_named(order for order in orders if not order.order_request),
        visit_conversion=Share(placed, visits),
        request_conversion=Share(converted, asked),
        response_time=response_time(begun),
        cancellation_rate=_cancellations(orders),
        rules=_rules(lives, requests),
    )


def _rules(lives: Lives, requests: Sequence[RequestLife]) -> tuple[RuleFigures, ...]:
    by_reason: dict[str, list[RequestLife]] = {}
    for life in requests:
        by_reason.setdefault(life.gate_reason, []).append(life)
    found = []
    for reason in sorted(by_reason):
        asked = by_reason[reason]
        count = _named(asked)
        converted = _named(life for life in asked if life.convert_time is not None)
        found.append(
            RuleFigures(
                reason,
                count,
                _offers(asked),
                Share(converted, count),
                response_time(asked),
                _cancellations(lives.orders_of(asked)),
            )
        )
    return tuple(found)


def _cancellations(orders: Iterable[OrderLife]) -> Share:
    """Declined and withdrawn orders were never confirmed, so that they are in neither number."""
    confirmed = [order for order in orders if order.confirm_time is not None]
    return Share(_named(order for order in confirmed if order.cancel_time is not None), _named(confirmed))


def _offers(requests: Iterable[RequestLife]) -> Count:
    return _named(life for life in requests if life.offer_time is not None)


def _ended(requests: Iterable[RequestLife], when: Callable[[RequestLife], datetime | None]) -> Count:
    """An accepted offer wins over whatever had ended the request."""
    return _named(life for life in requests if life.convert_time is None and when(life) is not None)


def _expiry(life: RequestLife) -> datetime | None:
    """None where an offer had been sent in time, although the news of it came after the deadline."""
    expired, offered = life.expire_time, life.offer_time
    return None if expired is not None and offered is not None and offered > expired else expired


def _named(lives: Iterable[RequestLife | OrderLife]) -> Count:
    ids = [life.name for life in lives]
    return Count(len(ids), tuple(reversed(ids)))


def comparisons(saves: Sequence[SettingsSave], period: Interval) -> tuple[Comparison, ...]:
    """What to compare for the newest saves of a period, newest first; `saves` are all, oldest first."""
    found = []
    for index, save in enumerate(saves):
        if not period.contains(save.time):
            continue
        length = min(LONGEST_COMPARISON, period.end - save.time)
        if index:
            length = min(length, save.time - saves[index - 1].time)
        if index + 1 < len(saves):
            length = min(length, saves[index + 1].time - save.time)
        before, after = (
            Interval(save.time - length, save.time),
            Interval(save.time, save.time + length),
        )
        found.append(Comparison(save, before, after))
    return tuple(reversed(found[-MAX_CHANGES:]))


def by_listing(visits: Mapping[str, Count], orders: Sequence[OrderLife]) -> tuple[ListingFigures, ...]:
    """The listings with the most visits, then orders."""
    placed: dict[str, list[OrderLife]] = {}
    for order in orders:
        if order.listing:
            placed.setdefault(order.listing, []).append(order)
    found = []
    for listing in {*visits, *placed}:
        seen, sold = visits.get(listing, NOTHING), _named(placed.get(listing, ()))
        found.append(ListingFigures(listing, seen, sold, Share(sold, seen)))
    found.sort(key=lambda each: (-each.visits.number, -each.orders.number, each.listing))
    return tuple(found[:MAX_LISTINGS])


def share_value(share: Share) -> Fraction | None:
    """The part as a fraction; None where the sample is below its minimum."""
    whole = share.sample.number
    return Fraction(share.part.number, whole) if whole >= max(share.minimum, 1) else None
