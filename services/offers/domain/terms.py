"""What can be agreed on: positions, dates, payment; and whether a proposal is one, taken by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.clock import utc_text
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal, invalid
from chassis.kernel.timetable import end_of_day, zone_of
from services.offers.domain.refusals import amount_invalid, currency_mismatch, time_out_of_range

HORIZON: Final = timedelta(days=5 * 366)
"""How far ahead a start or an expiry may lie."""

LAST_DAY: Final = date(9998, 12, 31)
"""The last day of the calendar whose end is an instant everywhere."""


class PaymentMethod(StrEnum):
    """How an order is paid."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


class Interval(StrEnum):
    """The unit of a billing interval."""

    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


@dataclass(frozen=True, slots=True)
class Plan:
    """`price` is charged every `interval_count` intervals, `period_count` times (0: until it is cancelled).

    Nothing is charged for `trial_days`, and before the first `anchor_day` of a month (0: any) after them.
    """

    price: Money
    interval: Interval
    interval_count: int
    trial_days: int = 0
    period_count: int = 0
    anchor_day: int = 0
    start_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineItem:
    """`quantity` pieces at `unit_price` each."""

    title: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A calendar day somewhere; an empty `time_zone` is the seller's."""

    date: date
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a proposal expires: the exclusive instant that decides, and the day where it was given as one."""

    time: datetime | None = None
    day: LocalDay | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """A proposal. `package` is a resource name or empty; `expire_time` is exclusive; None never expires.

    `expire_day` is the day behind `expire_time`, where the expiry was given as a date.
    """

    line_items: tuple[LineItem, ...]
    delivery_days: int
    payment_method: PaymentMethod
    package: str = ""
    scope: str = ""
    start_time: datetime | None = None
    expire_time: datetime | None = None
    plan: Plan | None = None
    expire_day: LocalDay | None = None

    @property
    def expiry(self) -> Expiry:
        """When it expires."""
        return Expiry(self.expire_time, self.expire_day)

    @property
    def currency(self) -> str:
        """The currency of the first position; `total_of` refuses terms in which the others differ."""
        return self.line_items[0].unit_price.currency

    def with_expiry(self, expiry: Expiry) -> Terms:
        """The same, expiring at another time."""
        return replace(self, expire_time=expiry.time, expire_day=expiry.day)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a bill or a delivery goes: contact data, for the two parties only."""

    recipient: str
    address_lines: tuple[str, ...]
    locality: str
    region_code: str
    organization: str = ""
    postal_code: str = ""


def total_of(terms: Terms, *, path: str = "terms") -> Money:
    """The sum of the positions; `path` leads to the terms in the request.

    Refusals AMOUNT_INVALID (a negative price, a sum of nothing or too large), CURRENCY_MISMATCH.
    """
    total = Money(terms.currency, 0)
    for index, item in enumerate(terms.line_items):
        field = f"{path}.line_items[{index}].unit_price"
        price = item.unit_price
        if price.currency != total.currency:
            raise currency_mismatch(field, expected=total.currency, actual=price.currency)
        if price.amount < 0:
            raise amount_invalid(field, "must not be negative", price)
        try:
            total += price.times(item.quantity)
        except Refusal:
            raise amount_invalid(field, "makes the total too large", price) from None
    if not total.is_positive:
        raise amount_invalid(f"{path}.line_items", "must add up to more than nothing", total)
    check_plan(terms.plan, currency=total.currency, field=f"{path}.plan")
    return total


def check_plan(plan: Plan | None, *, currency: str, field: str) -> None:
    """A plan charges more than nothing, in `currency`. Refusals AMOUNT_INVALID, CURRENCY_MISMATCH."""
    if plan is None:
        return
    if plan.price.currency != currency:
        raise currency_mismatch(f"{field}.price", expected=currency, actual=plan.price.currency)
    if not plan.price.is_positive:
        raise amount_invalid(f"{field}.price", "must be more than nothing", plan.price)


def check_undated(plan: Plan | None, *, field: str) -> None:
    """A plan that is offered again and again begins on no fixed day. Refusal VALIDATION_FAILED."""
    if plan is not None and plan.start_time is not None:
        raise invalid(f"{field}.start_time", "belongs to the terms of one offer")


def settled(expiry: Expiry, *, zone: str, path: str = "") -> Expiry:
    """The expiry with its instant: a day ends at the next local midnight, exclusive. `zone` is the seller's.

    `path` leads to the fields of the request. Refusals UNKNOWN_TIME_ZONE, TIME_OUT_OF_RANGE, and
    VALIDATION_FAILED where an instant was given as well and is not the end of that day.
    """
    if expiry.day is None:
        return expiry
    day = LocalDay(expiry.day.date, expiry.day.time_zone or zone)
    if day.date > LAST_DAY:
        raise time_out_of_range(f"{path}expire_date", "is beyond the calendar")
    end = end_of_day(day.date, zone_of(day.time_zone, field=f"{path}expire_time_zone"))
    if expiry.time is not None and expiry.time != end:
        raise invalid(f"{path}expire_time", f"is not the end of expire_date, which is {utc_text(end)}")
    return Expiry(end, day)


def check_times(terms: Terms, *, now: datetime) -> None:
    """Starts and expiry lie in the future, within HORIZON. Refusal TIME_OUT_OF_RANGE."""
    check_time(terms.start_time, field="terms.start_time", now=now)
    if terms.plan is not None:
        check_time(terms.plan.start_time, field="terms.plan.start_time", now=now)
    check_expiry(terms.expiry, path="terms.", now=now)


def check_expiry(expiry: Expiry, *, path: str = "", now: datetime) -> None:
    """A settled expiry lies in the future, within HORIZON. Refusal TIME_OUT_OF_RANGE."""
    field = "expire_date" if expiry.day else "expire_time"
    check_time(expiry.time, field=f"{path}{field}", now=now)


def check_time(instant: datetime | None, *, field: str, now: datetime) -> None:
    """`instant`, if there is one, lies in the future, within HORIZON. Refusal TIME_OUT_OF_RANGE."""
    if instant is None:
        return
    if instant <= now:
        raise time_out_of_range(field, "must be in the future")
    if instant > now + HORIZON:
        raise time_out_of_range(field, f"must be within {HORIZON.days} days")


def check_text(text: str, *, field: str) -> str:
    """Text without the one character that storage cannot hold. Refusal VALIDATION_FAILED."""
    if "\x00" in text:
        raise invalid(field, "must not contain the character U+0000")
    return text
