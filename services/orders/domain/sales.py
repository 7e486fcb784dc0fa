"""What a seller sold, and how time is divided for it. Pure: the same sums give the same figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from chassis.kernel.money import Money
from chassis.kernel.refusal import invalid
from chassis.kernel.timetable import start_of_day

DEFAULT_DAYS: Final = 90
MAX_DAYS: Final = 400
MAX_LISTINGS: Final = 100
_DAY: Final = timedelta(days=1)


class Period(StrEnum):
    """How time is divided."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class Exclusion(StrEnum):
    """Why an order does not count."""

    PRICE_AGREED_ELSEWHERE = "PRICE_AGREED_ELSEWHERE"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    UNDECIDED = "UNDECIDED"


class Measure(StrEnum):
    """Which orders stand behind a number."""

    ORDERS = "ORDERS"
    CANCELLED = "CANCELLED"
    PAID = "PAID"
    REFUNDED = "REFUNDED"
    EXCLUDED = "EXCLUDED"
    RENEWALS = "RENEWALS"
    PAID_RENEWALS = "PAID_RENEWALS"
    REFUNDED_RENEWALS = "REFUNDED_RENEWALS"


RENEWALS: Final = (Measure.RENEWALS, Measure.PAID_RENEWALS, Measure.REFUNDED_RENEWALS)
"""The numbers behind which stand charges of subscriptions."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end`; `first_day` is the local day that begins it."""

    first_day: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Sum:
    """Added up: orders of one currency that count, or (with `exclusion`) do not, and charges of subscriptions
    (`renewals`). Values in minor units.
    """

    currency: str
    exclusion: Exclusion | None
    orders: int
    value: int
    cancelled_orders: int
    cancelled_value: int
    paid_orders: int
    paid_value: int
    refunded_orders: int
    refunded_value: int
    renewals: int = 0
    renewal_value: int = 0
    paid_renewals: int = 0
    paid_renewal_value: int = 0
    refunded_renewals: int = 0
    refunded_renewal_value: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was sold in one currency."""

    orders: int
    confirmed: Money
    cancelled_orders: int
    cancelled: Money
    paid_orders: int
    paid: Money
    refunded_orders: int
    refunded: Money
    renewals: int
    renewed: Money
    paid_renewals: int
    renewals_paid: Money
    refunded_renewals: int
    renewals_refunded: Money

    @property
    def average(self) -> Money | None:
        """The average value of an order, rounded half up to the minor unit; None without orders."""
        if not self.orders:
            return None
        return Money(self.confirmed.currency, (2 * self.confirmed.amount + self.orders) // (2 * self.orders))

    @property
    def cancellation_rate(self) -> Fraction | None:
        """The part of the confirmed orders that was cancelled; None without orders."""
        return Fraction(self.cancelled_orders, self.orders) if self.orders else None


@dataclass(frozen=True, slots=True)
class SalesAnalytics:
    """The figures of a seller, of one of his listings where `listing` names it."""

    seller: str
    listing: str
    zone: str
    whole: Span
    totals: tuple[Figures, ...]
    periods: tuple[tuple[Span, tuple[Figures, ...]], ...]
    listings: tuple[tuple[str, tuple[Figures, ...]], ...]
    exclusions: tuple[tuple[Exclusion, str, int], ...]


@dataclass(frozen=True, slots=True)
class SalesOrder:
    """An order behind a number, or the charge `payment` of the subscription that it led to."""

    name: str
    listing: str
    time: datetime
    total: Money
    is_cancelled: bool
    paid: Money | None
    refunded: Money | None
    exclusion: Exclusion | None
    payment: str = ""


def exclusion_of(*, state: str, is_confirmed: bool, price_agreed_elsewhere: bool) -> Exclusion | None:
    """Why an order does not count; None if it does. `sale_of` in the migrations judges alike."""
    if is_confirmed:
        return Exclusion.PRICE_AGREED_ELSEWHERE if price_agreed_elsewhere else None
    return Exclusion(state) if state in (Exclusion.DECLINED, Exclusion.WITHDRAWN) else Exclusion.UNDECIDED


def span(start: datetime | None, end: datetime, zone: ZoneInfo) -> Span:
    """The whole local days from that of `start` to that which `end` cuts; refuses more than `MAX_DAYS`."""
    last = _date_of(end, zone)
    after = last if start_of_day(last, zone) == end else last + _DAY
    first = after - DEFAULT_DAYS * _DAY if start is None else _date_of(start, zone)
    if first >= after:
        raise invalid("start_time", "must lie before the end")
    # Both ends are rounded outwards.
    if (after - first).days > MAX_DAYS + 1:
        raise invalid("start_time", f"at most {MAX_DAYS} days before the end")
    return Span(first, start_of_day(first, zone), start_of_day(after, zone))


def _date_of(instant: datetime, zone: ZoneInfo) -> date:
    """The local day to which a moment belongs: also where the clock shows the next one for a minute, and then
    goes back.
    """
    day = instant.astimezone(zone).date()
    return day if start_of_day(day, zone) <= instant else day - _DAY


def divided(whole: Span, period: Period, zone: ZoneInfo) -> tuple[Span, ...]:
    """The days, weeks or months of `whole`, cut off at its ends. They join without a gap."""
    spans: list[Span] = []
    day = whole.first_day
    while (start := start_of_day(day, zone)) < whole.end:
        following = _next(day, period)
        end = min(start_of_day(following, zone), whole.end)
        # A day that a zone skipped, by moving over the date line, has no moment.
        if start < end:
            spans.append(Span(day, start, end))
        day = following
    return tuple(spans)


def _next(day: date, period: Period) -> date:
    match period:
        case Period.DAY:
            return day + _DAY
        case Period.WEEK:
            return day + (7 - day.weekday()) * _DAY
        case Period.MONTH:
            return (day.replace(day=28) + 4 * _DAY).replace(day=1)


def figures(sums: Iterable[Sum]) -> tuple[Figures, ...]:
    """What counts of `sums`, added by currency, in the order of the alphabet."""
    by_currency: dict[str, list[Sum]] = {}
    for one in sums:
        if one.exclusion is None and (one.orders or one.renewals):
            by_currency.setdefault(one.currency, []).append(one)
    return tuple(_added(currency, by_currency[currency]) for currency in sorted(by_currency))


def _added(currency: str, sums: Sequence[Sum]) -> Figures:
    return Figures(
        sum(one.orders for one in sums),
        Money(currency, sum(one.value for one in sums)),
        sum(one.cancelled_orders for one in sums),
        Money(currency, sum(one.cancelled_value for one in sums)),
        sum(one.paid_orders for one in sums),
        Money(currency, sum(one.paid_value for one in sums)),
        sum(one.refunded_orders for one in sums),
        Money(currency, sum(one.refunded_value for one in sums)),
        sum(one.renewals for one in sums),
        Money(currency, sum(one.renewal_value for one in sums)),
        sum(one.paid_renewals for one in sums),
        Money(currency, sum(one.paid_renewal_value for one in sums)),
        sum(one.refunded_renewals for one in sums),
        Money(currency, sum(one.refunded_renewal_value for one in sums)),
    )


def exclusions(sums: Iterable[Sum]) -> tuple[tuple[Exclusion, str, int], ...]:
    """What is left out, by reason and currency, with how many orders."""
    found: dict[tuple[Exclusion, str], int] = {}
    for one in sums:
        if one.exclusion is not None:
            key = one.exclusion, one.currency
            found[key] = found.get(key, 0) + one.orders
    order = list(Exclusion)
    return tuple(
        (reason, currency, count)
        for (reason, currency), count in sorted(found.items(), key=lambda e: (order.index(e[0][0]), e[0][1]))
        if count
    )


def by_listing(sums: Mapping[str, Sequence[Sum]]) -> tuple[tuple[str, tuple[Figures, ...]], ...]:
    """The listings with sales, most orders first, at most `MAX_LISTINGS`."""
    found = [(listing, figures(own)) for listing, own in sums.items()]
    sold = [(listing, own) for listing, own in found if own]
    sold.sort(key=lambda entry: (-sum(one.orders for one in entry[1]), entry[0]))
    return tuple(sold[:MAX_LISTINGS])
