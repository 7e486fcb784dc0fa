"""What the facts add up to. Pure: the same facts, period and instant give the same figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar

from services.gating.domain.interval import Interval
from services.gating.domain.responses import (
    NOTHING,
    Count,
    Counter,
    RequestLife,
    ResponseRate,
    ResponseTime,
    Share,
    TimeTally,
)

LONGEST_PERIOD: Final = timedelta(days=400)
LONGEST_COMPARISON: Final = timedelta(days=28)
"""How far before and after a change the figures look."""
MAX_CHANGES: Final = 20
MAX_LISTINGS: Final = 100
NAMED_IDS: Final = 1_000
"""How many ids stand beside a number."""
ANSWERED_IDS: Final = 40_000
"""How many stand in one answer, all numbers together: some 2 MB, of the 4 that clients take unless told."""


class OrderLife(NamedTuple):
    """What became of an order. `order_request`: the request that it came from; else empty."""

    name: str
    listing: str
    order_request: str
    place_time: datetime
    confirm_time: datetime | None = None
    cancel_time: datetime | None = None


L = TypeVar("L", RequestLife, OrderLife)
_SUBMIT_TIME: Final[Callable[[RequestLife], datetime]] = attrgetter("submit_time")
_PLACE_TIME: Final[Callable[[OrderLife], datetime]] = attrgetter("place_time")


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


class OrderTally:
    """The orders that were placed in `interval`, added portion by portion, newest first."""

    def __init__(self, interval: Interval, named: int) -> None:
        self._interval = interval
        self._orders, self._direct = Counter(named), Counter(named)
        self._cancellations = _CancellationTally(named)

    def add(self, orders: Sequence[OrderLife]) -> None:
        """Counts some more."""
        placed = _inside(self._interval, orders, _PLACE_TIME)
        self._orders.add(_names(placed))
        self._direct.add([order.name for order in placed if not order.order_request])
        self._cancellations.add(placed)

    def orders(self) -> Count:
        """All of them."""
        return self._orders.count()

    def direct(self) -> Count:
        """Those that come from no request."""
        return self._direct.count()

    def cancellation_rate(self) -> Share:
        """Of those that were confirmed."""
        return self._cancellations.share()


class RequestTally:
    """The requests and inquiries that began in `interval`, added portion by portion, newest first. `became`:
    the orders that requests became, as far as they are known.
    """

    def __init__(self, interval: Interval, became: Mapping[str, OrderLife], named: int) -> None:
        self._interval = interval
        self._became = became
        self._named = named
        self._requests, self._offers, self._converted = Counter(named), Counter(named), Counter(named)
        self._declined, self._withdrawn = Counter(named), Counter(named)
        self._expired, self._closed = Counter(named), Counter(named)
        self._times = TimeTally(named)
        self._rules: dict[str, _RuleTally] = {}

    def add(self, lives: Sequence[RequestLife]) -> None:
        """Counts some more."""
        begun = _inside(self._interval, lives, _SUBMIT_TIME)
        self._times.add(begun)
        requests = [life for life in begun if not life.is_inquiry]
        self._requests.add(_names(requests))
        self._offers.add(_offered(requests))
        self._converted.add(_converted(requests))
        # An accepted offer wins over whatever had ended the request.
        others = [life for life in requests if life.convert_time is None]
        self._declined.add([life.name for life in others if life.decline_time is not None])
        self._withdrawn.add([life.name for life in others if life.withdraw_time is not None])
        self._expired.add([life.name for life in others if _has_expired(life)])
        self._closed.add([life.name for life in others if life.close_time is not None])
        by_reason: dict[str, list[RequestLife]] = {}
        for life in requests:
            by_reason.setdefault(life.gate_reason, []).append(life)
        for reason, asked in by_reason.items():
            if reason not in self._rules:
                self._rules[reason] = _RuleTally(self._became, self._named)
            self._rules[reason].add(asked)

    def figures(self, visits: Count, orders: OrderTally) -> Figures:
        """What was added so far, beside the visits and orders of the same interval."""
        asked, converted, placed = self._requests.count(), self._converted.count(), orders.orders()
        return Figures(
            interval=self._interval,
            visits=visits,
            requests=asked,
            offers=self._offers.count(),
            converted=converted,
            declined=self._declined.count(),
            withdrawn=self._withdrawn.count(),
            expired=self._expired.count(),
            closed=self._closed.count(),
            orders=placed,
            direct_orders=orders.direct(),
            visit_conversion=Share(placed, visits),
            request_conversion=Share(converted, asked),
            response_time=self._times.response_time(),
            cancellation_rate=orders.cancellation_rate(),
            rules=tuple(self._rules[reason].figures(reason) for reason in sorted(self._rules)),
        )


class _RuleTally:
    """The requests that one rule asked for."""

    def __init__(self, became: Mapping[str, OrderLife], named: int) -> None:
        self._became = became
        self._requests, self._offers, self._converted = Counter(named), Counter(named), Counter(named)
        self._times = TimeTally(named)
        self._cancellations = _CancellationTally(named)

    def add(self, requests: Sequence[RequestLife]) -> None:
        self._requests.add(_names(requests))
        self._offers.add(_offered(requests))
        self._converted.add(_converted(requests))
        self._times.add(requests)
        found = (self._became.get(request.name) for request in requests)
        self._cancellations.add([order for order in found if order is not None])

    def figures(self, reason: str) -> RuleFigures:
        asked = self._requests.count()
        return RuleFigures(
            reason,
            asked,
            self._offers.count(),
            Share(self._converted.count(), asked),
            self._times.response_time(),
            self._cancellations.share(),
        )


class _CancellationTally:
    """Declined and withdrawn orders were never confirmed, so that they are in neither number."""

    def __init__(self, named: int) -> None:
        self._confirmed, self._cancelled = Counter(named), Counter(named)

    def add(self, orders: Sequence[OrderLife]) -> None:
        confirmed = [order for order in orders if order.confirm_time is not None]
        self._confirmed.add(_names(confirmed))
        self._cancelled.add([order.name for order in confirmed if order.cancel_time is not None])

    def share(self) -> Share:
        return Share(self._cancelled.count(), self._confirmed.count())


def _names(lives: Sequence[RequestLife] | Sequence[OrderLife]) -> list[str]:
    return [life.name for life in lives]


def _offered(requests: Iterable[RequestLife]) -> list[str]:
    return [life.name for life in requests if life.offer_time is not None]


def _converted(requests: Iterable[RequestLife]) -> list[str]:
    return [life.name for life in requests if life.convert_time is not None]


def _has_expired(life: RequestLife) -> bool:
    """Not where an offer had been sent in time, although the news of it came after the deadline."""
    expired, offered = life.expire_time, life.offer_time
    return expired is not None and (offered is None or offered <= expired)


def _inside(interval: Interval, lives: Sequence[L], began: Callable[[L], datetime]) -> Sequence[L]:
    """Those of a portion, newest first, that began in an interval."""
    start, end = interval.start, interval.end
    if not lives or began(lives[0]) < start or began(lives[-1]) >= end:
        return ()
    return [life for life in lives if start <= began(life) < end]


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


class ListingTally:
    """The orders of each listing that were placed in `interval`, added portion by portion."""

    def __init__(self, interval: Interval, named: int) -> None:
        self._interval = interval
        self._placed = defaultdict[str, Counter](lambda: Counter(named))

    def add(self, orders: Iterable[OrderLife]) -> None:
        """Counts some more."""
        for order in orders:
            if order.listing and self._interval.contains(order.place_time):
                self._placed[order.listing].add((order.name,))

    def figures(self, visits: Mapping[str, Count]) -> tuple[ListingFigures, ...]:
        """The listings with the most visits, then orders."""
        sold = {listing: counter.count() for listing, counter in self._placed.items()}
        pairs = [(each, visits.get(each, NOTHING), sold.get(each, NOTHING)) for each in {*visits, *sold}]
        pairs.sort(key=lambda pair: (-pair[1].number, -pair[2].number, pair[0]))
        return tuple(ListingFigures(*pair, Share(pair[2], pair[1])) for pair in pairs[:MAX_LISTINGS])


def share_value(share: Share) -> Fraction | None:
    """The part as a fraction; None where the sample is below its minimum."""
    whole = share.sample.number
    return Fraction(share.part.number, whole) if whole >= max(share.minimum, 1) else None
