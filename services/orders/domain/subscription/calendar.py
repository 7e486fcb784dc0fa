"""The calendar of a subscription: periods of whole local days, in the zone of the seller's account.

A period begins with a local day and ends where the next one begins. Its length comes from the plan, its day
from the anchor: the 31st is the last day of a shorter month and the 31st again afterwards: it never drifts.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Final

from chassis.kernel.timetable import local_time, start_of_day, zone_of
from services.orders.domain.commerce import Interval, Plan

_MONTHS: Final = {Interval.MONTH: 1, Interval.YEAR: 12}


def local_date(instant: datetime, time_zone: str) -> date:
    """The date that a calendar on the wall shows at `instant`."""
    return local_time(instant, zone_of(time_zone)).date()


def beginning_of(day: date, time_zone: str) -> datetime:
    """The instant (UTC) at which a local day begins; where the zone skips its midnight, that of the jump."""
    return start_of_day(day, zone_of(time_zone))


def following(begin: date, plan: Plan, anchor_day: int) -> date:
    """The date on which the period after the one that begins on `begin` begins."""
    if plan.interval is Interval.WEEK:
        return begin + timedelta(weeks=plan.interval_count)
    months = begin.year * 12 + begin.month - 1 + _MONTHS[plan.interval] * plan.interval_count
    year, month = divmod(months, 12)
    return _in_month(year, month + 1, anchor_day)


def first_paid_day(begin: date, plan: Plan) -> date:
    """The date of the first charge: after the trial, on the plan's anchor day where it names one."""
    earliest = begin + timedelta(days=plan.trial_days)
    if not plan.anchor_day:
        return earliest
    in_this_month = _in_month(earliest.year, earliest.month, plan.anchor_day)
    if in_this_month >= earliest:
        return in_this_month
    year, month = divmod(earliest.year * 12 + earliest.month, 12)
    return _in_month(year, month + 1, plan.anchor_day)


def _in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
