"""Requests that arrive while the seller or the listing takes no orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.service import refused
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.order_request_pb2 import OrderRequest
from tests.component.gating.conftest import (
    BEN,
    LISTING,
    NIGHTS,
    ONE_DAY,
    OTHER_PACKAGE,
    OWNER,
    SELLER,
    World,
    windows,
)
from tests.component.gating.moves import decline


async def go_away(world: World, name: str = SELLER, **fields: Any) -> None:
    """The seller or one listing takes no orders from now on."""
    request = pb.SetAvailabilityRequest(name=name, available=False, **fields)
    await world.stub(OWNER).SetAvailability(request)


@pytest.mark.covers("G10", "G29")
@pytest.mark.parametrize("name", [SELLER, LISTING])
async def test_a_request_is_flagged_with_the_end_that_was_declared(world: World, name: str) -> None:
    await world.close_gate()
    until = world.clock.now() + ONE_DAY
    await go_away(world, name, end_time=timestamp(until))
    decision = await world.evaluate()
    assert (decision.outcome, decision.messages_closed) == (GateDecision.OUTCOME_UNAVAILABLE, False)
    created = await world.submit()
    assert (created.state, created.arrived_while_unavailable) == (OrderRequest.STATE_PENDING, True)
    assert created.unavailable_until == timestamp(until)
    assert created.gate_decision.outcome == GateDecision.OUTCOME_UNAVAILABLE
    (event,) = await world.events(created.name)
    assert event.order_request.arrived_while_unavailable  # type: ignore[attr-defined]
    # The flag says how it arrived, whatever is declared later.
    await world.stub(OWNER).SetAvailability(pb.SetAvailabilityRequest(name=name, available=True))
    seen = await world.read(created.name, OWNER)
    assert (seen.arrived_while_unavailable, seen.unavailable_until) == (True, timestamp(until))
    declined = await decline(world, created.name)
    assert declined.arrived_while_unavailable


@pytest.mark.covers("G10")
async def test_no_end_is_told_where_none_is_known(world: World) -> None:
    await world.close_gate()
    await go_away(world)
    created = await world.submit()
    assert created.arrived_while_unavailable
    assert not created.HasField("unavailable_until")


@pytest.mark.covers("G10", "G29")
async def test_an_unavailability_with_an_end_comes_back_by_itself(world: World) -> None:
    await world.close_gate()
    until = world.clock.now() + ONE_DAY
    await go_away(world, end_time=timestamp(until))
    world.clock.set(until - timedelta(microseconds=1))
    assert (await world.evaluate()).outcome == GateDecision.OUTCOME_UNAVAILABLE
    assert (await world.submit()).arrived_while_unavailable
    world.clock.set(until)
    assert (await world.evaluate()).outcome == GateDecision.OUTCOME_REQUEST_REQUIRED
    later = await world.submit(BEN)
    assert (later.arrived_while_unavailable, later.HasField("unavailable_until")) == (False, False)


async def test_a_request_may_be_sent_although_the_gate_stands_open(world: World) -> None:
    await world.close_gate(windows=windows(*NIGHTS))
    assert (await refused(world.submit())).reason == "REQUEST_NOT_REQUIRED"
    await go_away(world)
    assert (await world.submit()).arrived_while_unavailable
    await world.save("enabled", enabled=False)
    assert (await world.submit(BEN)).arrived_while_unavailable


@pytest.mark.covers("G29")
@pytest.mark.parametrize("closed", [SELLER, LISTING])
async def test_closed_messages_take_no_requests(world: World, closed: str) -> None:
    await world.close_gate()
    until = world.clock.now() + ONE_DAY
    # Of two that are away, one that closed its messages is enough.
    for name in (SELLER, LISTING):
        await go_away(world, name, end_time=timestamp(until), messages_closed=name == closed)
    before = await world.contents()
    found = await refused(world.submit())
    assert (found.kind, found.reason) == ("precondition", "UNAVAILABLE")
    assert found.metadata["messages_closed"] == "true"
    assert found.metadata["unavailable_until"] == "2026-06-02T12:00:00Z"
    assert await world.contents() == before
    assert (await world.evaluate()).messages_closed
    await go_away(world, closed, end_time=timestamp(until))
    assert (await world.submit(package=OTHER_PACKAGE)).arrived_while_unavailable
