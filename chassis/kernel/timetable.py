"""Weekly windows of local wall time in a zone, with overrides by date. Pure, exact, half-open.

Whether a timetable is active at an instant depends only on the local wall time, weekday and date of that
instant, so daylight-saving jumps need no special case: an hour that is skipped is simply never reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from chassis.kernel.refusal import invalid

MINUTES_PER_DAY: Final = 1440
EVERY_DAY: Final = frozenset(range(7))
"""Monday is 0."""

_HHMM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_ONE_DAY = timedelta(days=1)
_ONE_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
# tzdata knows no two changes of offset closer than this; a test over every zone holds it to that.
_PROBE = timedelta(hours=3)
# A weekly pattern that flips at all does so within a week; the rest allows for a date that a zone skips.
_QUIET = timedelta(days=22)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Minutes of one local day, half-open: 0 <= start < end <= 1440. Refusal INVALID otherwise."""

    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_minute < self.end_minute <= MINUTES_PER_DAY:
            raise invalid("windows", "a window must start before it ends, within one day")


@dataclass(frozen=True, slots=True)
class Window:
    """The same half-open minutes on several weekdays (0 is Monday). Refusal INVALID when it is no window."""

    days: frozenset[int]
    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        Span(self.start_minute, self.end_minute)
        if not self.days or not self.days <= EVERY_DAY:
            raise invalid("windows.days", "must be some of the seven weekdays")

    @property
    def span(self) -> Span:
        """The minutes, without the days."""
        return Span(self.start_minute, self.end_minute)


ALWAYS: Final = Window(EVERY_DAY, 0, MINUTES_PER_DAY)
"""Every minute of every day."""

WHOLE_DAY: Final = Span(0, MINUTES_PER_DAY)
"""Every minute of one day."""


@dataclass(frozen=True, slots=True)
class Override:
    """What holds on one local date instead of the weekly windows; no spans: inactive all day."""

    date: date
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Why a timetable is active: the weekly `window` or the `override` that covers `local` (naive)."""

    local: datetime
    span: Span
    window: Window | None = None
    override: Override | None = None


def parse_hhmm(text: str, *, field: str = "windows") -> int:
    """Minutes since midnight of "HH:MM", 00:00 to 24:00. Refusal INVALID for any other text."""
    match = _HHMM.fullmatch(text)
    if match is None:
        raise invalid(field, 'must be a time of day as "HH:MM"')
    return MINUTES_PER_DAY if match[1] is None else int(match[1]) * 60 + int(match[2])


def format_hhmm(minute: int) -> str:
    """The text that `parse_hhmm` reads."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def split(days: Iterable[int], start_minute: int, end_minute: int) -> tuple[tuple[Window, ...], bool]:
    """Windows that never wrap midnight, and whether splitting was needed.

    An end of 0 means the end of the day. A window that ends before it starts runs into the following day, and
    its second part belongs to the weekday after. Equal start and end: Refusal INVALID.
    """
    on = frozenset(days)
    end = end_minute or MINUTES_PER_DAY
    if start_minute <= end:
        return (Window(on, start_minute, end),), False
    following = frozenset((day + 1) % 7 for day in on)
    return (Window(on, start_minute, MINUTES_PER_DAY), Window(following, 0, end)), True


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every IANA name that the bundled tzdata knows."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


def zone_of(name: str, *, field: str = "time_zone") -> ZoneInfo:
    """The zone of an IANA name. Refusal INVALID (UNKNOWN_TIME_ZONE) when there is none.

    Always from the bundled tzdata and never from the operating system, so that every replica decides alike.
    """
    if name not in zone_names():
        raise invalid(field, "is not an IANA time zone", reason="UNKNOWN_TIME_ZONE", time_zone=name[:64])
    return _loaded_zone(name)


@lru_cache(maxsize=1024)
def _loaded_zone(name: str) -> ZoneInfo:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def local_time(instant: datetime, zone: ZoneInfo) -> datetime:
    """The naive wall time of an aware instant."""
    return instant.astimezone(zone).replace(tzinfo=None)


