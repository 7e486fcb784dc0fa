"""Every command, sent by several hands at once: with one key it is one call, with others it happens once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import grpc
import pytest

from chassis.testing.service import Identity, buyer, refused
from chassis.wire import timestamp
from parley.gating.v1 import absence_pb2, buyer_verification_pb2
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_request_pb2 import Needs, OrderRequest
from parley.gating.v1.order_settings_pb2 import OrderSettings, SellerPlan
from tests.component.gating.conftest import (
    AGENT,
    LISTING,
    ONE_DAY,
    OPERATOR,
    OWNER,
    PACKAGE,
    SELLER,
    SETTINGS,
    World,
)

HANDS = 5
NUMBERS = count()
WRITTEN = """
SELECT (SELECT coalesce(sum(version), 0) FROM order_settings)
    + (SELECT coalesce(sum(version), 0) FROM seller_plan)
    + (SELECT coalesce(sum(version), 0) FROM availability) + (SELECT count(*) FROM absence)
    + (SELECT count(*) FROM buyer_verification) + (SELECT count(*) FROM visit)
    + (SELECT coalesce(sum(version) + count(*) FILTER (WHERE dismissed), 0) FROM order_request) AS number
"""
"""What every change of a resource moves by one."""

STOPPING = """
CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'terminating connection' USING ERRCODE = '57P01'; END $$;
CREATE CONSTRAINT TRIGGER refuse_all AFTER INSERT ON idempotency DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION refuse_all()
"""
"""The database stops: whatever a command did, its commit fails."""
CURE = "DROP TRIGGER refuse_all ON idempotency; DROP FUNCTION refuse_all()"

Prepared = tuple[Identity, Any]
Prepare = Callable[[World], Awaitable[Prepared]]


@dataclass(frozen=True)
class Race:
    """A command, and what those are told who come too late: nothing where once is enough for all of them."""

    method: str
    prepare: Prepare
    too_late: str = ""
    changes: int = 1


def fresh() -> Identity:
    return buyer(f"hand-{next(NUMBERS)}")


async def saving(_: World) -> Prepared:
    zone = ("Asia/Kathmandu", "Europe/Berlin")[next(NUMBERS) % 2]
    return OWNER, pb.UpdateOrderSettingsRequest(order_settings=OrderSettings(name=SETTINGS, time_zone=zone))


async def entitling(world: World) -> Prepared:
    until = timestamp(world.clock.now() + (next(NUMBERS) + 2) * ONE_DAY)
    return OPERATOR, pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_PREMIUM, expire_time=until)


async def leaving(world: World) -> Prepared:
    until = timestamp(world.clock.now() + (next(NUMBERS) + 2) * ONE_DAY)
    return AGENT, pb.SetAvailabilityRequest(name=LISTING, available=False, end_time=until)


async def asking_to_order(_: World) -> Prepared:
    return fresh(), pb.CreateOrderRequestRequest(package=PACKAGE, needs=Needs(text="A logo"))


def on_request(request: Callable[..., Any], who: Identity | None = None, **fields: Any) -> Prepare:
    """`who` is the buyer where nobody is named."""

    async def prepare(world: World) -> Prepared:
        ana = fresh()
        return who or ana, request(name=(await world.submit(ana)).name, **fields)

    return prepare


async def answering(world: World) -> Prepared:
    ana = fresh()
    name = (await world.submit(ana)).name
    await world.stub(OWNER).AskInformation(pb.AskInformationRequest(name=name, question="?"))
    return ana, pb.AnswerInformationRequest(name=name, answer="!")


async def dismissing(world: World) -> Prepared:
    _, withdrawal = await on_request(pb.WithdrawOrderRequestRequest)(world)
    await world.stub(OPERATOR).CloseOrderRequest(pb.CloseOrderRequestRequest(name=withdrawal.name))
    return AGENT, pb.DismissOrderRequestRequest(name=withdrawal.name)


async def visiting(_: World) -> Prepared:
    return fresh(), pb.RecordVisitRequest(name=LISTING)


async def planning(world: World) -> Prepared:
    start = world.clock.now() + 30 * ONE_DAY
    absence = absence_pb2.Absence(start_time=timestamp(start), end_time=timestamp(start + ONE_DAY))
    return AGENT, absence_pb2.CreateAbsenceRequest(parent=SELLER, absence=absence)


async def calling_off(world: World) -> Prepared:
    who, request = await planning(world)
    return who, absence_pb2.DeleteAbsenceRequest(
        name=(await world.stub(who).CreateAbsence(request)).absence.name
    )


async def vouching(_: World) -> Prepared:
    return OPERATOR, buyer_verification_pb2.SetBuyerVerificationRequest(name=fresh().subject, verified=True)


FORBIDDEN = "TRANSITION_FORBIDDEN"
DECLINE: Any = {"reason": OrderRequest.DECLINE_REASON_NO_CAPACITY}
RACES = (
    Race("UpdateOrderSettings", saving),
    Race("SetSellerPlan", entitling),
    Race("CreateOrderRequest", asking_to_order, too_late="OPEN_REQUEST_EXISTS"),
    Race("AskInformation", on_request(pb.AskInformationRequest, OWNER, question="?"), too_late=FORBIDDEN),
    Race("AnswerInformation", answering, too_late=FORBIDDEN),
    Race(
        "DeclineOrderRequest", on_request(pb.DeclineOrderRequestRequest, OWNER, **DECLINE), too_late=FORBIDDEN
    ),
    Race("WithdrawOrderRequest", on_request(pb.WithdrawOrderRequestRequest), too_late=FORBIDDEN),
    Race("CloseOrderRequest", on_request(pb.CloseOrderRequestRequest, OPERATOR), too_late=FORBIDDEN),
    Race("DismissOrderRequest", dismissing),
    Race("RecordVisit", visiting),
    # Two absences of the same days are two absences.
    Race("CreateAbsence", planning, changes=HANDS),
    Race("DeleteAbsence", calling_off, too_late="NOT_FOUND"),
    Race("SetBuyerVerification", vouching),
    Race("SetAvailability", leaving),
)


def test_every_command_is_raced() -> None:
    methods = pb.DESCRIPTOR.services_by_name["GatingService"].methods
    commands = {method.name for method in methods if "request_id" in method.input_type.fields_by_name}
    assert {race.method for race in RACES} == commands


async def written(world: World) -> int:
    (row,) = await world.rows(WRITTEN)
    return int(row.number)


async def sent(world: World, race: Race, keys: list[str]) -> tuple[list[Any], list[str], int]:
    """The answers, why others were refused, and by how much the resources changed."""
    who, request = await race.prepare(world)
    before, calls = await written(world), []
    for key in keys:
        copy = type(request)()
        copy.CopyFrom(request)
        copy.request_id = key
        calls.append(getattr(world.stub(who), race.method)(copy))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    reasons = [
        (await refused(call)).reason
        for call, answer in zip(calls, answers, strict=True)
        if isinstance(answer, grpc.aio.AioRpcError)
    ]
    done = [answer for answer in answers if not isinstance(answer, BaseException)]
    return done, reasons, abs(await written(world) - before)


@pytest.mark.covers("X01", "X02")
async def test_a_command_of_many_hands_happens_once(world: World, subtests: pytest.Subtests) -> None:
    await world.close_gate()
    for race in RACES:
        with subtests.test(race.method):
            answers, reasons, changes = await sent(world, race, [f"{race.method}-one"] * HANDS)
            assert (len(answers), reasons, changes) == (HANDS, [], 1)
            assert all(answer == answers[0] for answer in answers)
            own = [f"{race.method}-{number}" for number in range(HANDS)]
            answers, reasons, changes = await sent(world, race, own)
            assert reasons == ([race.too_late] * (HANDS - 1) if race.too_late else [])
            assert (len(answers) + len(reasons), changes) == (HANDS, race.changes)


@pytest.mark.covers("X01")
async def test_a_command_whose_commit_fails_has_done_nothing_and_is_repeated(
    world: World, subtests: pytest.Subtests
) -> None:
    await world.close_gate()
    async with world.service.host.database.connection() as connection:
        for race in RACES:
            with subtests.test(race.method):
                who, request = await race.prepare(world)
                request.request_id = f"{race.method}-lost"
                before = await world.contents()
                await connection.execute(STOPPING)
                call = getattr(world.stub(who), race.method)
                assert (await refused(call(request))).reason == "STORAGE_UNAVAILABLE"
                assert await world.contents() == before
                await connection.execute(CURE)
                number = await written(world)
                await call(request)
                assert abs(await written(world) - number) == 1
