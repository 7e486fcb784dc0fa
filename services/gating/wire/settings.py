"""Settings and plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, cast

from google.type.date_pb2 import Date

from chassis.field_mask import masked_paths
from chassis.kernel.ids import parse_name
from chassis.kernel.machine import ActionState
from chassis.kernel.page import Page
from chassis.kernel.timetable import Span, Window, format_hhmm
from chassis.paging import next_page_token, page_request
from chassis.wire import optional_instant, optional_timestamp, write_actions
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1 import order_settings_pb2 as settings_pb
from parley.gating.v1.order_settings_version_pb2 import OrderSettingsVersion
from services.gating.app.sellers import (
    ListOrderSettingsVersions,
    PlanView,
    SetSellerPlan,
    SettingsView,
    UpdateOrderSettings,
)
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.request_rules import (
    DEFAULT_REMINDER_POINTS,
    DEFAULT_REQUEST_TTL,
    ReofferPolicy,
)
from services.gating.domain.settings import (
    Audience,
    BypassPolicy,
    DayOverride,
    DayRule,
    GivenOverride,
    GivenWindow,
    OrderSettings,
    SettingsChange,
)
from services.gating.domain.settings_history import SettingsVersion

WireSettings = settings_pb.OrderSettings
WirePlan = settings_pb.SellerPlan

Reader = Callable[[WireSettings], dict[str, Any]]
"""Reads the fields of a SettingsChange."""

_MICROSECOND = timedelta(microseconds=1)
_NANOS_PER_MICROSECOND = 1000


def seller_of_settings(name: str, *, field: str) -> str:
    """`sellers/acme` out of `sellers/acme/orderSettings`."""
    (seller,) = parse_name(name, "sellers/*/orderSettings", field=field)
    return f"sellers/{seller}"


def get_order_settings_query(request: pb.GetOrderSettingsRequest) -> str:
    """The seller."""
    return seller_of_settings(request.name, field="name")


def update_order_settings_command(request: pb.UpdateOrderSettingsRequest) -> UpdateOrderSettings:
    """Only the fields that the mask names."""
    sent = request.order_settings
    seller = seller_of_settings(sent.name, field="order_settings.name")
    paths = masked_paths(request.update_mask, sent, updatable=_READERS)
    return UpdateOrderSettings(seller, _change(sent, paths), sent.etag)


def whole_change(sent: WireSettings, *, field: str) -> SettingsChange:
    """Every field, so that absent ones return to their defaults. `field`: where the caller wrote them."""
    return replace(_change(sent, _READERS), field=field)


def _change(sent: WireSettings, paths: Iterable[str]) -> SettingsChange:
    change = SettingsChange()
    for path in sorted(paths):
        change = replace(change, **_reader(path)(sent))
    return change


def _audience(value: WireSettings.Audience.ValueType) -> Audience:
    if value == WireSettings.AUDIENCE_UNSPECIFIED:
        return Audience.ALL_BUYERS
    return Audience(WireSettings.Audience.Name(value).removeprefix("AUDIENCE_"))


def _bypass_policy(value: WireSettings.BypassPolicy.ValueType) -> BypassPolicy:
    if value == WireSettings.BYPASS_POLICY_UNSPECIFIED:
        return BypassPolicy.OPEN_OFFER
    return BypassPolicy(WireSettings.BypassPolicy.Name(value).removeprefix("BYPASS_POLICY_"))


def _request_ttl(sent: WireSettings) -> timedelta:
    if not sent.HasField("request_ttl"):
        return DEFAULT_REQUEST_TTL
    ttl = sent.request_ttl
    return timedelta(seconds=ttl.seconds, microseconds=ttl.nanos // _NANOS_PER_MICROSECOND)


def _reminder_points(sent: WireSettings) -> tuple[int, ...]:
    if not sent.HasField("reminder_points"):
        return DEFAULT_REMINDER_POINTS
    return tuple(sent.reminder_points.elapsed_percents)


def _reoffer_policy(value: WireSettings.ReofferPolicy.ValueType) -> ReofferPolicy:
    if value == WireSettings.REOFFER_POLICY_UNSPECIFIED:
        return ReofferPolicy.ALLOW
    return ReofferPolicy(WireSettings.ReofferPolicy.Name(value).removeprefix("REOFFER_POLICY_"))


def _given_window(window: WireSettings.Window) -> GivenWindow:
    # DayOfWeek counts from MONDAY = 1.
    return GivenWindow(tuple(day - 1 for day in window.days), window.start, window.end)


def _given_override(override: WireSettings.Override) -> GivenOverride:
    day = override.date
    rule = {"open": DayRule.OPEN, "closed": DayRule.CLOSED}.get(
        override.WhichOneof("rule") or "", DayRule.WINDOWS
    )
    spans = tuple((span.start, span.end) for span in override.windows.spans)
    return GivenOverride(day.year, day.month, day.day, rule, spans, override.label)


_SCOPE_READERS: Final[Mapping[str, Reader]] = {
    "scope.all_packages": lambda sent: {"all_packages": sent.scope.all_packages},
    "scope.packages": lambda sent: {"packages": tuple(sent.scope.packages)},
}
_READERS: Final[Mapping[str, Reader]] = {
    "enabled": lambda sent: {"enabled": sent.enabled},
    "audience": lambda sent: {"audience": _audience(sent.audience)},
    "scope": lambda sent: {
        "all_packages": sent.scope.all_packages,
        "packages": tuple(sent.scope.packages),
    },
    "excluded_listings": lambda sent: {"excluded_listings": tuple(sent.excluded_listings)},
    "time_zone": lambda sent: {"time_zone": sent.time_zone},
    "windows": lambda sent: {"windows": tuple(_given_window(window) for window in sent.windows)},
    "overrides": lambda sent: {"overrides": tuple(_given_override(given) for given in sent.overrides)},
    "bypass_policy": lambda sent: {"bypass_policy": _bypass_policy(sent.bypass_policy)},
    "request_ttl": lambda sent: {"request_ttl": _request_ttl(sent)},
    "reminder_points": lambda sent: {"reminder_points": _reminder_points(sent)},
    "reoffer_policy": lambda sent: {"reoffer_policy": _reoffer_policy(sent.reoffer_policy)},
    "max_open_orders": lambda sent: {"max_open_orders": sent.max_open_orders},
    "capacity_only": lambda sent: {"capacity_only": sent.capacity_only},
}


def _reader(path: str) -> Reader:
    # `request_ttl.seconds` addresses a part of a value that only makes sense as a whole.
    return _SCOPE_READERS.get(path) or _READERS[path.partition(".")[0]]


def settings_message(settings: OrderSettings) -> WireSettings:
    """Settings without what depends on the caller."""
    message = WireSettings(
        name=settings.name,
        enabled=settings.enabled,
        audience=WireSettings.Audience.Value(f"AUDIENCE_{settings.audience.value}"),
        scope=WireSettings.Scope(all_packages=settings.scope.all_packages, packages=settings.scope.packages),
        excluded_listings=settings.excluded_listings,
        time_zone=settings.time_zone,
        windows=[_window(window) for window in settings.windows],
        overrides=[_override(override) for override in settings.overrides],
        bypass_policy=WireSettings.BypassPolicy.Value(f"BYPASS_POLICY_{settings.bypass_policy.value}"),
        reminder_points=WireSettings.ReminderPoints(elapsed_percents=settings.reminder_points),
        reoffer_policy=WireSettings.ReofferPolicy.Value(f"REOFFER_POLICY_{settings.reoffer_policy.value}"),
        max_open_orders=settings.max_open_orders,
        capacity_only=settings.capacity_only,
        settings_version=settings.version,
        etag=settings.etag,
        create_time=optional_timestamp(settings.create_time),
        update_time=optional_timestamp(settings.update_time),
    )
    seconds, rest = divmod(settings.request_ttl, timedelta(seconds=1))
    message.request_ttl.seconds = seconds
    message.request_ttl.nanos = rest // _MICROSECOND * _NANOS_PER_MICROSECOND
    return message


def _window(window: Window) -> WireSettings.Window:
    return WireSettings.Window(
        days=[cast("Any", day + 1) for day in sorted(window.days)],
        start=format_hhmm(window.start_minute),
        end=format_hhmm(window.end_minute),
    )


def _override(override: DayOverride) -> WireSettings.Override:
    day = override.date
    message = WireSettings.Override(
        date=Date(year=day.year, month=day.month, day=day.day), label=override.label
    )
    match override.rule:
        case DayRule.OPEN:
            message.open = True
        case DayRule.CLOSED:
            message.closed = True
        case DayRule.WINDOWS:
            message.windows.spans.extend(_span(span) for span in override.spans)
    return message


def _span(span: Span) -> WireSettings.Span:
    return WireSettings.Span(start=format_hhmm(span.start_minute), end=format_hhmm(span.end_minute))


def settings_view_message(view: SettingsView) -> WireSettings:
    """Settings as a caller sees them."""
    message = settings_message(view.settings)
    inactive = view.settings.inactive_reason(entitled=view.plan.entitled(view.now))
    if inactive is not None:
        message.inactive_reason = WireSettings.InactiveReason.Value(f"INACTIVE_REASON_{inactive.value}")
    action = ActionState("update", view.may_update, "" if view.may_update else "PERMISSION_DENIED")
    write_actions(message, [action], explanations={"PERMISSION_DENIED": "only the seller's owner saves them"})
    return message


def get_order_settings_response(view: SettingsView) -> pb.GetOrderSettingsResponse:
    """The settings."""
    return pb.GetOrderSettingsResponse(order_settings=settings_view_message(view))


def update_order_settings_response(view: SettingsView) -> pb.UpdateOrderSettingsResponse:
    """The settings, and which windows were split."""
    return pb.UpdateOrderSettingsResponse(
        order_settings=settings_view_message(view), split_windows=view.split_windows
    )


def list_order_settings_versions_query(
    request: pb.ListOrderSettingsVersionsRequest,
) -> ListOrderSettingsVersions:
    """Whose history, from where on."""
    seller = seller_of_settings(request.parent, field="parent")
    return ListOrderSettingsVersions(seller, page_request(request))


def list_order_settings_versions_response(
    request: pb.ListOrderSettingsVersionsRequest, page: Page[SettingsVersion]
) -> pb.ListOrderSettingsVersionsResponse:
    """A page, and where to go on."""
    return pb.ListOrderSettingsVersionsResponse(
        versions=[
            OrderSettingsVersion(
                settings_version=version.settings.version,
                save_time=optional_timestamp(version.settings.update_time),
                author=version.author,
                order_settings=settings_message(version.settings),
                changed_paths=version.changed_paths,
            )
            for version in page.items
        ],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def set_seller_plan_command(request: pb.SetSellerPlanRequest) -> SetSellerPlan:
    """The plan that the operator wants."""
    parse_name(request.name, "sellers/*")
    tier = Tier(WirePlan.Tier.Name(request.tier).removeprefix("TIER_"))
    return SetSellerPlan(request.name, tier, optional_instant(request, "expire_time"), request.etag)


def plan_message(plan: SellerPlan, *, entitled: bool) -> WirePlan:
    """A plan."""
    return WirePlan(
        seller=plan.seller,
        tier=WirePlan.Tier.Value(f"TIER_{plan.tier.value}"),
        expire_time=optional_timestamp(plan.expire_time),
        entitled=entitled,
        etag=plan.etag,
    )


def set_seller_plan_response(view: PlanView) -> pb.SetSellerPlanResponse:
    """The plan."""
    return pb.SetSellerPlanResponse(plan=plan_message(view.plan, entitled=view.plan.entitled(view.now)))
