"""Order settings, plans and availability through the API."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.testing.service import refused, service
from chassis.wire import timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_settings_pb2 import OrderSettings, SellerPlan
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    LISTING,
    OPERATOR,
    OWNER,
    PACKAGE,
    SELLER,
    SETTINGS,
    STRANGER,
    World,
    hours,
    windows,
)


async def get(world: World, who: Any = OWNER) -> OrderSettings:
    response = await world.stub(who).GetOrderSettings(pb.GetOrderSettingsRequest(name=SETTINGS))
    found: OrderSettings = response.order_settings
    return found


@pytest.mark.covers("G13")
async def test_the_defaults_before_the_first_save(world: World) -> None:
    found = await get(world)
    assert (found.name, found.etag, found.settings_version, found.enabled) == (SETTINGS, "v0", 0, False)
    assert (found.audience, found.time_zone) == (OrderSettings.AUDIENCE_ALL_BUYERS, "UTC")
    assert found.bypass_policy == OrderSettings.BYPASS_POLICY_OPEN_OFFER
    assert found.request_ttl.seconds == 7 * 24 * 3600
    assert found.inactive_reason == OrderSettings.INACTIVE_REASON_SWITCHED_OFF
    assert not found.HasField("create_time")


@pytest.mark.covers("G13", "G14", "G15", "G16", "G17", "G18", "G19")
async def test_everything_is_saved_at_once_and_read_back(world: World) -> None:
    await world.make_premium()
    wanted = OrderSettings(
        name=SETTINGS,
        enabled=True,
        audience=OrderSettings.AUDIENCE_NEW_BUYERS,
        scope=OrderSettings.Scope(packages=[PACKAGE]),
        excluded_listings=[f"{SELLER}/listings/other"],
        time_zone="Asia/Kathmandu",
        windows=windows(("08:00", "12:30"), days=[1, 5]),
        overrides=[
            OrderSettings.Override(date=Date(year=2026, month=12, day=24), closed=True, label="Christmas"),
            OrderSettings.Override(
                date=Date(year=2026, month=12, day=31),
                windows=OrderSettings.Spans(spans=[OrderSettings.Span(start="10:00", end="24:00")]),
            ),
        ],
        bypass_policy=OrderSettings.BYPASS_POLICY_NEVER,
        request_ttl=hours(1.5),
        max_open_orders=5,
        capacity_only=True,
    )
    request = pb.UpdateOrderSettingsRequest(order_settings=wanted, update_mask=FieldMask(paths=["*"]))
    saved = (await world.stub(OWNER).UpdateOrderSettings(request)).order_settings
    assert saved == await get(world)
    assert (saved.settings_version, saved.etag) == (1, "v1")
    assert saved.create_time == saved.update_time == timestamp(world.clock.now())
    assert saved.inactive_reason == OrderSettings.INACTIVE_REASON_UNSPECIFIED
    for field in ("enabled", "audience", "scope", "excluded_listings", "time_zone", "windows", "overrides"):
        assert getattr(saved, field) == getattr(wanted, field)
    assert (saved.bypass_policy, saved.request_ttl) == (wanted.bypass_policy, wanted.request_ttl)
    assert (saved.max_open_orders, saved.capacity_only) == (5, True)
    (event,) = await world.events(SETTINGS)
    assert isinstance(event, gating_events.OrderSettingsSaved)
    assert event.order_settings.windows == wanted.windows
    assert not event.order_settings.allowed_actions
    subjects = await world.rows("SELECT subject FROM outbox WHERE aggregate = :name", name=SETTINGS)
    assert subjects[0].subject == "parley.gating.v1.ordersettings.saved.acme"


@pytest.mark.covers("G19")
async def test_a_mask_changes_what_it_names_only(world: World) -> None:
    await world.save(enabled=True, time_zone="Europe/Berlin", request_ttl=hours(2))
    one = (await world.save("time_zone", enabled=False, time_zone="Europe/Rome")).order_settings
    assert (one.enabled, one.time_zone, one.request_ttl) == (True, "Europe/Rome", hours(2))
    two = (await world.save("request_ttl", "enabled")).order_settings
    assert (two.enabled, two.request_ttl) == (False, hours(168))
    three = (await world.save("scope.packages", scope=OrderSettings.Scope(packages=[PACKAGE]))).order_settings
    assert three.scope.packages == [PACKAGE]
    four = (await world.save("*")).order_settings
    assert (four.time_zone, [*four.scope.packages], four.settings_version) == ("UTC", [], 5)


async def test_every_version_is_kept(world: World) -> None:
    await world.save(enabled=True)
    await world.save(time_zone="Europe/Berlin")
    rows = await world.rows("SELECT version, document FROM order_settings_version ORDER BY version")
    documents = [row.document if isinstance(row.document, dict) else json.loads(row.document) for row in rows]
    assert [document["time_zone"] for document in documents] == ["UTC", "Europe/Berlin"]


@pytest.mark.covers("G19")
async def test_a_save_that_changes_nothing_writes_nothing(world: World) -> None:
    await world.save(enabled=True, windows=windows(("21:00", "06:00")))
    before = await world.contents()
    again = await world.save(enabled=True, windows=windows(("21:00", "06:00")))
    assert again.order_settings.settings_version == 1
    assert again.split_windows == ["MON,TUE,WED,THU,FRI,SAT,SUN 21:00-06:00"]
    assert await world.contents() == before


@pytest.mark.covers("G21")
async def test_a_wrapping_window_is_split_and_says_so(world: World) -> None:
    response = await world.save(
        windows=[*windows(("21:00", "06:00"), days=[5]), *windows(("20:00", "00:00"))]
    )
    assert response.split_windows == ["FRI 21:00-06:00"]
    stored = [([*w.days], w.start, w.end) for w in response.order_settings.windows]
    assert stored == [([5], "21:00", "24:00"), ([6], "00:00", "06:00"), ([*range(1, 8)], "20:00", "24:00")]


@pytest.mark.covers("G19")
async def test_of_two_saves_with_one_etag_one_wins(world: World) -> None:
    for etag, zones in (("v0", ("Europe/Berlin", "Europe/Rome")), ("v1", ("Asia/Tokyo", "Asia/Seoul"))):
        calls = [world.save("time_zone", etag=etag, time_zone=zone) for zone in zones]
        results = await asyncio.gather(*calls, return_exceptions=True)
        won = [result for result in results if not isinstance(result, BaseException)]
        lost = [await refused(_again(result)) for result in results if isinstance(result, BaseException)]
        assert len(won) == len(lost) == 1
        assert (lost[0].kind, lost[0].reason) == ("stale", "ETAG_MISMATCH")
    assert (await get(world)).settings_version == 2


async def _again(error: BaseException) -> Any:
    raise error


async def test_first_saves_without_etag_all_count(world: World) -> None:
    zones = ["Europe/Berlin", "Europe/Rome", "Asia/Tokyo", "Asia/Seoul", "America/Lima"]
    await asyncio.gather(*(world.save("time_zone", time_zone=zone) for zone in zones))
    assert (await get(world)).settings_version == len(zones)
    rows = await world.rows("SELECT version FROM order_settings_version ORDER BY version")
    assert [row.version for row in rows] == [1, 2, 3, 4, 5]


@pytest.mark.covers("G04", "G14")
async def test_saving_works_without_entitlement_and_says_what_is_missing(world: World) -> None:
    scope = OrderSettings.Scope(all_packages=True)
    saved = (await world.save(enabled=True, scope=scope)).order_settings
    assert saved.inactive_reason == OrderSettings.INACTIVE_REASON_NOT_ENTITLED
    await world.make_premium()
    assert (await get(world)).inactive_reason == OrderSettings.INACTIVE_REASON_UNSPECIFIED
    emptied = (await world.save("scope")).order_settings
    assert emptied.inactive_reason == OrderSettings.INACTIVE_REASON_EMPTY_SCOPE
    off = (await world.save("enabled")).order_settings
    assert off.inactive_reason == OrderSettings.INACTIVE_REASON_SWITCHED_OFF


@pytest.mark.covers("X06")
async def test_each_caller_learns_what_he_may_do(world: World) -> None:
    assert [*(await get(world, OWNER)).allowed_actions] == ["update"]
    for who in (AGENT, OPERATOR, service("offers")):
        found = await get(world, who)
        assert not found.allowed_actions
        (missing,) = found.unavailable_actions
        assert (missing.action, missing.reason) == ("update", "PERMISSION_DENIED")
        assert missing.explanation == "only the seller's owner saves them"


@pytest.mark.covers("X01")
async def test_a_repeated_save_answers_what_it_answered_first(world: World) -> None:
    settings = OrderSettings(name=SETTINGS, enabled=True)
    request = pb.UpdateOrderSettingsRequest(order_settings=settings, request_id=world.key())
    first = await world.stub(OWNER).UpdateOrderSettings(request)
    await world.save(time_zone="Europe/Berlin")
    before = await world.contents()
    assert await world.stub(OWNER).UpdateOrderSettings(request) == first
    request.order_settings.enabled = False
    request.order_settings.time_zone = "Europe/Rome"
    assert (await refused(world.stub(OWNER).UpdateOrderSettings(request))).reason == "REQUEST_ID_REUSED"
    assert await world.contents() == before


async def test_a_plan_is_set_by_the_operator(world: World) -> None:
    until = world.clock.now() + timedelta(days=30)
    request = pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_PREMIUM, expire_time=timestamp(until))
    plan = (await world.stub(OPERATOR).SetSellerPlan(request)).plan
    assert (plan.seller, plan.entitled, plan.etag, plan.expire_time) == (SELLER, True, "v1", timestamp(until))
    assert (await world.stub(OPERATOR).SetSellerPlan(request)).plan.etag == "v1"
    (event,) = await world.events(f"{SELLER}/plan")
    assert isinstance(event, gating_events.SellerPlanSet)
    assert (event.version, event.plan.tier) == (1, SellerPlan.TIER_PREMIUM)
    basic = pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_BASIC, etag="v1")
    assert not (await world.stub(OPERATOR).SetSellerPlan(basic)).plan.entitled
    assert (await refused(world.stub(OPERATOR).SetSellerPlan(basic))).reason == "ETAG_MISMATCH"


@pytest.mark.covers("G29")
async def test_availability_of_a_seller_and_a_listing_are_apart(world: World) -> None:
    await world.tell_listing()
    for name in (SELLER, LISTING):
        request = pb.SetAvailabilityRequest(name=name, available=False, messages_closed=True)
        found = (await world.stub(AGENT).SetAvailability(request)).availability
        assert (found.name, found.available, found.messages_closed, found.etag) == (name, False, True, "v1")
    aggregates = await world.rows("SELECT aggregate, subject FROM outbox ORDER BY aggregate")
    assert [(row.aggregate, row.subject) for row in aggregates] == [
        (f"{SELLER}/availability", "parley.gating.v1.availability.set.acme"),
        (f"{LISTING}/availability", "parley.gating.v1.availability.set.logo"),
    ]


async def test_only_a_listing_that_exists_has_an_availability(world: World) -> None:
    request = pb.SetAvailabilityRequest(name=f"{SELLER}/listings/none", available=False)
    assert (await refused(world.stub(OWNER).SetAvailability(request))).reason == "NOT_FOUND"


@pytest.mark.parametrize(
    ("who", "method", "reason"),
    [
        (STRANGER, "GetOrderSettings", "NOT_FOUND"),
        (STRANGER, "UpdateOrderSettings", "NOT_FOUND"),
        (STRANGER, "SetSellerPlan", "NOT_FOUND"),
        (STRANGER, "SetAvailability", "NOT_FOUND"),
        (ANA, "GetOrderSettings", "NOT_FOUND"),
        (AGENT, "UpdateOrderSettings", "PERMISSION_DENIED"),
        (OWNER, "SetSellerPlan", "PERMISSION_DENIED"),
        (OPERATOR, "UpdateOrderSettings", "NOT_FOUND"),
        (OPERATOR, "SetAvailability", "NOT_FOUND"),
    ],
)
async def test_who_may_not(world: World, who: Any, method: str, reason: str) -> None:
    requests = {
        "GetOrderSettings": pb.GetOrderSettingsRequest(name=SETTINGS),
        "UpdateOrderSettings": pb.UpdateOrderSettingsRequest(
            order_settings=OrderSettings(name=SETTINGS, enabled=True)
        ),
        "SetSellerPlan": pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_PREMIUM),
        "SetAvailability": pb.SetAvailabilityRequest(name=SELLER),
    }
    before = await world.contents()
    assert (await refused(getattr(world.stub(who), method)(requests[method]))).reason == reason
    assert await world.contents() == before
