"""Ended requests taken off the list of the seller's team."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.service import refused
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_request_pb2 import OrderRequest
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BEN,
    ONE_DAY,
    OPERATOR,
    OTHER_PACKAGE,
    OWNER,
    SELLER,
    STRANGER,
    World,
)
from tests.component.gating.moves import ask, close, decline, dismiss, withdraw
from tests.component.gating.test_order_requests import paused_timers


async def listed(world: World, who: Any = OWNER, **fields: Any) -> list[str]:
    """The names in a list, the team's unless said otherwise, newest first."""
    request = pb.ListOrderRequestsRequest(**{"seller": SELLER, **fields})
    page = await world.stub(who).ListOrderRequests(request)
    return [found.name for found in page.order_requests]


@pytest.mark.covers("X05", "X06")
@pytest.mark.parametrize("end", [decline, withdraw, close])
async def test_what_is_over_can_be_dismissed_and_the_buyer_notices_nothing(world: World, end: Any) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    await end(world, name)
    assert [*(await world.read(name, OWNER)).allowed_actions] == ["dismiss"]
    before, events = await world.read(name), await world.events(name)
    world.clock.advance(timedelta(hours=1))
    found = await dismiss(world, name)
    assert (found.dismissed, found.state, found.etag) == (True, before.state, before.etag)
    assert "dismiss" in [action.action for action in found.unavailable_actions]
    assert not found.allowed_actions
    assert await world.read(name) == before
    assert await world.events(name) == events
    assert await listed(world) == []
    assert await listed(world, AGENT, show_dismissed=True) == [name]
    assert await listed(world, OPERATOR) == []
    assert await listed(world, ANA, seller="") == [name]
    assert await dismiss(world, name, OWNER) == found


@pytest.mark.covers("X05")
@pytest.mark.parametrize("state", ["pending", "info_requested", "offered"])
async def test_what_is_open_cannot_be_dismissed(world: World, state: str) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    if state == "info_requested":
        await ask(world, name)
    if state == "offered":
        await world.tell_offer(offers_events.OfferSent, request=name)
    before = await world.contents()
    found = await refused(dismiss(world, name))
    assert (found.kind, found.reason) == ("precondition", "TRANSITION_FORBIDDEN")
    assert (found.metadata["state"], found.metadata["action"]) == (state.upper(), "dismiss")
    assert await world.contents() == before


async def test_only_the_team_dismisses(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    await withdraw(world, name)
    before = await world.contents()
    for who, reason in (
        (ANA, "PERMISSION_DENIED"),
        (OPERATOR, "NOT_FOUND"),
        (BEN, "NOT_FOUND"),
        (STRANGER, "NOT_FOUND"),
    ):
        assert (await refused(dismiss(world, name, who))).reason == reason
    found = await refused(dismiss(world, name, etag="v1"))
    assert (found.kind, found.reason) == ("stale", "ETAG_MISMATCH")
    assert await world.contents() == before


@pytest.mark.covers("X01")
async def test_dismissing_is_repeated_by_its_key_and_by_many_at_once(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    await withdraw(world, name)
    key = world.key()
    answers = await asyncio.gather(
        *(dismiss(world, name, request_id=key) for _ in range(10)),
        *(dismiss(world, name, OWNER) for _ in range(10)),
    )
    assert all(given == answers[0] for given in answers)
    other = (await world.submit()).name
    await withdraw(world, other)
    assert (await refused(dismiss(world, other, request_id=key))).reason == "REQUEST_ID_REUSED"


async def test_what_is_over_by_its_time_is_dismissed_although_no_timer_ran(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    async with paused_timers(world):
        world.clock.advance(7 * ONE_DAY)
        assert (await dismiss(world, name)).state == OrderRequest.STATE_EXPIRED
        assert await listed(world) == []
    await world.service.settle()
    assert await listed(world) == []
    names = [type(event).__name__ for event in await world.events(name)]
    assert names == ["OrderRequestSubmitted", "OrderRequestExpired"]


@pytest.mark.parametrize("attempt", range(3))
async def test_dismissing_races_with_the_end(world: World, attempt: int) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    await asyncio.gather(withdraw(world, name), dismiss(world, name), return_exceptions=True)
    seen = await world.read(name, OWNER)
    assert seen.state == OrderRequest.STATE_WITHDRAWN
    assert await listed(world) == ([] if seen.dismissed else [name])


@pytest.mark.covers("G11")
async def test_an_order_after_all_brings_a_dismissed_request_back(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    await withdraw(world, name)
    await dismiss(world, name)
    accepted: dict[str, Any] = {"request": name, "version": 3, "state": Offer.STATE_ACCEPTED}
    await world.tell_offer(offers_events.OfferAccepted, **accepted)
    assert await listed(world) == [name]
    assert isinstance((await world.events(name))[-1], gating_events.OrderRequestConverted)
    seen = await world.read(name, OWNER)
    assert (seen.state, seen.dismissed) == (OrderRequest.STATE_CONVERTED, False)
    assert [*seen.allowed_actions] == ["dismiss"]


async def test_lists_with_and_without_states_and_dismissed_page_alike(world: World) -> None:
    await world.close_gate()
    names: list[str] = []
    for number in range(12):
        world.clock.advance(timedelta(seconds=number % 2))
        name = (await world.submit(package=OTHER_PACKAGE)).name
        names.insert(0, name)
        await (withdraw if number % 3 else decline)(world, name)
        if number % 4 == 0:
            await dismiss(world, name)
    rows = await world.rows(
        "SELECT id, state, dismissed FROM order_request ORDER BY create_time DESC, id DESC"
    )
    for states in ([], ["WITHDRAWN"], ["DECLINED", "WITHDRAWN", "PENDING"], ["DECLINED", "DECLINED"]):
        for show in (False, True):
            expected = [
                f"orderRequests/{row.id}"
                for row in rows
                if (not states or row.state.upper() in states) and (show or not row.dismissed)
            ]
            wanted = [OrderRequest.State.Value(f"STATE_{state}") for state in states]
            assert await paged(world, states=wanted, show_dismissed=show) == expected


async def paged(world: World, **fields: Any) -> list[str]:
    """A whole list of the team, by pages of two."""
    request = pb.ListOrderRequestsRequest(seller=SELLER, page_size=2, **fields)
    found: list[str] = []
    while True:
        page = await world.stub(OWNER).ListOrderRequests(request)
        found.extend(one.name for one in page.order_requests)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token
