"""Several hands on one request at once, and the clock among them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, refused
from chassis.wire import timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1.order_request_pb2 import OrderRequest
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from tests.component.gating.conftest import ONE_DAY, OWNER, Seconds, World, hours, world_of
from tests.component.gating.moves import answer, ask, close, decline, dismiss, timers, withdraw

TICK = timedelta(microseconds=1)
TEN_HOURS = timedelta(hours=10)

Move = Callable[..., Awaitable[OrderRequest]]


async def story(world: World, name: str) -> list[str]:
    """The names of what happened, in order, without the common beginning."""
    return [type(event).__name__.removeprefix("OrderRequest") for event in await world.events(name)]


async def outcomes(*calls: Awaitable[OrderRequest]) -> tuple[list[OrderRequest], list[BaseException]]:
    """What was answered and what was refused."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    won = [result for result in results if isinstance(result, OrderRequest)]
    return won, [result for result in results if isinstance(result, BaseException)]


async def reason_of(error: BaseException) -> tuple[str, str]:
    async def raised() -> Any:
        raise error

    found = await refused(raised())
    return found.reason, found.metadata.get("state", "")


@pytest.mark.covers("X02")
@pytest.mark.parametrize("move", [ask, decline, withdraw, close])
async def test_until_the_deadline_a_move_wins_and_from_it_on_the_clock(world: World, move: Move) -> None:
    await world.close_gate(request_ttl=hours(10))
    runner = world.service.host.timers
    name = (await world.submit()).name
    await world.service.advance(TEN_HOURS - TICK)
    moved, _, _ = await asyncio.gather(move(world, name), runner.run_due(), runner.run_due())
    world.clock.advance(ONE_DAY)
    await world.service.settle()
    assert (await world.read(name)).state == moved.state
    assert "Expired" not in await story(world, name)

    if moved.state == OrderRequest.STATE_INFO_REQUESTED:
        await withdraw(world, name)
    late = (await world.submit()).name
    await world.service.advance(TEN_HOURS - TICK)
    world.clock.advance(TICK)
    calls = [move(world, late) for _ in range(3)]
    (won, lost), _ = await asyncio.gather(outcomes(*calls), runner.run_due())
    assert won == []
    for error in lost:
        assert await reason_of(error) == ("TRANSITION_FORBIDDEN", "EXPIRED")
    assert await story(world, late) == ["Submitted", "Reminded", "Reminded", "Expired"]
    assert await timers(world) == []


@pytest.mark.parametrize(("first", "move"), [(None, ask), (ask, answer), (None, decline), (None, close)])
async def test_of_many_who_do_the_same_one_does_it(world: World, first: Move | None, move: Move) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    if first is not None:
        await first(world, name)
    before = await story(world, name)
    won, lost = await outcomes(*(move(world, name) for _ in range(20)))
    assert len(won) == 1
    for error in lost:
        assert (await reason_of(error))[0] == "TRANSITION_FORBIDDEN"
    assert len(await story(world, name)) == len(before) + 1


@pytest.mark.covers("X21")
@pytest.mark.parametrize("attempt", range(3))
async def test_an_answer_races_with_ends(world: World, attempt: int) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    await ask(world, name)
    won, lost = await outcomes(answer(world, name), withdraw(world, name), decline(world, name))
    # The answer may come first and leave a request that still can end; two ends cannot both be.
    assert len(won) + len(lost) == 3
    seen, told = await world.read(name), await story(world, name)
    assert told[-1] in {"Withdrawn", "Declined"}
    assert len([step for step in told if step in {"Withdrawn", "Declined"}]) == 1
    assert seen.etag == f"v{len(told)}"
    assert (seen.expire_time.seconds, await timers(world)) == (0, [])


