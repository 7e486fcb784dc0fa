"""Absences that are planned ahead, as sellers and buyers meet them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, refused
from chassis.wire import timestamp
from parley.gating.v1 import absence_pb2
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.absence_pb2 import Absence
from parley.gating.v1.events_pb2 import AbsenceCreated, AbsenceDeleted
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.gate_metrics_pb2 import ResponseRate
from parley.gating.v1.gate_simulation_pb2 import GateSimulation
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BEN,
    LISTING,
    NIGHTS,
    OPERATOR,
    OWNER,
    SELLER,
    SETTINGS,
    Seconds,
    World,
    windows,
    world_of,
)
from tests.component.gating.test_metrics import metrics

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
AWAY = GateDecision.OUTCOME_UNAVAILABLE
ASK = GateDecision.OUTCOME_REQUEST_REQUIRED


async def plan(
    world: World, start: datetime, end: datetime, *, parent: str = SELLER, **fields: Any
) -> Absence:
    """An agent plans an absence."""
    key = fields.pop("request_id", "")
    absence = Absence(start_time=timestamp(start), end_time=timestamp(end), **fields)
    request = absence_pb2.CreateAbsenceRequest(parent=parent, absence=absence, request_id=key)
    response: absence_pb2.CreateAbsenceResponse = await world.stub(AGENT).CreateAbsence(request)
    return response.absence


async def delete(world: World, name: str) -> None:
    await world.stub(OWNER).DeleteAbsence(absence_pb2.DeleteAbsenceRequest(name=name))


async def listed(world: World, parent: str = SELLER, **fields: Any) -> list[str]:
    request = absence_pb2.ListAbsencesRequest(parent=parent, **fields)
    response: absence_pb2.ListAbsencesResponse = await world.stub(OWNER).ListAbsences(request)
    return [absence.label for absence in response.absences]


async def outcome(world: World) -> Any:
    return (await world.evaluate()).outcome


async def come_back(world: World, name: str = SELLER) -> None:
    await world.stub(OWNER).SetAvailability(pb.SetAvailabilityRequest(name=name, available=True))


@pytest.mark.covers("X10", "G29")
@pytest.mark.parametrize("parent", [SELLER, LISTING])
async def test_a_vacation_begins_and_ends_by_itself(world: World, parent: str) -> None:
    await world.close_gate()
    now = world.clock.now()
    planned = await plan(world, now + DAY, now + 3 * DAY, parent=parent, label="Summer")
    assert planned.name.startswith(f"{parent}/absences/")
    assert (planned.author, planned.create_time) == ("users/acme-agent", timestamp(now))
    assert [*planned.allowed_actions] == ["delete"]
    decision = await world.evaluate()
    assert (decision.outcome, decision.next_change_time) == (ASK, timestamp(now + DAY))
    world.clock.set(now + DAY - TICK)
    assert await outcome(world) == ASK
    world.clock.set(now + DAY)
    decision = await world.evaluate()
    expected = "SELLER_UNAVAILABLE" if parent == SELLER else "LISTING_UNAVAILABLE"
    assert (decision.outcome, decision.reason) == (AWAY, GateDecision.Reason.Value(f"REASON_{expected}"))
    assert decision.unavailable_until == decision.next_change_time == timestamp(now + 3 * DAY)
    assert "Summer" not in str(decision)
    created = await world.submit()
    assert (created.arrived_while_unavailable, created.unavailable_until) == (True, timestamp(now + 3 * DAY))
    world.clock.set(now + 3 * DAY - TICK)
    assert await outcome(world) == AWAY
    world.clock.set(now + 3 * DAY)
    assert await outcome(world) == ASK
    assert not (await world.submit(BEN)).arrived_while_unavailable
    assert await listed(world, parent) == []


@pytest.mark.covers("X10")
async def test_closed_messages_take_no_requests_as_long_as_they_are_closed(world: World) -> None:
    await world.close_gate(windows=windows(*NIGHTS))
    now = world.clock.now()
    await plan(world, now + HOUR, now + 4 * HOUR)
    await plan(world, now + 2 * HOUR, now + 3 * HOUR, messages_closed=True)
    world.clock.set(now + HOUR)
    decision = await world.evaluate()
    assert (decision.messages_closed, decision.next_change_time) == (False, timestamp(now + 2 * HOUR))
    world.clock.set(now + 2 * HOUR)
    found = await refused(world.submit())
    assert (found.reason, found.metadata["unavailable_until"]) == ("UNAVAILABLE", "2026-06-01T16:00:00Z")
    assert found.metadata["next_change_time"] == "2026-06-01T15:00:00Z"
    world.clock.set(now + 3 * HOUR)
    assert (await world.submit()).arrived_while_unavailable


@pytest.mark.covers("X10")
async def test_an_absence_that_begins_while_nothing_runs(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    dsn = await backends.database("services.gating.migrations")
    start = clock.now()
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate()
        await plan(world, start + DAY, start + 2 * DAY)
        await plan(world, start + 3 * DAY, start + 4 * DAY)
    clock.set(start + DAY + HOUR)
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        assert await outcome(world) == AWAY
        assert (await world.submit()).unavailable_until == timestamp(start + 2 * DAY)
    clock.set(start + 5 * DAY)
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        assert await outcome(world) == ASK


@pytest.mark.covers("X06")
async def test_what_is_planned_is_listed_until_it_ends(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    for parent, hours, label in (
        (SELLER, (5, 6), "fourth"),
        (LISTING, (2, 8), "second"),
        (SELLER, (1, 3), "first"),
        (SELLER, (2, 4), "third"),
    ):
        await plan(world, now + hours[0] * HOUR, now + hours[1] * HOUR, parent=parent, label=label)
    assert await listed(world) == ["first", "third", "fourth"]
    assert await listed(world, LISTING) == await listed(world, LISTING, include_listings=True) == ["second"]
    request = absence_pb2.ListAbsencesRequest(parent=SELLER, page_size=3, include_listings=True)
    page = await world.stub(OPERATOR).ListAbsences(request)
    assert [absence.label for absence in page.absences] == ["first", "second", "third"]
    (missing,) = page.absences[0].unavailable_actions
    assert (missing.action, missing.reason, bool(missing.explanation)) == (
        "delete",
        "PERMISSION_DENIED",
        True,
    )
    of_team = (await world.stub(OWNER).ListAbsences(request)).absences
    assert {(*absence.allowed_actions,) for absence in of_team} == {("delete",)}
    request.page_token = page.next_page_token
    rest = await world.stub(OPERATOR).ListAbsences(request)
    assert ([absence.label for absence in rest.absences], rest.next_page_token) == (["fourth"], "")
    away = pb.SetAvailabilityRequest(name=SELLER, available=False, messages_closed=True)
    await world.stub(OWNER).SetAvailability(away)
    declared = (await world.stub(OWNER).ListAbsences(request)).availability
    assert (declared.available, declared.messages_closed, declared.etag) == (False, True, "v1")
    world.clock.set(now + 3 * HOUR)
    assert await listed(world) == ["third", "fourth"]


@pytest.mark.covers("X10")
async def test_an_absence_is_deleted_before_it_begins_and_while_it_runs(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    early = await plan(world, now + HOUR, now + 2 * HOUR, label="a word of the team")
    await delete(world, early.name)
    running = await plan(world, now + HOUR, now + 9 * HOUR)
    world.clock.set(now + HOUR)
    assert await outcome(world) == AWAY
    await delete(world, running.name)
    assert await outcome(world) == ASK
    assert (await refused(delete(world, running.name))).reason == "NOT_FOUND"
    created, deleted = await world.events(running.name)
    assert isinstance(created, AbsenceCreated)
    assert isinstance(deleted, AbsenceDeleted)
    assert deleted.absence == created.absence
    assert (created.version, deleted.version) == (1, 2)
    assert "a word of the team" not in str(await world.events())


async def test_what_has_ended_is_gone(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    ended = await plan(world, now + HOUR, now + 2 * HOUR)
    world.clock.set(now + 2 * HOUR)
    assert (await refused(delete(world, ended.name))).reason == "NOT_FOUND"
    assert (await refused(delete(world, ended.name.replace("acme", "other")))).reason == "NOT_FOUND"


@pytest.mark.covers("X10")
async def test_who_is_back_early_ends_what_has_begun(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    await plan(world, now + HOUR, now + 9 * HOUR, label="begun")
    await plan(world, now + HOUR, now + 9 * HOUR, parent=LISTING, label="of the listing")
    await plan(world, now + 20 * HOUR, now + 21 * HOUR, label="to come")
    world.clock.set(now + 2 * HOUR)
    await come_back(world)
    decision = await world.evaluate()
    assert decision.reason == GateDecision.REASON_LISTING_UNAVAILABLE
    await come_back(world, LISTING)
    decision = await world.evaluate()
    assert (decision.outcome, decision.next_change_time) == (ASK, timestamp(now + 20 * HOUR))
    assert await listed(world, include_listings=True) == ["to come"]
    before = await world.contents()
    await come_back(world)
    assert await world.contents() == before


async def test_planning_twice_with_one_id_plans_once(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    first = await plan(world, now + HOUR, now + 2 * HOUR, request_id="once")
    assert await plan(world, now + HOUR, now + 2 * HOUR, request_id="once") == first
    assert len(await listed(world)) == 1


async def test_of_those_that_plan_at_once_no_more_than_allowed_succeed(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    await world.rows(
        "INSERT INTO absence (id, seller, subject, label, author, start_time, end_time, create_time, "
        "messages_closed, place) "
        "SELECT number::text, :name, :name, '', '', :start, :end, :start, false, number "
        "FROM generate_series(1, 98) AS number RETURNING 1",
        name=SELLER,
        start=now,
        end=now + DAY,
    )
    tried = await asyncio.gather(
        *(plan(world, now + HOUR, now + 2 * HOUR) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(found, Message) for found in tried) == 2
    # What has ended makes room, and is forgotten.
    world.clock.set(now + DAY)
    await plan(world, now + 2 * DAY, now + 3 * DAY)
    assert [row.n for row in await world.rows("SELECT count(*) AS n FROM absence")] == [1]


async def test_one_of_two_that_end_an_absence_ends_it(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    planned = await plan(world, now + HOUR, now + 9 * HOUR)
    world.clock.set(now + HOUR)
    tried = await asyncio.gather(
        delete(world, planned.name), come_back(world), delete(world, planned.name), return_exceptions=True
    )
    assert sum(isinstance(found, Exception) for found in tried) in {1, 2}
    assert len(await world.events(planned.name)) == 2
    assert await outcome(world) == ASK


async def test_another_replica_follows_the_calendar(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with (
        world_of(backends, clock, seconds, dsn=dsn) as one,
        world_of(backends, clock, seconds, dsn=dsn) as two,
    ):
        await one.close_gate()
        await two.service.settle()
        seconds.now += 1.0
        assert not (await two.evaluate()).HasField("next_change_time")
        planned = await plan(one, clock.now() + HOUR, clock.now() + 2 * HOUR)
        seconds.now += 1.0
        assert (await two.evaluate()).next_change_time == planned.start_time
        # Nobody but the database hears of this one.
        await one.rows("UPDATE absence SET start_time = start_time + interval '1 minute' RETURNING 1")
        seconds.now += 1.0
        assert (await two.evaluate()).next_change_time == timestamp(clock.now() + HOUR + timedelta(minutes=1))
        await one.rows("DELETE FROM absence RETURNING 1")
        seconds.now += 1.0
        assert not (await two.evaluate()).HasField("next_change_time")


@pytest.mark.covers("X10", "G30")
async def test_planned_absence_with_closed_messages_protects_the_response_rate(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    # Sent before: its 24 hours stand still in the vacation. Sent in the other one, messages open: it counts.
    waiting = await world.submit()
    await plan(world, now + HOUR, now + 5 * DAY, messages_closed=True)
    await plan(world, now + 6 * DAY, now + 8 * DAY)
    dropped = await plan(world, now + 20 * HOUR, now + 6 * DAY, messages_closed=True)
    await delete(world, dropped.name)
    world.clock.set(now + 5 * DAY + 23 * HOUR - TICK)
    rate = (await metrics(world)).response_rate
    assert [(found.reason, found.count.value) for found in rate.exclusions] == [
        (ResponseRate.EXCLUSION_REASON_NOT_DUE, 1)
    ]
    world.clock.set(now + 6 * DAY)
    assert (await world.submit(BEN)).arrived_while_unavailable
    world.clock.set(now + 7 * DAY + TICK)
    rate = (await metrics(world, include_ids=True)).response_rate
    assert waiting.name in rate.share.sample.ids
    assert (rate.share.sample.value, list(rate.exclusions)) == (2, [])


async def test_a_simulation_leaves_out_what_came_in_a_planned_absence(world: World) -> None:
    await world.close_gate()
    now = world.clock.now()
    await plan(world, now + HOUR, now + 2 * HOUR)
    await world.submit()
    world.clock.set(now + HOUR)
    await world.submit(BEN)
    world.clock.set(now + 3 * HOUR)
    answers = [found async for found in world.stub(OWNER).SimulateGate(pb.SimulateGateRequest(name=SETTINGS))]
    found = answers[-1].simulation
    assert found.sample_size == 1
    assert [(each.reason, each.placements) for each in found.exclusions] == [
        (GateSimulation.EXCLUSION_REASON_UNAVAILABLE, 1)
    ]


async def test_buyers_do_not_see_a_calendar(world: World) -> None:
    await world.close_gate()
    planned = await plan(world, world.clock.now() + HOUR, world.clock.now() + DAY)
    for call in (
        world.stub(ANA).ListAbsences(absence_pb2.ListAbsencesRequest(parent=SELLER)),
        world.stub(ANA).DeleteAbsence(absence_pb2.DeleteAbsenceRequest(name=planned.name)),
    ):
        assert (await refused(call)).reason == "NOT_FOUND"