class WallMinute(NamedTuple):
    """The minute of wall time that instants share, for writing many of them: what comes before and behind
    their seconds in ISO 8601.
    """

    head: str
    tail: str

    def text(self, instant: datetime) -> str:
        """What `instant.astimezone(zone).isoformat()` answers for an instant of this minute, in UTC."""
        if instant.microsecond:
            return "%s%02d.%06d%s" % (self.head, instant.second, instant.microsecond, self.tail)  # noqa: UP031 - half the time of an f-string
        return f"{self.head}{instant.second:02d}{self.tail}"


def wall_minute(instant: datetime, zone: ZoneInfo) -> WallMinute | None:
    """The minute of wall time that an instant (UTC) lies in, with all others of its minute of UTC. None where
    these do not share one.
    """
    begin = instant.replace(second=0, microsecond=0)
    first, last = begin.astimezone(zone), (begin + _ONE_MINUTE - _TICK).astimezone(zone)
    offset = first.utcoffset() or timedelta()
    if offset % _ONE_MINUTE or offset != last.utcoffset():
        return None
    text = first.isoformat()
    return WallMinute(text[:17], text[19:])


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which the local date `day` is over for good, that is the next midnight, exclusive.

    Where the zone skips that midnight it is the instant of the jump. Where the midnight comes twice it is the
    first, unless the clock goes back into `day` in between.
    """
    midnight = datetime.combine(day + _ONE_DAY, time())
    first = midnight.replace(tzinfo=zone, fold=0).astimezone(UTC)
    latest = midnight.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if local_time(latest, zone) != midnight:
        return _first_change_of_offset(latest, first, zone)
    return latest if local_time(latest - _TICK, zone).date() <= day else first


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which the local date `day` begins: when the day before is over for good.

    A date that the zone skips begins with the one after it.
    """
    return end_of_day(day - _ONE_DAY, zone)