@pytest.mark.covers("G11", "G34")
@pytest.mark.parametrize("attempt", range(3))
async def test_an_offer_at_the_very_deadline_leads_to_one_order_at_most(world: World, attempt: int) -> None:
    await world.close_gate(request_ttl=hours(10))
    name = (await world.submit()).name
    await world.service.advance(TEN_HOURS - TICK)
    await world.tell_offer(offers_events.OfferSent, request=name, settle=False)
    world.clock.advance(TICK)
    await asyncio.gather(world.service.host.timers.run_due(), world.service.settle())
    # The offer was sent in time, so it counts whoever came first.
    assert (await world.read(name)).state == OrderRequest.STATE_OFFERED
    accepted: dict[str, Any] = {"request": name, "version": 3, "state": Offer.STATE_ACCEPTED}
    for _ in range(3):
        await world.tell_offer(offers_events.OfferAccepted, settle=False, **accepted)
    await world.service.settle()
    assert (await world.read(name)).state == OrderRequest.STATE_CONVERTED
    told = await story(world, name)
    assert (told.count("Converted"), told[-1]) == (1, "Converted")


@pytest.mark.covers("G34")
async def test_an_offer_of_which_gating_hears_late_is_the_answer_all_the_same(world: World) -> None:
    await world.close_gate(request_ttl=hours(10))
    name = (await world.submit()).name
    sent = world.clock.now()
    await world.service.advance(TEN_HOURS)
    await dismiss(world, name)
    world.clock.set(sent)
    await world.tell_offer(offers_events.OfferSent, request=name, settle=False)
    world.clock.set(sent + TEN_HOURS)
    await world.service.settle()
    seen = await world.read(name, OWNER)
    assert (seen.state, seen.dismissed) == (OrderRequest.STATE_OFFERED, False)
    assert seen.first_response_time == timestamp(sent)
    assert await timers(world) == []
    declined: dict[str, Any] = {"request": name, "version": 3, "state": Offer.STATE_DECLINED}
    await world.tell_offer(offers_events.OfferDeclined, **declined)
    reopened = await world.read(name)
    assert reopened.expire_time == timestamp(world.clock.now() + TEN_HOURS)


async def test_a_late_offer_does_not_open_a_second_request_beside_another(world: World) -> None:
    await world.close_gate(request_ttl=hours(10))
    first = (await world.submit()).name
    await world.service.advance(TEN_HOURS)
    second = (await world.submit()).name
    await world.tell_offer(offers_events.OfferSent, request=first)
    assert (await world.read(first)).state == OrderRequest.STATE_EXPIRED
    assert (await world.read(second)).state == OrderRequest.STATE_PENDING
    accepted: dict[str, Any] = {"request": first, "version": 3, "state": Offer.STATE_ACCEPTED}
    await world.tell_offer(offers_events.OfferAccepted, **accepted)
    assert (await world.read(first)).state == OrderRequest.STATE_CONVERTED
    assert await world.rows("SELECT 1 FROM dead_letter") == []


@pytest.mark.covers("G11")
@pytest.mark.parametrize("end", [withdraw, decline, close])
async def test_an_acceptance_and_an_end_at_once_are_one_order(world: World, end: Move) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    accepted: dict[str, Any] = {"request": name, "version": 3, "state": Offer.STATE_ACCEPTED}
    told = world.tell_offer(offers_events.OfferAccepted, settle=False, **accepted)
    await asyncio.gather(told, end(world, name), return_exceptions=True)
    await world.service.settle()
    seen = await world.read(name)
    assert seen.state == OrderRequest.STATE_CONVERTED
    assert seen.order == "orders/01900000-0000-7000-8000-000000000001"
    assert (await story(world, name)).count("Converted") == 1


@pytest.mark.covers("X05")
async def test_a_deadline_fires_once_although_every_process_was_down(
    backends: Backends, seconds: Seconds, clock: ManualClock
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate(request_ttl=hours(10))
        name = (await world.submit()).name
    clock.advance(3 * ONE_DAY)
    async with (
        world_of(backends, clock, seconds, dsn=dsn) as one,
        world_of(backends, clock, seconds, dsn=dsn) as two,
    ):
        await asyncio.gather(one.service.settle(), two.service.settle())
        assert (await one.read(name)).state == OrderRequest.STATE_EXPIRED
        event: Any = (await one.events(name))[-1]
        assert isinstance(event, gating_events.OrderRequestExpired)
        assert await story(one, name) == ["Submitted", "Expired"]
        assert await one.rows("SELECT 1 FROM timer WHERE kind LIKE 'order_request%'") == []
        # There is room for another one at once.
        assert (await two.submit()).name != name
