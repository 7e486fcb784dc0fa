"""Where a local day begins and ends in zones that skip their midnight, have it twice, or go back over it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from chassis.kernel.timetable import end_of_day, local_time, start_of_day, zone_of

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
FIRST, LAST = date(2000, 1, 1), date(2030, 1, 1)


def changing(zone: ZoneInfo) -> Iterator[date]:
    """Days around whose first midnight the zone changes its offset."""
    day = FIRST
    while day < LAST:
        noon = datetime.combine(day, time(12), tzinfo=zone)
        if noon.utcoffset() != (noon - DAY).utcoffset():
            yield day
        day += DAY


@pytest.mark.parametrize(
    ("name", "skipped", "doubled"),
    [
        ("Africa/Cairo", True, False),
        ("America/Goose_Bay", False, True),
        ("America/Havana", True, True),
        ("America/Santiago", True, False),
        ("America/Sao_Paulo", True, False),
        ("America/Scoresbysund", True, True),
        ("America/St_Johns", False, True),
        ("Antarctica/Casey", True, True),
        ("Asia/Amman", True, True),
        ("Asia/Beirut", True, False),
        ("Asia/Colombo", False, True),
        ("Asia/Gaza", True, True),
        ("Atlantic/Azores", True, True),
        ("Europe/Berlin", False, False),
        ("Pacific/Apia", True, False),
    ],
)
def test_a_day_is_over_for_good_when_the_next_begins(name: str, skipped: bool, doubled: bool) -> None:
    zone, seen = zone_of(name), set()
    for day in changing(zone):
        begin = start_of_day(day, zone)
        assert begin == end_of_day(day - DAY, zone)
        assert local_time(begin - TICK, zone).date() < day <= local_time(begin, zone).date()
        # The clock may go back, but never again to the day before.
        later = (begin + timedelta(minutes=10 * step) for step in range(30))
        assert all(local_time(instant, zone).date() >= day for instant in later), day
        midnight = datetime.combine(day, time(), tzinfo=zone)
        offsets = [midnight.replace(fold=fold).utcoffset() for fold in (0, 1)]
        if offsets[0] != offsets[1]:
            seen.add("skipped" if local_time(begin, zone) != datetime.combine(day, time()) else "doubled")
    assert ("skipped" in seen, "doubled" in seen) == (skipped, doubled)


def test_known_midnights() -> None:
    def begins(name: str, *day: int) -> str:
        return start_of_day(date(*day), zone_of(name)).astimezone(UTC).strftime("%d %H:%M")

    # 00:00 comes twice, and all of its hour is of the new day.
    assert begins("America/Havana", 2027, 11, 7) == "07 04:00"
    assert begins("Atlantic/Azores", 2026, 10, 25) == "25 00:00"
    # A minute after midnight the clock goes back to 23:01 of the day before, which then goes on.
    assert begins("America/St_Johns", 2005, 10, 30) == "30 03:30"
    # 23:00 comes twice.
    assert begins("America/Santiago", 2027, 4, 4) == "04 04:00"
    # There is no 00:00.
    assert begins("America/Santiago", 2026, 9, 6) == "06 04:00"
    # There is no 30 December: it begins and ends with the day after.
    assert begins("Pacific/Apia", 2011, 12, 30) == begins("Pacific/Apia", 2011, 12, 31) == "30 10:00"
