"""An expiry that is given as a date: the end of that local day, wherever its midnight is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal
from chassis.kernel.timetable import local_time, zone_names, zone_of
from services.offers.domain import offer as offers
from services.offers.domain.chain import State
from services.offers.domain.offer import Consent
from services.offers.domain.terms import HORIZON, Expiry, LocalDay, check_expiry, settled
from tests.unit.offers.negotiation import NOW, opened, terms

TICK = timedelta(microseconds=1)
ZONES = st.sampled_from(sorted(zone_names()))
DAYS = st.dates(date(2020, 1, 1), date(2050, 12, 31))


def day(text: str, zone: str = "") -> Expiry:
    return Expiry(day=LocalDay(date.fromisoformat(text), zone))


@pytest.mark.covers("G39")
@pytest.mark.parametrize(
    ("zone", "local", "end"),
    [
        ("UTC", "2026-06-01", "2026-06-02T00:00"),
        ("Europe/Berlin", "2026-06-01", "2026-06-01T22:00"),
        # The days on which clocks change are shorter or longer; their ends are midnights all the same.
        ("Europe/Berlin", "2026-03-28", "2026-03-28T23:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T22:00"),
        ("Europe/Berlin", "2026-10-25", "2026-10-25T23:00"),
        ("Asia/Kathmandu", "2026-06-01", "2026-06-01T18:15"),
        # Midnight is skipped: the day ends at the jump.
        ("America/Santiago", "2026-09-05", "2026-09-06T04:00"),
        ("Africa/Cairo", "2026-04-23", "2026-04-23T22:00"),
        # Midnight comes twice, and both belong to the next day.
        ("America/Havana", "2027-11-06", "2027-11-07T04:00"),
        ("Atlantic/Azores", "2026-10-24", "2026-10-25T00:00"),
        # The hour before midnight comes twice, and both belong to this day.
        ("America/Santiago", "2027-04-03", "2027-04-04T04:00"),
        # A day of a zone that skipped it whole is over when the one before it is.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),
    ],
)
def test_a_day_ends_at_the_next_midnight(zone: str, local: str, end: str) -> None:
    instant = datetime.fromisoformat(end).replace(tzinfo=UTC)
    expiry = settled(day(local, zone), zone="Asia/Tokyo")
    assert expiry == Expiry(instant, LocalDay(date.fromisoformat(local), zone))
    # What was settled is not settled anew, and the sellers zone does not matter to it.
    assert settled(expiry, zone="America/Lima") == expiry


@given(zone=ZONES, local=DAYS)
def test_the_last_instant_of_the_day_is_in_and_the_first_of_the_next_is_out(zone: str, local: date) -> None:
    expiry = settled(Expiry(day=LocalDay(local)), zone=zone)
    assert expiry.day == LocalDay(local, zone)
    assert expiry.time is not None
    assert expiry.time.utcoffset() == timedelta(0)
    rules = zone_of(zone)
    assert local_time(expiry.time - TICK, rules).date() <= local < local_time(expiry.time, rules).date()


@given(zone=ZONES, local=DAYS)
def test_a_later_day_never_ends_earlier(zone: str, local: date) -> None:
    first = settled(Expiry(day=LocalDay(local)), zone=zone).time
    second = settled(Expiry(day=LocalDay(local + timedelta(days=1))), zone=zone).time
    assert first is not None
    assert second is not None
    # The same where the zone skipped that day.
    assert first <= second


def test_the_last_microsecond_of_the_day_is_in_time() -> None:
    end = settled(day("2026-06-01", "Europe/Berlin"), zone="UTC")
    offer = opened(terms().with_expiry(end))
    assert end.time is not None
    accepted, _ = offers.accept(offer, actor=Actor.BUYER, seen=1, consent=Consent(), now=end.time - TICK)
    assert accepted.state is State.ACCEPTED
    with pytest.raises(Refusal) as refused:
        offers.accept(offer, actor=Actor.BUYER, seen=1, consent=Consent(), now=end.time)
    assert refused.value.reason == "OFFER_EXPIRED"


def test_an_instant_beside_the_day_must_be_its_end() -> None:
    berlin = LocalDay(date(2026, 6, 1), "Europe/Berlin")
    end = datetime(2026, 6, 1, 22, tzinfo=UTC)
    assert settled(Expiry(end, berlin), zone="UTC").time == end
    with pytest.raises(Refusal) as refused:
        settled(Expiry(end + TICK, berlin), zone="UTC", path="terms.")
    assert refused.value.metadata == {"field": "terms.expire_time"}
    assert "2026-06-01T22:00:00Z" in refused.value.message


def test_without_a_day_nothing_is_settled() -> None:
    assert settled(Expiry(), zone="UTC") == Expiry()
    assert settled(Expiry(NOW), zone="Nowhere/At_All") == Expiry(NOW)


@pytest.mark.parametrize(
    ("expiry", "reason", "field"),
    [
        (day("2026-06-02", "Mars/Olympus"), "UNKNOWN_TIME_ZONE", "expire_time_zone"),
        (day("9999-12-31", "UTC"), "TIME_OUT_OF_RANGE", "expire_date"),
        (day("9999-01-01", "UTC"), "TIME_OUT_OF_RANGE", "expire_date"),
        (day("9998-12-31", "UTC"), "TIME_OUT_OF_RANGE", "expire_date"),
        (day("0001-01-01", "Asia/Tokyo"), "TIME_OUT_OF_RANGE", "expire_date"),
        (day("2026-05-31", "UTC"), "TIME_OUT_OF_RANGE", "expire_date"),
        (Expiry(NOW), "TIME_OUT_OF_RANGE", "expire_time"),
        (Expiry(NOW + HORIZON + TICK), "TIME_OUT_OF_RANGE", "expire_time"),
    ],
)
def test_impossible_expiries_are_refused(expiry: Expiry, reason: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_expiry(settled(expiry, zone="UTC"), now=NOW)
    assert refused.value.reason == reason
    assert refused.value.metadata["field"] == field


def test_today_is_in_time_until_it_is_over() -> None:
    today = settled(day("2026-06-01"), zone="Europe/Berlin")
    check_expiry(today, now=datetime(2026, 6, 1, 21, 59, 59, tzinfo=UTC))
    with pytest.raises(Refusal):
        check_expiry(today, now=datetime(2026, 6, 1, 22, tzinfo=UTC))
