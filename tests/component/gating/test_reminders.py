"""Reminders of requests that wait for the seller."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.service import Backends, refused
from chassis.wire import timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1.order_request_pb2 import OrderRequest
from parley.gating.v1.order_settings_pb2 import OrderSettings
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from tests.component.gating.conftest import OWNER, Seconds, World, hours, world_of
from tests.component.gating.moves import answer, ask, withdraw

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


async def reminders(world: World, name: str) -> list[tuple[int, int]]:
    """Which reminders were recorded: the number and the point."""
    return [
        (event.reminder, event.elapsed_percent)
        for event in await world.events(name)
        if isinstance(event, gating_events.OrderRequestReminded)
    ]


def points(*percents: int) -> OrderSettings.ReminderPoints:
    return OrderSettings.ReminderPoints(elapsed_percents=percents)


@pytest.mark.covers("X05")
async def test_the_seller_is_reminded_at_two_points(world: World) -> None:
    saved = await world.close_gate(request_ttl=hours(10))
    assert [*saved.reminder_points.elapsed_percents] == [50, 90]
    created = await world.submit()
    start = world.clock.now()
    assert (created.reminder_count, created.next_reminder_time) == (0, timestamp(start + 5 * HOUR))
    await world.service.advance(5 * HOUR - TICK)
    assert await reminders(world, created.name) == []
    await world.service.advance(TICK)
    assert await reminders(world, created.name) == [(1, 50)]
    seen = await world.read(created.name, OWNER)
    assert (seen.state, seen.reminder_count) == (OrderRequest.STATE_PENDING, 1)
    assert (seen.next_reminder_time, seen.expire_time) == (
        timestamp(start + 9 * HOUR),
        timestamp(start + 10 * HOUR),
    )
    await world.service.advance(4 * HOUR)
    assert await reminders(world, created.name) == [(1, 50), (2, 90)]
    assert not (await world.read(created.name)).HasField("next_reminder_time")
    await world.service.advance(HOUR)
    assert (await world.read(created.name)).state == OrderRequest.STATE_EXPIRED
    assert len(await reminders(world, created.name)) == 2


@pytest.mark.covers("X05")
async def test_the_points_are_the_sellers_choice_and_requests_keep_theirs(world: World) -> None:
    await world.close_gate(request_ttl=hours(10), reminder_points=points(80, 20))
    first = await world.submit()
    await world.save("reminder_points", reminder_points=points())
    second = await world.submit(package=f"{first.package.rpartition('/')[0]}/premium")
    assert not second.HasField("next_reminder_time")
    await world.service.advance(2 * HOUR)
    assert await reminders(world, first.name) == [(1, 20)]
    await world.service.advance(6 * HOUR)
    assert await reminders(world, first.name) == [(1, 20), (2, 80)]
    assert await reminders(world, second.name) == []
    kept = await world.save("reminder_points")
    assert [*kept.order_settings.reminder_points.elapsed_percents] == [50, 90]


@pytest.mark.parametrize("percents", [(0,), (100,), (50, 50), (10, 20, 30)])
async def test_points_lie_inside_and_are_two_at_most(world: World, percents: tuple[int, ...]) -> None:
    found = await refused(world.save("reminder_points", reminder_points=points(*percents)))
    assert (found.kind, found.reason) == ("invalid", "VALIDATION_FAILED")


@pytest.mark.covers("X05", "X21")
async def test_the_clock_of_reminders_rests_with_the_deadline(world: World) -> None:
    await world.close_gate(request_ttl=hours(10))
    name = (await world.submit()).name
    await world.service.advance(4 * HOUR)
    assert not (await ask(world, name)).HasField("next_reminder_time")
    await world.service.advance(100 * HOUR)
    assert await reminders(world, name) == []
    answered = await answer(world, name)
    assert answered.next_reminder_time == timestamp(world.clock.now() + HOUR)
    await world.service.advance(HOUR)
    assert await reminders(world, name) == [(1, 50)]
    # A second rest between the two points moves only the second one.
    await ask(world, name)
    await world.service.advance(100 * HOUR)
    assert (await answer(world, name)).next_reminder_time == timestamp(world.clock.now() + 4 * HOUR)
    await world.service.advance(4 * HOUR)
    assert await reminders(world, name) == [(1, 50), (2, 90)]


@pytest.mark.covers("X05")
@pytest.mark.parametrize(("down", "expected"), [(6, [(1, 50)]), (9.5, [(1, 50), (2, 90)]), (10, [])])
async def test_reminders_come_although_every_process_was_down(
    backends: Backends, seconds: Seconds, clock: Any, down: float, expected: list[tuple[int, int]]
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate(request_ttl=hours(10))
        name = (await world.submit()).name
    clock.advance(down * HOUR)
    async with world_of(backends, clock, seconds, dsn=dsn) as later:
        await later.service.settle()
        assert await reminders(later, name) == expected
        state = (await later.read(name)).state
        assert state == (OrderRequest.STATE_EXPIRED if down == 10 else OrderRequest.STATE_PENDING)
    async with world_of(backends, clock, seconds, dsn=dsn) as again:
        await again.service.settle()
        assert await reminders(again, name) == expected


async def test_two_replicas_remind_once(backends: Backends, seconds: Seconds, clock: Any) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with (
        world_of(backends, clock, seconds, dsn=dsn) as one,
        world_of(backends, clock, seconds, dsn=dsn) as two,
    ):
        await one.close_gate(request_ttl=hours(10))
        name = (await one.submit()).name
        clock.advance(9 * HOUR)
        await asyncio.gather(*(world.service.host.timers.run_due() for world in (one, two) for _ in range(3)))
        await asyncio.gather(one.service.settle(), two.service.settle())
        assert await reminders(one, name) == [(1, 50), (2, 90)]


@pytest.mark.parametrize("attempt", range(5))
async def test_a_reminder_and_a_move_at_the_same_instant(world: World, attempt: int) -> None:
    await world.close_gate(request_ttl=hours(10))
    name = (await world.submit()).name
    world.clock.advance(5 * HOUR)
    await asyncio.gather(world.service.host.timers.run_due(), withdraw(world, name))
    await world.service.settle()
    assert (await world.read(name)).state == OrderRequest.STATE_WITHDRAWN
    told = await reminders(world, name)
    assert told in ([], [(1, 50)])
    names = [type(event).__name__ for event in await world.events(name)]
    assert names[-1] == "OrderRequestWithdrawn"
    assert await world.rows("SELECT 1 FROM timer WHERE kind LIKE 'order_request%'") == []


async def test_an_offer_silences_reminders_and_its_end_begins_anew(world: World) -> None:
    await world.close_gate(request_ttl=hours(10))
    name = (await world.submit()).name
    await world.service.advance(5 * HOUR)
    await world.tell_offer(offers_events.OfferSent, request=name)
    await world.service.advance(100 * HOUR)
    assert await reminders(world, name) == [(1, 50)]
    await world.tell_offer(offers_events.OfferDeclined, request=name, version=3, state=Offer.STATE_DECLINED)
    reopened = await world.read(name)
    assert (reopened.reminder_count, reopened.next_reminder_time) == (
        0,
        timestamp(world.clock.now() + 5 * HOUR),
    )
    await world.service.advance(5 * HOUR)
    assert await reminders(world, name) == [(1, 50), (1, 50)]
