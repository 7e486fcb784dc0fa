"""Every command, sent by several hands at once: with one key it is one call, with others it happens once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import pytest

from chassis.testing.service import Identity, buyer
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
from tests.component.many_hands import (
    HANDS,
    Books,
    Command,
    with_a_commit_that_fails,
    with_one_key,
    with_own_keys,
)

NUMBERS = count()
WRITTEN = """
SELECT (SELECT coalesce(sum(version), 0) FROM order_settings)
    + (SELECT coalesce(sum(version), 0) FROM seller_plan)
    + (SELECT coalesce(sum(version), 0) FROM availability) + (SELECT count(*) FROM absence)
    + (SELECT count(*) FROM buyer_verification) + (SELECT count(*) FROM visit)
    + (SELECT coalesce(sum(version) + count(*) FILTER (WHERE dismissed), 0) FROM order_request) AS number
"""
"""What every change of a resource moves by one."""

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


def books(world: World) -> Books:
    return Books(world.service.host.database, partial(written, world), world.contents)


async def prepared(world: World, race: Race) -> Command:
    who, request = await race.prepare(world)
    return Command(getattr(world.stub(who), race.method), request)


@pytest.mark.covers("X01")
async def test_a_command_of_many_hands_happens_once(world: World, subtests: pytest.Subtests) -> None:
    await world.close_gate()
    for race in RACES:
        with subtests.test(race.method):
            await with_one_key(await prepared(world, race), books(world), f"{race.method}-one")
            own, late = await prepared(world, race), race.too_late
            await with_own_keys(own, books(world), race.method, too_late=late, changes=race.changes)


async def test_a_command_whose_commit_fails_has_done_nothing_and_is_repeated(
    world: World, subtests: pytest.Subtests
) -> None:
    await world.close_gate()
    for race in RACES:
        with subtests.test(race.method):
            await with_a_commit_that_fails(await prepared(world, race), books(world), f"{race.method}-lost")
