"""Who saved which settings when, through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.service import refused, seller, service
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_settings_pb2 import OrderSettings
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    LISTING,
    OPERATOR,
    OWNER,
    PACKAGE,
    SETTINGS,
    STRANGER,
    World,
    windows,
)


async def versions(world: World, who: Any = OWNER, **fields: Any) -> pb.ListOrderSettingsVersionsResponse:
    request = pb.ListOrderSettingsVersionsRequest(parent=SETTINGS, **fields)
    found: pb.ListOrderSettingsVersionsResponse = await world.stub(who).ListOrderSettingsVersions(request)
    return found


@pytest.mark.covers("G19", "G37")
async def test_every_save_is_listed_with_its_author_and_what_it_changed(world: World) -> None:
    assert await versions(world) == pb.ListOrderSettingsVersionsResponse()
    began = world.clock.now()
    scope = OrderSettings.Scope(packages=[PACKAGE])
    deputy = seller("acme", user="deputy")
    request = pb.UpdateOrderSettingsRequest(
        order_settings=OrderSettings(name=SETTINGS, enabled=True, scope=scope)
    )
    first = (await world.stub(deputy).UpdateOrderSettings(request)).order_settings
    world.clock.advance(timedelta(hours=1))
    # The same again is no version.
    await world.save(enabled=True)
    second = (await world.save("windows", windows=windows(("21:00", "06:00")))).order_settings
    found = await versions(world)
    assert not found.next_page_token
    newest, oldest = found.versions
    assert (newest.settings_version, oldest.settings_version) == (2, 1)
    assert newest.save_time == timestamp(began + timedelta(hours=1))
    assert oldest.save_time == timestamp(began)
    assert (newest.author, oldest.author) == ("users/acme-owner", "users/deputy")
    assert list(newest.changed_paths) == ["windows"]
    assert list(oldest.changed_paths) == ["enabled", "scope.packages"]
    for version, saved in ((newest, second), (oldest, first)):
        expected = OrderSettings()
        expected.CopyFrom(saved)
        for field in ("inactive_reason", "allowed_actions", "unavailable_actions"):
            expected.ClearField(field)
        assert version.order_settings == expected


async def test_the_history_is_paged_by_key(world: World) -> None:
    zones = ("Europe/Berlin", "Europe/Rome", "Asia/Tokyo", "Asia/Seoul", "America/Lima")
    for zone in zones:
        await world.save("time_zone", time_zone=zone)
    first = await versions(world, page_size=2)
    assert [version.settings_version for version in first.versions] == [5, 4]
    # A save in between moves nothing.
    await world.save("enabled", enabled=True)
    second = await versions(world, page_size=2, page_token=first.next_page_token)
    assert [version.settings_version for version in second.versions] == [3, 2]
    assert [[*version.changed_paths] for version in second.versions] == [["time_zone"], ["time_zone"]]
    third = await versions(world, page_size=2, page_token=second.next_page_token)
    assert [version.settings_version for version in third.versions] == [1]
    assert not third.next_page_token
    whole = await versions(world, page_size=6)
    assert [version.settings_version for version in whole.versions] == [6, 5, 4, 3, 2, 1]
    assert not whole.next_page_token
    other = pb.ListOrderSettingsVersionsRequest(
        parent="sellers/zeta/orderSettings", page_token=first.next_page_token
    )
    refusal = await refused(world.stub(seller("zeta")).ListOrderSettingsVersions(other))
    assert refusal.reason == "PAGE_TOKEN_INVALID"


async def test_large_versions_make_short_pages(world: World) -> None:
    packages = [f"{LISTING}/packages/{'p' * 200}{number}" for number in range(1000)]
    for count in range(6):
        scope = OrderSettings.Scope(packages=packages[count:])
        await world.save("scope", scope=scope)
    seen, token = [], ""
    while True:
        page = await versions(world, page_token=token)
        assert 0 < len(page.versions) < 6
        seen += [(version.settings_version, [*version.changed_paths]) for version in page.versions]
        token = page.next_page_token
        if not token:
            break
    assert seen == [(number, ["scope.packages"]) for number in (6, 5, 4, 3, 2, 1)]


async def test_a_version_from_before_authors_were_kept_has_none(world: World) -> None:
    await world.save(enabled=True)
    await world.rows("UPDATE order_settings_version SET author = DEFAULT RETURNING version")
    (version,) = (await versions(world)).versions
    assert (version.author, list(version.changed_paths)) == ("", ["enabled"])


async def test_the_team_and_the_operator_read_it_and_nobody_else(world: World) -> None:
    await world.save(enabled=True)
    for who in (OWNER, AGENT, OPERATOR):
        assert len((await versions(world, who)).versions) == 1
    for who in (STRANGER, ANA, service("orders")):
        assert (await refused(versions(world, who))).reason == "NOT_FOUND"
