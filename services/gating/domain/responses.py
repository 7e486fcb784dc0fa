"""How fast and how reliably a seller responds to requests and inquiries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from services.gating.domain.interval import Interval

IN_TIME: Final = timedelta(hours=24)
"""A first response within this counts as an answer."""
RATE_PERIOD: Final = timedelta(days=90)
MINIMUM_SAMPLE: Final = 3
"""Below this nothing is said about a seller's reliability."""
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Count:
    """How many, and which, newest first. `ids` may be fewer, where all were not asked for."""

    number: int
    ids: tuple[str, ...] = ()


NOTHING: Final = Count(0)


class Counter:
    """Counts, and remembers the first `named` ids; whoever begins with the newest gets the newest."""

    __slots__ = ("_ids", "_named", "_number")

    def __init__(self, named: int) -> None:
        self._number, self._ids, self._named = 0, list[str](), named

    def add(self, names: Sequence[str]) -> None:
        """Counts some more."""
        self._number += len(names)
        left = self._named - len(self._ids)
        if left > 0:
            self._ids += names[:left]

    def count(self) -> Count:
        """What was counted so far."""
        return Count(self._number, tuple(self._ids))


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a sample; nothing is said of a sample below `minimum`."""

    part: Count
    sample: Count
    minimum: int = 1


class RequestLife(NamedTuple):
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


class RateTally:
    """The rate of those that began in `interval`, added portion by portion, newest first. The closures of the
    seller count for all, those of a listing for its own.
    """

    def __init__(
        self,
        closed: Mapping[str, Sequence[Closure]],
        *,
        seller: str,
        interval: Interval,
        now: datetime,
        named: int,
    ) -> None:
        self._closed = closed
        self._seller = seller
        self._interval = interval
        self._now = now
        self._sample, self._answered = Counter(named), Counter(named)
        self._left_out = {reason: Counter(named) for reason in Exclusion}

    def add(self, lives: Sequence[RequestLife]) -> None:
        """Judges some more."""
        sample: list[str] = []
        answered: list[str] = []
        left_out: dict[Exclusion, list[str]] = {}
        for_all, closed, now = self._closed.get(self._seller, ()), self._closed, self._now
        for life in lives:
            if not self._interval.contains(life.submit_time):
                continue
            verdict = judge(life, (*for_all, *closed.get(life.listing, ())), now)
            if isinstance(verdict, Exclusion):
                left_out.setdefault(verdict, []).append(life.name)
                continue
            sample.append(life.name)
            if verdict:
                answered.append(life.name)
        self._sample.add(sample)
        self._answered.add(answered)
        for reason, names in left_out.items():
            self._left_out[reason].add(names)

    def rate(self) -> ResponseRate:
        """What was added so far."""
        counts = ((reason, counter.count()) for reason, counter in self._left_out.items())
        share = Share(self._answered.count(), self._sample.count(), MINIMUM_SAMPLE)
        return ResponseRate(self._interval, share, tuple(each for each in counts if each[1].number))


@dataclass(frozen=True, slots=True)
class ResponseTime:
    """How long first responses took; None without any."""

    sample: Count
    median: timedelta | None = None
    percentile_90: timedelta | None = None


class TimeTally:
    """How long first responses took, of requests that are added portion by portion, newest first."""

    def __init__(self, named: int) -> None:
        self._sample = Counter(named)
        self._times: list[int] = []

    def add(self, lives: Iterable[RequestLife]) -> None:
        """Measures some more."""
        names = []
        for life in lives:
            if life.response_time is not None:
                names.append(life.name)
                # As numbers, because many are sorted, which takes several times as long with anything else.
                self._times.append(max((life.response_time - life.submit_time) // _TICK, 0))
        self._sample.add(names)

    def response_time(self) -> ResponseTime:
        """What was added so far."""
        times = sorted(self._times)
        if not times:
            return ResponseTime(NOTHING)
        size = len(times)
        median = (times[(size - 1) // 2] + times[size // 2]) // 2
        # The nearest rank: the smallest value that at least 90 of 100 do not exceed.
        percentile_90 = times[(9 * size + 9) // 10 - 1]
        return ResponseTime(self._sample.count(), median * _TICK, percentile_90 * _TICK)
