"""Order requests: submitted, asked about, answered, ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, refused, seller
from chassis.wire import instant, timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.order_request_pb2 import Needs, OrderRequest
from tests.component.gating.conftest import (
    ANA,
    BEN,
    BUYER,
    LISTING,
    NIGHTS,
    ONE_DAY,
    OTHER_PACKAGE,
    OWNER,
    PACKAGE,
    SELLER,
    Seconds,
    World,
    hours,
    listing_message,
    windows,
    world_of,
)
from tests.component.gating.moves import answer, ask, close, decline, timers, withdraw


@pytest.mark.covers("G02", "G05", "G11")
async def test_a_request_carries_what_the_seller_needs_to_judge(world: World) -> None:
    await world.close_gate()
    needs = Needs(
        text="A logo for a bakery",
        answers=[Needs.Answer(question="Colours?", answer="Warm")],
        attachments=["conversations/1/attachments/2"],
        preferred_start_time=timestamp(world.clock.now() + ONE_DAY),
    )
    request = pb.CreateOrderRequestRequest(package=PACKAGE, needs=needs)
    created = (await world.stub(ANA).CreateOrderRequest(request)).order_request
    assert created == await world.read(created.name)
    assert created.state == OrderRequest.STATE_PENDING
    assert (created.buyer, created.seller, created.package) == (BUYER, SELLER, PACKAGE)
    assert created.needs == needs
    snapshot = created.package_snapshot
    assert (snapshot.listing_title, snapshot.title, snapshot.delivery_days) == (
        "Logo design",
        "Basic logo",
        5,
    )
    assert (snapshot.price.units, snapshot.price.currency_code) == (100, "EUR")
    assert created.gate_decision.outcome == GateDecision.OUTCOME_REQUEST_REQUIRED
    assert created.gate_decision.buyer == BUYER
    assert created.conversation == f"conversations/{created.name.partition('/')[2]}"
    assert created.expire_time == timestamp(world.clock.now() + 7 * ONE_DAY)
    assert (created.order, created.offer, created.etag) == ("", "", "v1")
    (event,) = await world.events(created.name)
    assert isinstance(event, gating_events.OrderRequestSubmitted)
    assert event.order_request.gate_reason == GateDecision.REASON_ALWAYS
    assert event.order_request.settings_version == 1
    assert b"bakery" not in event.SerializeToString()
    seen = await world.read(created.name, OWNER)
    assert seen.needs == needs


@pytest.mark.covers("G02", "G37")
async def test_the_decision_is_kept_as_it_was(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    await world.tell_listing(listing_message(version=2), version=2)
    await world.save("enabled", "request_ttl", request_ttl=hours(1))
    kept = await world.read(created.name)
    assert (kept.gate_decision, kept.package_snapshot) == (created.gate_decision, created.package_snapshot)
    assert kept.expire_time == created.expire_time


async def test_a_request_is_refused_where_none_is_needed(world: World) -> None:
    await world.close_gate(windows=windows(*NIGHTS))
    before = await world.contents()
    found = await refused(world.submit())
    assert (found.kind, found.reason) == ("precondition", "REQUEST_NOT_REQUIRED")
    assert found.metadata == {
        "package": PACKAGE,
        "outcome": "ALLOWED",
        "reason": "OUTSIDE_WINDOWS",
        "next_change_time": "2026-06-01T19:00:00Z",
    }
    assert (await world.contents())["order_request"] == before["order_request"] == []


async def test_a_team_does_not_ask_itself(world: World) -> None:
    await world.close_gate()
    both = type(ANA)("users/ana", ("buyer", "seller:acme:agent"))
    found = await refused(world.submit(both))
    assert (found.reason, found.metadata["seller"]) == ("OWN_LISTING", SELLER)


async def test_one_open_request_for_each_package_and_buyer(world: World) -> None:
    await world.close_gate()
    first = await world.submit()
    found = await refused(world.submit())
    assert (found.kind, found.reason) == ("exists", "OPEN_REQUEST_EXISTS")
    assert found.metadata == {"order_request": first.name}
    await world.submit(BEN)
    await world.submit(package=OTHER_PACKAGE)
    await withdraw(world, first.name)
    assert (await world.submit()).name != first.name


@pytest.mark.covers("G11", "X01")
async def test_of_a_hundred_concurrent_requests_one_is_made(world: World) -> None:
    await world.close_gate()
    results = await asyncio.gather(*(world.submit() for _ in range(100)), return_exceptions=True)
    made = [result for result in results if not isinstance(result, BaseException)]
    assert len(made) == 1
    for result in results:
        if isinstance(result, BaseException):
            found = await refused(_raised(result))
            assert (found.reason, found.metadata) == ("OPEN_REQUEST_EXISTS", {"order_request": made[0].name})
    assert len(await world.rows("SELECT id FROM order_request")) == 1
    assert len(await world.events(made[0].name)) == 1
    assert len(await timers(world)) == 1


async def _raised(error: BaseException) -> Any:
    raise error


@pytest.mark.covers("X01")
async def test_a_hundred_repetitions_are_answered_alike(world: World) -> None:
    await world.close_gate()
    request = pb.CreateOrderRequestRequest(
        package=PACKAGE, needs=Needs(text="A logo"), request_id=world.key()
    )
    stub = world.stub(ANA)
    answers = await asyncio.gather(*(stub.CreateOrderRequest(request) for _ in range(100)))
    assert all(given == answers[0] for given in answers)
    assert len(await world.rows("SELECT id FROM order_request")) == 1
    await world.save("enabled")
    assert await stub.CreateOrderRequest(request) == answers[0]
    request.needs.text = "A flyer"
    assert (await refused(stub.CreateOrderRequest(request))).reason == "REQUEST_ID_REUSED"


@pytest.mark.covers("X21", "X06")
async def test_asking_and_answering_rests_the_deadline(world: World) -> None:
    await world.close_gate(request_ttl=hours(10))
    created = await world.submit()
    assert len(await timers(world)) == 1
    world.clock.advance(timedelta(hours=4))
    asked = await ask(world, created.name, etag="v1")
    assert asked.state == OrderRequest.STATE_INFO_REQUESTED
    assert not asked.HasField("expire_time")
    assert asked.first_response_time == timestamp(world.clock.now())
    assert [*asked.allowed_actions] == ["sendOffer", "decline"]
    assert await timers(world) == []
    await world.service.advance(timedelta(hours=100))
    waiting = await world.read(created.name)
    assert waiting.state == OrderRequest.STATE_INFO_REQUESTED
    assert [*waiting.allowed_actions] == ["answerInformation", "withdraw"]
    answered = await answer(world, created.name)
    assert answered.expire_time == timestamp(world.clock.now() + timedelta(hours=6))
    assert answered.inquiries[0].answer == "Blue"
    assert answered.first_response_time == asked.first_response_time
    await world.service.advance(timedelta(hours=6))
    assert (await world.read(created.name)).state == OrderRequest.STATE_EXPIRED
    names = [type(event).__name__ for event in await world.events(created.name)]
    assert names == [
        "OrderRequestSubmitted",
        "OrderRequestInformationAsked",
        "OrderRequestInformationAnswered",
        "OrderRequestExpired",
    ]


@pytest.mark.covers("X05", "X21")
async def test_a_question_that_nobody_answers_ends_the_request(
    backends: Backends, seconds: Seconds, clock: ManualClock
) -> None:
    dsn = await backends.database("services.gating.migrations")
    tick, month = timedelta(microseconds=1), 30 * ONE_DAY
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate(request_ttl=hours(10))
        name = (await world.submit()).name
        asked = await ask(world, name)
        assert asked.answer_expire_time == timestamp(world.clock.now() + month)
        # An answer in the last moment gives the seller back his time, and the next question the buyer.
        await world.service.advance(month - tick)
        answered = await answer(world, name)
        assert (answered.state, answered.HasField("answer_expire_time")) == (
            OrderRequest.STATE_PENDING,
            False,
        )
        assert answered.expire_time == timestamp(world.clock.now() + timedelta(hours=10))
        asked = await ask(world, name)
        assert asked.answer_expire_time == timestamp(world.clock.now() + month)
    clock.advance(month)
    async with world_of(backends, clock, seconds, dsn=dsn) as later:
        # Over by its time, whoever comes first: the caller or the timer that was due while nothing ran.
        assert (await refused(answer(later, name))).metadata["state"] == "EXPIRED"
        await later.service.settle()
        seen = await later.read(name, OWNER)
        assert (seen.state, [*seen.allowed_actions]) == (OrderRequest.STATE_EXPIRED, ["dismiss"])
        assert not seen.HasField("answer_expire_time")
        event: Any = (await later.events(name))[-1]
        assert isinstance(event, gating_events.OrderRequestExpired)
        # The seller had responded: it is the buyer who did not.
        assert event.order_request.HasField("first_response_time")
        assert await later.rows("SELECT 1 FROM timer WHERE kind LIKE 'order_request%'") == []
        again = await later.submit()
        history = (await later.read(again.name, OWNER)).buyer_history
        assert [(each.state, each.count) for each in history.requests] == [(OrderRequest.STATE_EXPIRED, 1)]


@pytest.mark.covers("G33")
async def test_a_decline_says_why(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    declined = await decline(world, created.name)
    assert declined.state == OrderRequest.STATE_DECLINED
    seen = await world.read(created.name)
    assert (seen.decline_reason, seen.decline_text) == (
        OrderRequest.DECLINE_REASON_NO_CAPACITY,
        "Fully booked",
    )
    assert not seen.HasField("expire_time")
    event: Any = (await world.events(created.name))[-1]
    assert event.order_request.decline_reason == OrderRequest.DECLINE_REASON_NO_CAPACITY
    assert b"booked" not in event.SerializeToString()
    assert await timers(world) == []


async def test_a_request_can_always_be_dismissed(world: World) -> None:
    await world.close_gate()
    first = await world.submit()
    assert (await close(world, first.name)).state == OrderRequest.STATE_CLOSED
    second = await world.submit()
    assert (await withdraw(world, second.name)).state == OrderRequest.STATE_WITHDRAWN
    third = await world.submit()
    await world.service.advance(7 * ONE_DAY - timedelta(microseconds=1))
    assert (await world.read(third.name)).state == OrderRequest.STATE_PENDING
    await world.service.advance(timedelta(microseconds=1))
    assert (await world.read(third.name)).state == OrderRequest.STATE_EXPIRED


async def test_a_request_is_over_at_its_time_although_no_timer_ran(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    async with paused_timers(world):
        world.clock.advance(7 * ONE_DAY)
        seen = await world.read(created.name)
        assert (seen.state, [*seen.allowed_actions]) == (OrderRequest.STATE_EXPIRED, [])
        found = await refused(decline(world, created.name))
        assert (found.reason, found.metadata["state"]) == ("TRANSITION_FORBIDDEN", "EXPIRED")
        again = await world.submit()
    states = await world.rows("SELECT id, state FROM order_request ORDER BY create_time")
    assert [row.state for row in states] == ["expired", "pending"]
    assert await timers(world) == [again.name.partition("/")[2]]


class paused_timers:  # noqa: N801
    """Keeps the timers of a service from running by themselves."""

    def __init__(self, world: World) -> None:
        self.runner = world.service.host.timers

    async def __aenter__(self) -> None:
        self.handlers, self.runner._handlers = self.runner._handlers, {}

    async def __aexit__(self, *_: object) -> None:
        self.runner._handlers = self.handlers


async def test_twenty_questions_and_no_more(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    for _ in range(20):
        await ask(world, name)
        await answer(world, name)
    found = await refused(ask(world, name))
    assert (found.kind, found.reason) == ("precondition", "TOO_MANY_QUESTIONS")
    assert found.metadata == {"resource": name, "limit": "20"}


async def test_moves_race_and_one_wins(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    results = await asyncio.gather(
        withdraw(world, name), decline(world, name), close(world, name), return_exceptions=True
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert (await world.read(name)).state == won[0].state
    assert len(await world.events(name)) == 2


async def test_a_request_survives_the_process(world: World, seconds: Seconds) -> None:
    await world.close_gate()
    created = await world.submit()
    dsn = world.service.host.config.dsn.reveal()
    async with world_of(world.backends, world.clock, seconds, dsn=dsn) as later:
        assert await later.read(created.name) == created
        assert instant(created.create_time) == later.clock.now()
        other = await later.read(created.name, seller("acme", "agent", user="second"))
        assert other.buyer == BUYER
        assert LISTING in other.package
