"""Visits: who counts, once for each buyer, listing and local day."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.testing.service import refused, seller, service
from parley.gating.v1 import gating_service_pb2 as pb
from tests.component.gating.conftest import ANA, BEN, BUYER, LISTING, World, at, listing_message

ORDERS = service("orders")


async def visit(world: World, who: Any = ANA, name: str = LISTING, **fields: Any) -> pb.RecordVisitResponse:
    request = pb.RecordVisitRequest(name=name, **fields)
    response: pb.RecordVisitResponse = await world.stub(who).RecordVisit(request)
    return response


async def visits(world: World) -> list[tuple[str, str]]:
    rows = await world.rows("SELECT buyer, day FROM visit ORDER BY day, buyer")
    return [(row.buyer, row.day.isoformat()) for row in rows]


@pytest.mark.covers("G32")
async def test_a_buyer_counts_once_for_each_listing_and_day_in_the_sellers_zone(world: World) -> None:
    await world.close_gate(time_zone="America/New_York")
    world.clock.set(at("2026-06-02T03:59:00"))
    first = await visit(world)
    day = first.visit_date
    assert (first.counted, day.year, day.month, day.day) == (True, 2026, 6, 1)
    assert not (await visit(world)).counted
    assert (await visit(world, BEN)).counted
    world.clock.set(at("2026-06-02T04:00:00"))
    assert (await visit(world)).counted
    assert await visits(world) == [
        (BUYER, "2026-06-01"),
        ("users/ben", "2026-06-01"),
        (BUYER, "2026-06-02"),
    ]


async def test_a_service_names_the_buyer_and_nobody_else_may(world: World) -> None:
    await world.tell_listing()
    assert (await visit(world, ORDERS, buyer=BUYER)).counted
    assert not (await visit(world, ANA, buyer=BUYER)).counted
    assert (await refused(visit(world, ORDERS))).reason == "VALIDATION_FAILED"
    assert (await refused(visit(world, ANA, buyer="users/ben"))).reason == "PERMISSION_DENIED"
    assert (await refused(visit(world, seller("acme")))).reason == "PERMISSION_DENIED"
    assert await visits(world) == [(BUYER, "2026-06-01")]


async def test_only_published_listings_are_visited(world: World) -> None:
    assert (await refused(visit(world))).reason == "NOT_FOUND"
    await world.tell_listing()
    assert (await visit(world)).counted
    hidden = listing_message()
    hidden.published = False
    await world.tell_listing(hidden, version=2)
    assert (await refused(visit(world, BEN))).reason == "NOT_FOUND"


async def test_the_team_does_not_visit_itself(world: World) -> None:
    await world.tell_listing()
    member = type(ANA)("users/ana", ("buyer", "seller:acme:agent"))
    assert not (await visit(world, member)).counted
    assert await visits(world) == []


async def test_a_request_id_returns_the_first_answer(world: World) -> None:
    await world.tell_listing()
    first = await visit(world, request_id="once")
    assert first.counted
    assert await visit(world, request_id="once") == first
    again = await refused(visit(world, name=f"{LISTING}-two", request_id="once"))
    assert again.reason == "REQUEST_ID_REUSED"


async def test_one_of_many_visits_at_once_counts(world: World) -> None:
    await world.tell_listing()
    found = await asyncio.gather(*(visit(world) for _ in range(20)))
    assert [answer.counted for answer in found].count(True) == 1
    assert len(await visits(world)) == 1
