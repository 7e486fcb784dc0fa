"""A seller's order settings: when, for whom and for what he wants to be asked first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from chassis.kernel.refusal import invalid, stale_etag
from chassis.kernel.timetable import MINUTES_PER_DAY, Span, Window, parse_hhmm, split, zone_of
from services.gating.domain import refusals
from services.gating.domain.catalogue import listing_of
from services.gating.domain.events import OrderSettingsSaved
from services.gating.domain.request_rules import (
    DEFAULT_REMINDER_POINTS,
    DEFAULT_REQUEST_TTL,
    ReofferPolicy,
    RequestRules,
)

T = TypeVar("T")

NO_LIMIT: Final = 0
DEFAULT_TIME_ZONE: Final = "UTC"
MAX_WINDOWS: Final = 100
"""Stored windows of one seller, those made by splitting included."""

WEEKDAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Audience(StrEnum):
    """Which buyers must ask."""

    ALL_BUYERS = "ALL_BUYERS"
    NEW_BUYERS = "NEW_BUYERS"
    UNVERIFIED_BUYERS = "UNVERIFIED_BUYERS"
    NEW_UNVERIFIED_BUYERS = "NEW_UNVERIFIED_BUYERS"

    @property
    def spares_returning(self) -> bool:
        """Whether a buyer with a confirmed order need not ask."""
        return self in {Audience.NEW_BUYERS, Audience.NEW_UNVERIFIED_BUYERS}

    @property
    def spares_verified(self) -> bool:
        """Whether a verified buyer need not ask."""
        return self in {Audience.UNVERIFIED_BUYERS, Audience.NEW_UNVERIFIED_BUYERS}


class BypassPolicy(StrEnum):
    """Who may order at once although the gate is active."""

    OPEN_OFFER = "OPEN_OFFER"
    NEVER = "NEVER"
    ANY_PAST_OFFER = "ANY_PAST_OFFER"


class InactiveReason(StrEnum):
    """Why settings have no effect."""

    SWITCHED_OFF = "SWITCHED_OFF"
    NOT_ENTITLED = "NOT_ENTITLED"
    EMPTY_SCOPE = "EMPTY_SCOPE"
    ALL_EXCLUDED = "ALL_EXCLUDED"


class DayRule(StrEnum):
    """What an override says of its date."""

    OPEN = "open"
    CLOSED = "closed"
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True)
class Scope:
    """The gated packages: all, or those listed. Neither gates nothing."""

    all_packages: bool = False
    packages: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no package is gated."""
        return not (self.all_packages or self.packages)


