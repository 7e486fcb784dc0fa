"""Saving order settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.refusal import Kind, Refusal
from chassis.kernel.timetable import EVERY_DAY, Span, Window, format_hhmm
from services.gating.domain.request_rules import DEFAULT_REQUEST_TTL
from services.gating.domain.settings import (
    Audience,
    BypassPolicy,
    DayOverride,
    DayRule,
    GivenOverride,
    GivenWindow,
    InactiveReason,
    OrderSettings,
    Saved,
    Scope,
    SettingsChange,
    save,
)
from tests.unit.gating.examples import LISTING, NOON, PACKAGE, SELLER, day, settings_with

WEEK = tuple(range(7))


def saved(current: OrderSettings | None = None, *, etag: str = "", **changes: Any) -> Saved:
    return save(current or OrderSettings(SELLER), SettingsChange(**changes), etag=etag, now=NOON)


def refusal(current: OrderSettings | None = None, *, etag: str = "", **changes: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        saved(current, etag=etag, **changes)
    return caught.value


@pytest.mark.covers("G19")
def test_a_save_is_one_new_version_of_everything() -> None:
    result = saved(enabled=True, all_packages=True, time_zone="Europe/Berlin")
    found = result.settings
    assert (found.version, found.etag, found.enabled) == (1, "v1", True)
    assert found.create_time == found.update_time == NOON
    assert result.event is not None
    assert result.event.settings is found
    again = save(found, SettingsChange(enabled=False), etag="v1", now=NOON + timedelta(hours=1))
    assert (again.settings.version, again.settings.create_time) == (2, NOON)
    assert again.settings.time_zone == "Europe/Berlin"


def test_the_defaults() -> None:
    found = OrderSettings(SELLER)
    assert (found.version, found.etag, found.time_zone) == (0, "v0", "UTC")
    assert found.audience is Audience.ALL_BUYERS
    assert found.bypass_policy is BypassPolicy.OPEN_OFFER
    assert found.request_ttl == DEFAULT_REQUEST_TTL == timedelta(days=7)
    assert found.scope.is_empty


def test_a_save_that_changes_nothing_makes_no_version() -> None:
    current = settings_with()
    result = saved(current, enabled=True, all_packages=True, packages=(), time_zone="Europe/Berlin")
    assert result.settings is current
    assert result.event is None


@pytest.mark.covers("G19")
def test_a_stale_etag_is_refused() -> None:
    found = refusal(settings_with(), etag="v2", enabled=False)
    assert (found.kind, found.reason) == (Kind.STALE, "ETAG_MISMATCH")
    assert found.metadata == {"resource": f"{SELLER}/orderSettings", "expected": "v2", "actual": "v3"}


@pytest.mark.covers("G21")
@pytest.mark.parametrize(
    ("given_window", "stored", "split"),
    [
        (GivenWindow(WEEK, "21:00", "24:00"), (Window(EVERY_DAY, 1260, 1440),), ()),
        (GivenWindow(WEEK, "21:00", "00:00"), (Window(EVERY_DAY, 1260, 1440),), ()),
        (GivenWindow(WEEK, "00:00", "00:00"), (Window(EVERY_DAY, 0, 1440),), ()),
        (
            GivenWindow((4, 6), "21:00", "06:00"),
            (Window(frozenset({4, 6}), 1260, 1440), Window(frozenset({5, 0}), 0, 360)),
            ("FRI,SUN 21:00-06:00",),
        ),
    ],
)
def test_stored_windows_never_wrap(
    given_window: GivenWindow, stored: tuple[Window, ...], split: tuple[str, ...]
) -> None:
    result = saved(windows=(given_window,))
    assert result.settings.windows == stored
    assert result.split_windows == split


@pytest.mark.covers("G21")
@given(start=st.integers(0, 1439), end=st.integers(0, 1440), days=st.sets(st.integers(0, 6), min_size=1))
def test_every_window_is_stored_without_wrapping_or_refused(start: int, end: int, days: set[int]) -> None:
    window = GivenWindow(tuple(days), format_hhmm(start), format_hhmm(end))
    if start == (end or 1440):
        assert refusal(windows=(window,)).reason == "WINDOW_INVALID"
        return
    found = saved(windows=(window,)).settings.windows
    assert all(0 <= part.start_minute < part.end_minute <= 1440 for part in found)
    assert (
        sum(part.end_minute - part.start_minute for part in found) == ((end or 1440) - start) % 1440 or 1440
    )


def test_an_empty_window_is_refused_by_name() -> None:
    found = refusal(windows=(GivenWindow(WEEK, "00:00", "06:00"), GivenWindow(WEEK, "06:00", "06:00")))
    assert (found.kind, found.reason) == (Kind.INVALID, "WINDOW_INVALID")
    assert found.metadata == {"field": "order_settings.windows[1]", "start": "06:00", "end": "06:00"}


def test_overlapping_windows_are_fine() -> None:
    given_windows = (GivenWindow(WEEK, "08:00", "12:00"), GivenWindow(WEEK, "10:00", "14:00"))
    assert len(saved(windows=given_windows).settings.windows) == 2


def test_split_windows_count_twice() -> None:
    assert refusal(windows=(GivenWindow(WEEK, "21:00", "06:00"),) * 51).reason == "VALIDATION_FAILED"


def test_overrides_are_kept_by_date() -> None:
    overrides = (
        GivenOverride(2026, 12, 25, DayRule.CLOSED, label="Christmas"),
        GivenOverride(2026, 12, 24, DayRule.WINDOWS, (("10:00", "00:00"),)),
        GivenOverride(2028, 2, 29, DayRule.OPEN),
    )
    assert saved(overrides=overrides).settings.overrides == (
        DayOverride(day("2026-12-24"), DayRule.WINDOWS, (Span(600, 1440),)),
        DayOverride(day("2026-12-25"), DayRule.CLOSED, label="Christmas"),
        DayOverride(day("2028-02-29"), DayRule.OPEN),
    )


@pytest.mark.parametrize(
    ("overrides", "date"),
    [
        ([GivenOverride(2026, 2, 30, DayRule.OPEN)], "2026-02-30"),
        ([GivenOverride(0, 1, 1, DayRule.OPEN)], "0000-01-01"),
        ([GivenOverride(2026, 1, 1, DayRule.OPEN), GivenOverride(2026, 1, 1, DayRule.CLOSED)], "2026-01-01"),
    ],
)
def test_a_date_must_exist_and_has_one_override(overrides: list[GivenOverride], date: str) -> None:
    found = refusal(overrides=tuple(overrides))
    assert found.reason == "OVERRIDE_DATE_INVALID"
    assert found.metadata["date"] == date
    assert found.metadata["field"] == f"order_settings.overrides[{len(overrides) - 1}].date"


@pytest.mark.parametrize("span", [("10:00", "10:00"), ("22:00", "06:00")])
def test_a_span_stays_within_its_day(span: tuple[str, str]) -> None:
    found = refusal(overrides=(GivenOverride(2026, 1, 1, DayRule.WINDOWS, (span,)),))
    assert found.reason == "WINDOW_INVALID"
    assert found.metadata["field"] == "order_settings.overrides[0].windows.spans[0]"


@pytest.mark.covers("G16")
@pytest.mark.parametrize(
    "changes",
    [
        {"packages": (PACKAGE, "sellers/other/listings/logo/packages/basic")},
        {"excluded_listings": (LISTING, "sellers/acme2/listings/logo")},
    ],
)
def test_the_scope_names_own_packages_only(changes: dict[str, Any]) -> None:
    found = refusal(**changes)
    assert (found.kind, found.reason) == (Kind.INVALID, "SCOPE_FOREIGN")
    assert found.metadata["resource"].startswith("sellers/")
    assert found.metadata["field"].endswith("[1]")


def test_half_a_scope_meets_the_stored_half() -> None:
    current = settings_with(scope=Scope(packages=(PACKAGE,)))
    assert refusal(current, all_packages=True).reason == "VALIDATION_FAILED"
    assert saved(current, all_packages=True, packages=()).settings.scope == Scope(all_packages=True)


@pytest.mark.covers("G18")
@pytest.mark.parametrize("zone", ["Mars/Olympus", "europe/berlin", "../etc/passwd", "+01:00"])
def test_the_zone_must_be_known(zone: str) -> None:
    found = refusal(time_zone=zone)
    assert (found.kind, found.reason) == (Kind.INVALID, "UNKNOWN_TIME_ZONE")
    assert found.metadata["time_zone"] == zone


def test_an_empty_zone_is_utc() -> None:
    assert saved(settings_with(), time_zone="").settings.time_zone == "UTC"


@pytest.mark.parametrize(
    ("found", "entitled", "reason"),
    [
        (settings_with(enabled=False), True, InactiveReason.SWITCHED_OFF),
        (settings_with(enabled=False), False, InactiveReason.SWITCHED_OFF),
        (settings_with(), False, InactiveReason.NOT_ENTITLED),
        (settings_with(scope=Scope()), True, InactiveReason.EMPTY_SCOPE),
        (settings_with(), True, None),
    ],
)
def test_why_settings_have_no_effect(
    found: OrderSettings, entitled: bool, reason: InactiveReason | None
) -> None:
    assert found.inactive_reason(entitled=entitled) is reason


@given(ttl=st.timedeltas(timedelta(hours=1), timedelta(days=90)))
def test_the_time_for_an_answer_is_kept_exactly(ttl: timedelta) -> None:
    assert saved(request_ttl=ttl, enabled=True).settings.request_ttl == ttl
    assert replace(OrderSettings(SELLER), request_ttl=ttl).request_ttl == ttl