class Timetable:
    """Weekly windows read in one zone, with overrides by local date. Immutable; the order of windows is free.

    No windows means never active: whoever reads "no windows" as "always" passes `ALWAYS`. Of several
    overrides for one date the last holds.
    """

    def __init__(self, zone: ZoneInfo, windows: Sequence[Window], overrides: Sequence[Override] = ()) -> None:
        self.zone = zone
        self.windows = tuple(sorted(windows, key=lambda w: (w.start_minute, w.end_minute, sorted(w.days))))
        self.overrides = {override.date: override for override in overrides}
        self._week = tuple(
            _merged(window.span for window in self.windows if day in window.days) for day in range(7)
        )
        self._is_constant = (
            all(spans in ((), (WHOLE_DAY,)) for spans in self._week) and len({*self._week}) == 1
        )
        self._last_override = max(self.overrides, default=None)
        # The answer holds from the instant asked until the change, so one evaluation serves many calls.
        self._known: tuple[datetime, datetime] | None = None

    def is_active(self, instant: datetime) -> Match | None:
        """The window or override that covers `instant`; None when nothing does."""
        local = local_time(instant, self.zone)
        minute = local.hour * 60 + local.minute
        override = self.overrides.get(local.date())
        if override is not None:
            for span in override.spans:
                if span.start_minute <= minute < span.end_minute:
                    return Match(local, span, override=override)
            return None
        weekday = local.weekday()
        for window in self.windows:
            if window.start_minute <= minute < window.end_minute and weekday in window.days:
                return Match(local, window.span, window=window)
        return None

    def steady_until(self, instant: datetime) -> datetime:
        """An instant (UTC), strictly later, until which `is_active` answers the same window or override, or
        none, as at `instant`: the next edge of one, the next local midnight, or a change of the offset.
        """
        start = instant.astimezone(UTC)
        local = local_time(start, self.zone)
        midnight = datetime.combine(local.date(), time())
        passed = (local - midnight).total_seconds() / 60
        override = self.overrides.get(local.date())
        spans = override.spans if override else [w.span for w in self.windows if local.weekday() in w.days]
        edges = (minute for span in spans for minute in (span.start_minute, span.end_minute))
        edge = min((minute for minute in edges if minute > passed), default=MINUTES_PER_DAY)
        end = start + (midnight + timedelta(minutes=edge) - local)
        while start < end:
            probe = min(start + _PROBE, end)
            change = _first_change_of_offset(start, probe, self.zone)
            if change < probe:
                return change
            start = probe
        return end

    def next_change(self, instant: datetime) -> datetime | None:
        """The first instant (UTC), strictly later, at which activity flips; None when it never does again.

        A constant week with overrides flips at the overrides only. The search follows every override and ends
        three weeks after the last one.
        """
        known = self._known
        if known is not None and known[0] <= instant < known[1]:
            return known[1]
        found = self._search(instant.astimezone(UTC))
        if found is not None:
            self._known = (instant, found)
        return found

    def _search(self, start: datetime) -> datetime | None:
        active = self._covers(local_time(start, self.zone))
        cursor, horizon = start, self._horizon(start)
        while (cursor := self._past_constant_days(cursor)) < horizon:
            offset = cursor.astimezone(self.zone).utcoffset() or timedelta(0)
            end = _first_change_of_offset(cursor, cursor + _PROBE, self.zone)
            local = cursor.replace(tzinfo=None) + offset
            flip = self._first_flip(local, local + (end - cursor), active)
            if flip is not None:
                return (flip - offset).replace(tzinfo=UTC)
            cursor = end
            if self._covers(local_time(cursor, self.zone)) != active:
                return cursor
        return None

    def _past_constant_days(self, cursor: datetime) -> datetime:
        if not self._is_constant:
            return cursor
        yesterday = cursor.date() - _ONE_DAY
        ahead = min((day for day in self.overrides if day >= yesterday), default=None)
        return cursor if ahead is None else max(cursor, _noon(ahead) - 2 * _ONE_DAY)

    def _horizon(self, start: datetime) -> datetime:
        last = None if self._last_override is None else _noon(self._last_override) + 3 * _ONE_DAY
        if self._is_constant:
            return start if last is None else last
        return max(start, last or start) + _QUIET

    def _first_flip(self, start: datetime, end: datetime, active: bool) -> datetime | None:
        """The first wall time within (start, end) whose activity differs; naive, at one constant offset."""
        day = start.date()
        while (midnight := datetime.combine(day, time())) < end:
            edges = sorted({0} | {m for s in self._spans(day) for m in (s.start_minute, s.end_minute)})
            for minute in edges:
                edge = midnight + timedelta(minutes=minute)
                if start < edge < end and self._covers(edge) != active:
                    return edge
            day += _ONE_DAY
        return None

    def _spans(self, day: date) -> tuple[Span, ...]:
        override = self.overrides.get(day)
        return self._week[day.weekday()] if override is None else override.spans

    def _covers(self, local: datetime) -> bool:
        minute = local.hour * 60 + local.minute
        return any(span.start_minute <= minute < span.end_minute for span in self._spans(local.date()))


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start_minute <= merged[-1].end_minute:
            merged[-1] = Span(merged[-1].start_minute, max(merged[-1].end_minute, span.end_minute))
        else:
            merged.append(span)
    return tuple(merged)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def _first_change_of_offset(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after `start` with another UTC offset, at whole seconds; `end` when there is none."""
    before = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return end
    low = start.replace(microsecond=0)
    high = end if end.microsecond == 0 else end.replace(microsecond=0) + timedelta(seconds=1)
    seconds = int((high - low).total_seconds())
    first, last = 0, seconds
    while last - first > 1:
        middle = (first + last) // 2
        if (low + timedelta(seconds=middle)).astimezone(zone).utcoffset() == before:
            first = middle
        else:
            last = middle
    return low + timedelta(seconds=last)
