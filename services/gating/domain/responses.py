"""How fast and how reliably a seller responds to requests and inquiries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.gating.domain.interval import Interval

IN_TIME: Final = timedelta(hours=24)
"""A first response within this counts as an answer."""
RATE_PERIOD: Final = timedelta(days=90)
MINIMUM_SAMPLE: Final = 3
"""Below this nothing is said about a seller's reliability."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many, and which, newest first. `ids` may be fewer, where all were not asked for."""

    number: int
    ids: tuple[str, ...] = ()


NOTHING: Final = Count(0)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a sample; nothing is said of a sample below `minimum`."""

    part: Count
    sample: Count
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class RequestLife:
    """What became of a request, or of an inquiry, which has no rule and no end but an answer."""

    name: str
    listing: str
    submit_time: datetime
    gate_reason: str = ""
    response_time: datetime | None = None
    offer_time: datetime | None = None
    convert_time: datetime | None = None
    decline_time: datetime | None = None
    withdraw_time: datetime | None = None
    expire_time: datetime | None = None
    close_time: datetime | None = None

    @property
    def is_inquiry(self) -> bool:
        """Whether it is no order request."""
        return self.name.startswith("conversations/")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a seller or listing (`subject`) declared at `time`, until `end_time` or the next declaration."""

    subject: str
    time: datetime
    is_closed: bool
    """Unavailable, with messages closed too."""
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlannedClosure:
    """An absence of a seller or listing (`subject`) with messages closed. `delete_time`: when it was taken
    off the calendar, if it was.
    """

    subject: str
    start_time: datetime
    end_time: datetime
    delete_time: datetime | None = None

    @property
    def closure(self) -> Closure | None:
        """The part that was or will be; None for one that never began."""
        end = self.end_time if self.delete_time is None else min(self.end_time, self.delete_time)
        return Closure(self.start_time, end) if end > self.start_time else None


@dataclass(frozen=True, slots=True)
class Closure:
    """Nobody could write from `start` to before `end`; None: that has not ended."""

    start: datetime
    end: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.start <= at and (self.end is None or at < self.end)


def closures(
    declarations: Iterable[Declaration], planned: Iterable[PlannedClosure] = ()
) -> Mapping[str, tuple[Closure, ...]]:
    """When whose messages were closed, by subject; `declarations` of a subject come oldest first. What is
    planned holds beside what is declared, so that closures may overlap.
    """
    by_subject: dict[str, list[Declaration]] = {}
    for declaration in declarations:
        by_subject.setdefault(declaration.subject, []).append(declaration)
    found = {subject: [*_closures(declared)] for subject, declared in by_subject.items()}
    for absence in planned:
        if absence.closure is not None:
            found.setdefault(absence.subject, []).append(absence.closure)
    return {subject: tuple(closed) for subject, closed in found.items()}


def _closures(declared: Sequence[Declaration]) -> Iterable[Closure]:
    for index, declaration in enumerate(declared):
        if not declaration.is_closed:
            continue
        following = [each.time for each in declared[index + 1 : index + 2]]
        ends = [end for end in (declaration.end_time, *following) if end is not None]
        end = min(ends, default=None)
        if end is None or end > declaration.time:
            yield Closure(declaration.time, end)


def due_time(start: datetime, closed: Iterable[Closure]) -> datetime | None:
    """When 24 hours have run since `start`, closures left out; None while one has not ended."""
    at, left = start, IN_TIME
    for closure in sorted(closed, key=lambda each: each.start):
        if closure.end is not None and closure.end <= at:
            continue
        run = max(closure.start - at, timedelta())
        if run >= left:
            break
        if closure.end is None:
            return None
        at, left = closure.end, left - run
    return at + left


class Exclusion(StrEnum):
    """Why something is left out of the response rate."""

    SELLER_UNAVAILABLE = "SELLER_UNAVAILABLE"
    WITHDRAWN = "WITHDRAWN"
    CLOSED = "CLOSED"
    NOT_DUE = "NOT_DUE"


def judge(life: RequestLife, closed: Sequence[Closure], now: datetime) -> bool | Exclusion:
    """Whether a request was answered in time, or why that is not asked."""
    if any(closure.holds(life.submit_time) for closure in closed):
        return Exclusion.SELLER_UNAVAILABLE
    due, answered = due_time(life.submit_time, closed), life.response_time
    if answered is not None and (due is None or answered <= due):
        return True
    early = [
        (time, reason)
        for time, reason in (
            (life.withdraw_time, Exclusion.WITHDRAWN),
            (life.close_time, Exclusion.CLOSED),
            (life.expire_time, Exclusion.SELLER_UNAVAILABLE),
        )
        if time is not None and (due is None or time < due)
    ]
    if not early:
        if due is None:
            return Exclusion.SELLER_UNAVAILABLE
        return Exclusion.NOT_DUE if now < due and answered is None else False
    time, reason = min(early)
    # A deadline that is shorter than 24 hours is the seller's own choice: it protects only who was away.
    if reason is Exclusion.SELLER_UNAVAILABLE and not _away(closed, life.submit_time, time):
        return False
    return reason


def _away(closed: Iterable[Closure], start: datetime, end: datetime) -> bool:
    return any(each.start <= end and (each.end is None or each.end > start) for each in closed)


@dataclass(frozen=True, slots=True)
class ResponseRate:
    """How many were answered in time, and what was left out by reason."""

    interval: Interval
    share: Share
    exclusions: tuple[tuple[Exclusion, Count], ...]


def response_rate(
    lives: Sequence[RequestLife],
    closed: Mapping[str, Sequence[Closure]],
    *,
    seller: str,
    interval: Interval,
    now: datetime,
) -> ResponseRate:
    """The rate of those that began in `interval`; `lives` come oldest first. The closures of the seller
    count for all, those of a listing for its own.
    """
    sample: list[str] = []
    answered: list[str] = []
    left_out: dict[Exclusion, list[str]] = {reason: [] for reason in Exclusion}
    for life in reversed(lives):
        if not interval.contains(life.submit_time):
            continue
        verdict = judge(life, (*closed.get(seller, ()), *closed.get(life.listing, ())), now)
        if isinstance(verdict, Exclusion):
            left_out[verdict].append(life.name)
            continue
        sample.append(life.name)
        if verdict:
            answered.append(life.name)
    exclusions = tuple((reason, _count(names)) for reason, names in left_out.items() if names)
    return ResponseRate(interval, Share(_count(answered), _count(sample), MINIMUM_SAMPLE), exclusions)


def _count(names: Sequence[str]) -> Count:
    return Count(len(names), tuple(names))


@dataclass(frozen=True, slots=True)
class ResponseTime:
    """How long first responses took; None without any."""

    sample: Count
    median: timedelta | None = None
    percentile_90: timedelta | None = None


def response_time(lives: Sequence[RequestLife]) -> ResponseTime:
    """Of those that were answered; `lives` come oldest first."""
    answered = [life for life in reversed(lives) if life.response_time is not None]
    times = sorted(
        max(life.response_time - life.submit_time, timedelta())
        for life in answered
        if life.response_time is not None
    )
    if not times:
        return ResponseTime(NOTHING)
    size = len(times)
    median = (times[(size - 1) // 2] + times[size // 2]) // 2
    # The nearest rank: the smallest value that at least 90 of 100 do not exceed.
    percentile_90 = times[(9 * size + 9) // 10 - 1]
    return ResponseTime(_count([life.name for life in answered]), median, percentile_90)