@dataclass(frozen=True, slots=True)
class DayOverride:
    """What holds on one local date instead of the weekly windows; `spans` for DayRule.WINDOWS only."""

    date: date
    rule: DayRule
    spans: tuple[Span, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class OrderSettings:
    """The saved settings of one seller. Version 0: never saved, the defaults hold.

    `max_open_orders`: with as many the gate is closed; NO_LIMIT: no such rule. `capacity_only`: nothing else
    closes it.
    """

    seller: str
    enabled: bool = False
    audience: Audience = Audience.ALL_BUYERS
    scope: Scope = Scope()
    excluded_listings: tuple[str, ...] = ()
    time_zone: str = DEFAULT_TIME_ZONE
    windows: tuple[Window, ...] = ()
    overrides: tuple[DayOverride, ...] = ()
    bypass_policy: BypassPolicy = BypassPolicy.OPEN_OFFER
    request_ttl: timedelta = DEFAULT_REQUEST_TTL
    reminder_points: tuple[int, ...] = DEFAULT_REMINDER_POINTS
    reoffer_policy: ReofferPolicy = ReofferPolicy.ALLOW
    max_open_orders: int = NO_LIMIT
    capacity_only: bool = False
    version: int = 0
    create_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def name(self) -> str:
        """`sellers/{seller}/orderSettings`."""
        return f"{self.seller}/orderSettings"

    @property
    def etag(self) -> str:
        """The version as callers see it."""
        return f"v{self.version}"

    @property
    def request_rules(self) -> RequestRules:
        """What holds for the requests that come now."""
        return RequestRules(self.request_ttl, self.reminder_points, self.reoffer_policy)

    def inactive_reason(self, *, entitled: bool) -> InactiveReason | None:
        """Why the settings have no effect for a seller who is `entitled` or not; None where they have."""
        if not self.enabled:
            return InactiveReason.SWITCHED_OFF
        if not entitled:
            return InactiveReason.NOT_ENTITLED
        if self.scope.is_empty:
            return InactiveReason.EMPTY_SCOPE
        packages = self.scope.packages
        if packages and {listing_of(package) for package in packages} <= {*self.excluded_listings}:
            return InactiveReason.ALL_EXCLUDED
        return None


@dataclass(frozen=True, slots=True)
class GivenWindow:
    """A window as a seller wrote it: it may wrap midnight. `days`: 0 is Monday."""

    days: tuple[int, ...]
    start: str
    end: str

    def __str__(self) -> str:
        return f"{','.join(WEEKDAYS[day] for day in sorted(self.days))} {self.start}-{self.end}"


@dataclass(frozen=True, slots=True)
class GivenOverride:
    """An override as a seller wrote it; the date may not exist."""

    year: int
    month: int
    day: int
    rule: DayRule
    spans: tuple[tuple[str, str], ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """The fields that a save replaces; None keeps what is stored. `field`: where the caller wrote them."""

    field: str = "order_settings"
    enabled: bool | None = None
    audience: Audience | None = None
    all_packages: bool | None = None
    packages: tuple[str, ...] | None = None
    excluded_listings: tuple[str, ...] | None = None
    time_zone: str | None = None
    windows: tuple[GivenWindow, ...] | None = None
    overrides: tuple[GivenOverride, ...] | None = None
    bypass_policy: BypassPolicy | None = None
    request_ttl: timedelta | None = None
    reminder_points: tuple[int, ...] | None = None
    reoffer_policy: ReofferPolicy | None = None
    max_open_orders: int | None = None
    capacity_only: bool | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save led to; no event where nothing changed."""

    settings: OrderSettings
    split_windows: tuple[str, ...]
    event: OrderSettingsSaved | None


def save(current: OrderSettings, change: SettingsChange, *, etag: str, now: datetime) -> Saved:
    """The settings after `change`, as one new version; `etag`, unless empty, is the version that was seen."""
    if etag and etag != current.etag:
        raise stale_etag(current.name, etag, current.etag)
    windows, split_windows = current.windows, tuple[str, ...]()
    if change.windows is not None:
        windows, split_windows = _stored_windows(change.windows, f"{change.field}.windows")
    wanted = replace(
        current,
        enabled=_either(change.enabled, current.enabled),
        audience=change.audience or current.audience,
        scope=_scope(current, change),
        excluded_listings=_excluded(current, change),
        time_zone=_zone(current, change),
        windows=windows,
        overrides=_overrides(current, change),
        bypass_policy=change.bypass_policy or current.bypass_policy,
        request_ttl=change.request_ttl or current.request_ttl,
        reminder_points=_reminder_points(current, change),
        reoffer_policy=change.reoffer_policy or current.reoffer_policy,
        max_open_orders=_either(change.max_open_orders, current.max_open_orders),
        capacity_only=_either(change.capacity_only, current.capacity_only),
    )
    if wanted.capacity_only and wanted.max_open_orders == NO_LIMIT:
        raise invalid(f"{change.field}.capacity_only", "needs max_open_orders")
    if wanted == current:
        return Saved(current, split_windows, None)
    saved = replace(
        wanted, version=current.version + 1, create_time=current.create_time or now, update_time=now
    )
    return Saved(saved, split_windows, OrderSettingsSaved(saved, now))


def unsaved(settings: OrderSettings) -> OrderSettings:
    """Settings that are only thought of: of no version."""
    return replace(settings, version=0, create_time=None, update_time=None)


def _either(wanted: T | None, stored: T) -> T:
    return stored if wanted is None else wanted


def _reminder_points(current: OrderSettings, change: SettingsChange) -> tuple[int, ...]:
    if change.reminder_points is None:
        return current.reminder_points
    return tuple(sorted(change.reminder_points))


def _zone(current: OrderSettings, change: SettingsChange) -> str:
    if change.time_zone is None:
        return current.time_zone
    name = change.time_zone or DEFAULT_TIME_ZONE
    zone_of(name, field=f"{change.field}.time_zone")
    return name


def _scope(current: OrderSettings, change: SettingsChange) -> Scope:
    packages = current.scope.packages
    if change.packages is not None:
        packages = _own(current.seller, f"{change.field}.scope.packages", change.packages)
    all_packages = _either(change.all_packages, current.scope.all_packages)
    if all_packages and packages:
        # A mask that names one half only may meet the other half in storage.
        raise invalid(f"{change.field}.scope", "either all_packages or packages, not both")
    return Scope(all_packages, packages)


def _excluded(current: OrderSettings, change: SettingsChange) -> tuple[str, ...]:
    if change.excluded_listings is None:
        return current.excluded_listings
    return _own(current.seller, f"{change.field}.excluded_listings", change.excluded_listings)


def _own(seller: str, field: str, resources: Sequence[str]) -> tuple[str, ...]:
    for index, resource in enumerate(resources):
        if not resource.startswith(f"{seller}/"):
            raise refusals.scope_foreign(f"{field}[{index}]", resource)
    return tuple(resources)


def _stored_windows(
    given: Sequence[GivenWindow], all_windows: str
) -> tuple[tuple[Window, ...], tuple[str, ...]]:
    windows: list[Window] = []
    wrapped: list[str] = []
    for index, window in enumerate(given):
        field = f"{all_windows}[{index}]"
        start = parse_hhmm(window.start, field=f"{field}.start")
        end = parse_hhmm(window.end, field=f"{field}.end") or MINUTES_PER_DAY
        if start in (end, MINUTES_PER_DAY):
            raise refusals.window_invalid(field, window.start, window.end)
        parts, was_split = split(window.days, start, end)
        windows.extend(parts)
        if was_split:
            wrapped.append(str(window))
    if len(windows) > MAX_WINDOWS:
        raise invalid(all_windows, f"at most {MAX_WINDOWS} windows, split ones counted twice")
    return tuple(windows), tuple(wrapped)


def _overrides(current: OrderSettings, change: SettingsChange) -> tuple[DayOverride, ...]:
    if change.overrides is None:
        return current.overrides
    overrides: dict[date, DayOverride] = {}
    for index, override in enumerate(change.overrides):
        field = f"{change.field}.overrides[{index}]"
        text = f"{override.year:04d}-{override.month:02d}-{override.day:02d}"
        try:
            day = date(override.year, override.month, override.day)
        except ValueError:
            raise refusals.override_date_invalid(f"{field}.date", text, f"{text} does not exist") from None
        if day in overrides:
            raise refusals.override_date_invalid(f"{field}.date", text, f"{text} has two overrides")
        spans = tuple(
            _stored_span(f"{field}.windows.spans[{position}]", start, end)
            for position, (start, end) in enumerate(override.spans)
        )
        overrides[day] = DayOverride(day, override.rule, spans, override.label)
    return tuple(overrides[day] for day in sorted(overrides))


def _stored_span(field: str, start: str, end: str) -> Span:
    first = parse_hhmm(start, field=f"{field}.start")
    last = parse_hhmm(end, field=f"{field}.end") or MINUTES_PER_DAY
    if first >= last:
        raise refusals.window_invalid(field, start, end)
    return Span(first, last)
