"""Local wall time decides, half-open and exact, in every zone that tzdata knows."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.refusal import Refusal
from chassis.kernel.timetable import (
    ALWAYS,
    EVERY_DAY,
    WHOLE_DAY,
    Override,
    Span,
    Timetable,
    Window,
    end_of_day,
    format_hhmm,
    local_time,
    parse_hhmm,
    split,
    wall_minute,
    zone_names,
    zone_of,
)

NIGHTS = (Window(EVERY_DAY, 0, 6 * 60), Window(EVERY_DAY, 21 * 60, 24 * 60))
BERLIN = zone_of("Europe/Berlin")
DAY = timedelta(days=1)
EPOCH = datetime(1990, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
THIRTY_YEARS_AGO = datetime(1996, 1, 1, tzinfo=UTC).timestamp()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def intervals(timetable: Timetable, day: date) -> tuple[timedelta, list[tuple[datetime, datetime]]]:
    start, end = end_of_day(day - DAY, timetable.zone), end_of_day(day, timetable.zone)
    found, cursor = [], start
    while cursor < end:
        change = timetable.next_change(cursor)
        until = end if change is None else min(change, end)
        if timetable.is_active(cursor):
            found.append((cursor, until))
        cursor = until
    return end - start, found


@pytest.mark.covers("G17", "G20", "G22", "G23")
@pytest.mark.parametrize(
    ("zone", "day", "minutes", "gated", "expected"),
    [
        (
            "Europe/Berlin",
            date(2026, 6, 1),
            1440,
            540,
            [("2026-05-31T22:00", "2026-06-01T04:00"), ("2026-06-01T19:00", "2026-06-01T22:00")],
        ),
        (
            "Europe/Berlin",
            date(2026, 3, 29),
            1380,
            480,
            [("2026-03-28T23:00", "2026-03-29T04:00"), ("2026-03-29T19:00", "2026-03-29T22:00")],
        ),
        (
            "Europe/Berlin",
            date(2026, 10, 25),
            1500,
            600,
            [("2026-10-24T22:00", "2026-10-25T05:00"), ("2026-10-25T20:00", "2026-10-25T23:00")],
        ),
        (
            "Asia/Kathmandu",
            date(2026, 6, 1),
            1440,
            540,
            [("2026-05-31T18:15", "2026-06-01T00:15"), ("2026-06-01T15:15", "2026-06-01T18:15")],
        ),
    ],
)
def test_the_vectors_of_the_decisions(
    zone: str, day: date, minutes: int, gated: int, expected: list[tuple[str, str]]
) -> None:
    length, found = intervals(Timetable(zone_of(zone), NIGHTS), day)
    assert length == timedelta(minutes=minutes)
    assert found == [(utc(start), utc(end)) for start, end in expected]
    assert sum((end - start for start, end in found), timedelta()) == timedelta(minutes=gated)


@pytest.mark.covers("G22")
@pytest.mark.parametrize(
    ("wall", "active"),
    [
        ("2026-06-01T20:59:59.999", False),
        ("2026-06-01T20:59:59.999999", False),
        ("2026-06-01T21:00", True),
        ("2026-06-01T23:59:59.999", True),
        ("2026-06-01T23:59:59.999999", True),
        ("2026-06-02T00:00", True),
        ("2026-06-02T05:59:59.999", True),
        ("2026-06-02T06:00", False),
    ],
)
def test_windows_are_half_open_and_leave_no_hole_at_midnight(wall: str, active: bool) -> None:
    instant = datetime.fromisoformat(wall).replace(tzinfo=BERLIN).astimezone(UTC)
    match = Timetable(BERLIN, NIGHTS).is_active(instant)
    assert (match is not None) is active
    if match is not None:
        assert match.local == datetime.fromisoformat(wall)
        assert match.window in NIGHTS


@pytest.mark.covers("G24")
def test_the_weekday_is_that_of_the_local_day() -> None:
    monday_only = Timetable(zone_of("Pacific/Auckland"), [Window(frozenset({0}), 0, 60)])
    # Monday 00:30 in Auckland is still Sunday in UTC.
    assert monday_only.is_active(utc("2026-06-07T12:30"))
    assert not monday_only.is_active(utc("2026-06-08T12:30"))


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/Sao_Paulo", date(2018, 11, 3)),  # the midnight after this day did not exist
        ("America/Sao_Paulo", date(2018, 2, 17)),  # 23:00 to 24:00 happened twice
        ("Asia/Beirut", date(2022, 3, 26)),
        ("America/Havana", date(2027, 11, 6)),  # 00:00 to 01:00 happens twice
        ("Africa/Cairo", date(2023, 4, 27)),
        ("Pacific/Apia", date(2011, 12, 29)),  # the whole next day did not exist
    ],
)
def test_no_gap_at_a_midnight_that_is_skipped_or_doubled(zone: str, day: date) -> None:
    timetable = Timetable(zone_of(zone), NIGHTS)
    evening = datetime(day.year, day.month, day.day, 21, tzinfo=timetable.zone).astimezone(UTC)
    change = timetable.next_change(evening - TICK)
    assert change == evening
    end = timetable.next_change(evening)
    assert end is not None
    assert local_time(end, timetable.zone).time().isoformat() == "06:00:00"
    cursor = evening
    while cursor < end:
        assert timetable.is_active(cursor), cursor
        cursor += timedelta(minutes=5)


def _offset_changes(name: str) -> list[int]:
    """Where a zone changes its offset, read from the compiled file itself: an oracle of its own."""
    data = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()

    def counts(at: int) -> tuple[int, ...]:
        return struct.unpack(">6l", data[at + 20 : at + 44])

    isutc, isstd, leap, times, types, chars = counts(0)
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    _, _, _, times, types, _ = counts(second)
    at = second + 44
    instants = struct.unpack(f">{times}q", data[at : at + 8 * times])
    kinds = data[at + 8 * times : at + 9 * times]
    records = at + 9 * times
    offsets = [struct.unpack(">l", data[records + 6 * k : records + 6 * k + 4])[0] for k in range(types)]
    changes, last = [], None
    for instant, kind in zip(instants, kinds, strict=True):
        if offsets[kind] != last:
            changes.append(instant)
        last = offsets[kind]
    return changes


@pytest.mark.parametrize("name", sorted(zone_names()))
def test_every_zone_joins_its_nights_and_changes_exactly(name: str) -> None:
    timetable = Timetable(zone_of(name), NIGHTS)
    changes = [instant for instant in _offset_changes(name) if instant > 0]
    # The search probes every three hours, so two changes may not hide between two probes.
    assert all(after - before >= 3 * 3600 for before, after in pairwise(changes))
    # The newest changes, and some of all within thirty years: old rules hold for old decisions.
    older = [instant for instant in changes[:-8] if instant > THIRTY_YEARS_AGO]
    for instant in (*older[:: max(1, len(older) // 4)], *changes[-8:]):
        start = datetime.fromtimestamp(instant, UTC) - 2 * DAY
        _check_walk(timetable, start, start + 4 * DAY)


def _check_walk(timetable: Timetable, start: datetime, end: datetime) -> None:
    cursor = start
    while cursor < end:
        change = timetable.next_change(cursor)
        assert change is not None
        assert change > cursor
        active = timetable.is_active(cursor) is not None
        assert (timetable.is_active(change - TICK) is not None) is active
        assert (timetable.is_active(change) is not None) is not active
        probe = cursor
        while probe < change:
            assert (timetable.is_active(probe) is not None) is active
            probe += timedelta(minutes=97)
        cursor = change


spans = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda pair: pair[0] < pair[1])
windows = st.builds(
    lambda days, span: Window(days, *span), st.frozensets(st.integers(0, 6), min_size=1), spans
)
zones = st.sampled_from(sorted(zone_names())).map(zone_of)
instants = st.integers(0, 46 * 366 * 86_400 * 1_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
overrides = st.builds(
    lambda at, found: Override(at, tuple(Span(*span) for span in found)),
    st.dates(date(2026, 5, 28), date(2026, 6, 10)),
    st.lists(spans, max_size=2),
)


def covered_by_hand(local: datetime, found: list[Window], days_off: list[Override]) -> bool:
    minute = local.hour * 60 + local.minute
    for override in reversed(days_off):
        if override.date == local.date():
            return any(span.start_minute <= minute < span.end_minute for span in override.spans)
    return any(w.start_minute <= minute < w.end_minute and local.weekday() in w.days for w in found)


@given(zones, st.lists(windows, max_size=4), st.lists(overrides, max_size=3), instants)
def test_activity_depends_on_the_local_wall_time_alone(
    zone: ZoneInfo, found: list[Window], days_off: list[Override], instant: datetime
) -> None:
    timetable = Timetable(zone, found, days_off)
    local = local_time(instant, zone)
    match = timetable.is_active(instant)
    assert (match is not None) is covered_by_hand(local, found, days_off)
    if match is not None:
        assert match.local == local


@given(zones, st.lists(windows, max_size=4), st.lists(overrides, max_size=3), instants, st.randoms())
def test_the_next_change_is_later_and_nothing_changes_before_it(
    zone: ZoneInfo, found: list[Window], days_off: list[Override], instant: datetime, random: object
) -> None:
    timetable = Timetable(zone, found, days_off)
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    change = timetable.next_change(instant)
    assert change == Timetable(zone, shuffled, days_off).next_change(instant)
    active = timetable.is_active(instant) is not None
    until = change or instant + 30 * DAY
    if change is not None:
        assert change > instant
        assert (timetable.is_active(change) is not None) is not active
        assert (timetable.is_active(change - TICK) is not None) is active
    for step in range(50):
        probe = instant + (until - instant) * step / 50
        assert (timetable.is_active(probe) is not None) is active


@given(zones, st.lists(windows, max_size=4), st.lists(overrides, max_size=3), instants, st.randoms())
def test_the_same_window_covers_every_instant_until_it_does_not(
    zone: ZoneInfo, found: list[Window], days_off: list[Override], instant: datetime, generator: Random
) -> None:
    timetable = Timetable(zone, found, days_off)
    until = timetable.steady_until(instant)
    assert instant < until <= instant + timedelta(hours=28)

    def answer(at: datetime) -> object:
        match = timetable.is_active(at)
        return None if match is None else (match.span, match.window, match.override)

    said, seconds = answer(instant), (until - instant).total_seconds()
    later = [instant + timedelta(seconds=generator.uniform(0, seconds)) for _ in range(8)]
    for at in (until - TICK, *(at for at in later if at < until)):
        assert answer(at) == said
        assert local_time(at, zone).date() == local_time(instant, zone).date()


@pytest.mark.covers("G18")
@given(instants)
def test_the_search_is_remembered_but_never_wrong(instant: datetime) -> None:
    used = Timetable(BERLIN, NIGHTS)
    used.next_change(instant + 30 * DAY)
    for later in (timedelta(0), timedelta(hours=5), -timedelta(hours=30), timedelta(days=3)):
        assert used.next_change(instant + later) == Timetable(BERLIN, NIGHTS).next_change(instant + later)


@pytest.mark.parametrize(
    "found",
    [[], [ALWAYS], [Window(EVERY_DAY, 0, 720), Window(EVERY_DAY, 720, 1440)]],
)
def test_a_constant_timetable_never_changes(found: list[Window]) -> None:
    assert Timetable(BERLIN, found).next_change(utc("2026-06-01T12:00")) is None


def test_overrides_replace_a_day() -> None:
    christmas = Override(date(2026, 12, 24), (WHOLE_DAY,))
    open_day = Override(date(2026, 12, 27))
    nights = Timetable(BERLIN, NIGHTS, [christmas, open_day])
    match = nights.is_active(utc("2026-12-24T11:00"))
    assert match is not None
    assert match.override == christmas
    assert nights.is_active(utc("2026-12-27T02:00")) is None
    assert nights.next_change(utc("2026-12-24T11:00")) == utc("2026-12-25T05:00")
    never = Timetable(BERLIN, [], [christmas])
    assert never.next_change(utc("2025-01-01T00:00")) == utc("2026-12-23T23:00")
    assert never.next_change(utc("2026-12-24T00:00")) == utc("2026-12-24T23:00")
    assert never.next_change(utc("2026-12-25T00:00")) is None


@pytest.mark.covers("G21")
def test_an_end_of_midnight_means_the_end_of_the_day() -> None:
    assert split({0}, parse_hhmm("21:00"), parse_hhmm("00:00")) == (
        (Window(frozenset({0}), 1260, 1440),),
        False,
    )
    assert split({0}, 1260, 1440) == ((Window(frozenset({0}), 1260, 1440),), False)
    assert split(EVERY_DAY, 0, 0) == ((ALWAYS,), False)


@pytest.mark.covers("G21")
def test_a_wrapping_window_is_split_onto_the_following_day() -> None:
    found, was_split = split({4, 6}, parse_hhmm("21:00"), parse_hhmm("06:00"))
    assert was_split
    assert found == (Window(frozenset({4, 6}), 1260, 1440), Window(frozenset({5, 0}), 0, 360))


@pytest.mark.covers("G21")
@pytest.mark.parametrize(
    "make",
    [
        lambda: split({0}, 600, 600),
        lambda: split(set(), 0, 60),
        lambda: split({7}, 0, 60),
        lambda: Window(EVERY_DAY, 60, 60),
        lambda: Window(EVERY_DAY, -1, 60),
        lambda: Window(EVERY_DAY, 0, 1441),
        lambda: Span(5, 4),
        lambda: parse_hhmm("24:01"),
        lambda: parse_hhmm("7:00"),
        lambda: parse_hhmm("07:60"),
        lambda: parse_hhmm("07:00 "),
    ],
)
def test_what_is_no_window_is_refused(make: object) -> None:
    with pytest.raises(Refusal) as refused:
        make()  # type: ignore[operator]
    assert refused.value.reason == "VALIDATION_FAILED"


@given(st.integers(0, 1440))
def test_times_of_day_survive_their_text(minute: int) -> None:
    assert parse_hhmm(format_hhmm(minute)) == minute


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "europe/berlin", "zones"])
def test_only_bundled_zones_are_zones(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        zone_of(name)
    assert refused.value.reason == "UNKNOWN_TIME_ZONE"


@given(zones, st.dates(date(1990, 1, 1), date(2036, 1, 1)))
def test_the_end_of_a_day_is_the_first_instant_behind_it(zone: ZoneInfo, day: date) -> None:
    end = end_of_day(day, zone)
    assert local_time(end, zone).date() > day
    assert all(local_time(end + timedelta(minutes=step * 7), zone).date() > day for step in range(60))
    before = local_time(end - TICK, zone).date()
    assert before <= day


@given(zones, instants, st.integers(0, 59_999_999))
def test_the_instants_of_a_minute_are_written_as_one_by_one(
    zone: ZoneInfo, instant: datetime, later: int
) -> None:
    minute = wall_minute(instant, zone)
    other = instant.replace(second=0, microsecond=0) + timedelta(microseconds=later)
    assert minute is not None
    for written in (instant, other):
        assert minute.text(written) == written.astimezone(zone).isoformat()


def test_a_minute_in_which_the_offset_changes_is_not_shared() -> None:
    for name in sorted(zone_names()):
        zone = zone_of(name)
        for change in _offset_changes(name):
            at = datetime.fromtimestamp(change, UTC)
            for instant in (at - TICK, at):
                minute = wall_minute(instant, zone)
                begin = instant.replace(second=0, microsecond=0)
                for other in (begin, instant, begin + timedelta(minutes=1) - TICK):
                    assert minute is None or minute.text(other) == other.astimezone(zone).isoformat()


def test_a_zone_that_counted_odd_seconds_has_no_minute_in_common_with_utc() -> None:
    assert wall_minute(utc("1960-01-01T00:00:00"), zone_of("Africa/Monrovia")) is None
