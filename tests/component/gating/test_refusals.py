"""Bad input for every RPC: the right code and reason, and nothing written; every reason that gating has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest

from chassis.testing.service import ANONYMOUS, Identity, refused
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.error_reason_pb2 import ErrorReason
from parley.offers.v1.listing_pb2 import Listing
from services.gating.app import simulation
from services.gating.domain.refusals import Reason
from tests.component.gating.bad_input import CASES, FUTURE, PAST, Case, override, plan
from tests.component.gating.conftest import (
    ANA,
    LISTING,
    OWNER,
    SELLER,
    SETTINGS,
    World,
    listing_message,
    windows,
)

CODES = {
    "ETAG_MISMATCH": "stale",
    "NOT_FOUND": "not_found",
    "PERMISSION_DENIED": "denied",
}


def call(world: World, case: Case, who: Identity) -> Any:
    """The call, of a stream its first answer."""
    begun = getattr(world.stub(who), case.method)(case.request)
    return begun.read() if isinstance(begun, grpc.aio.UnaryStreamCall) else begun


async def check(world: World, case: Case) -> None:
    found = await refused(call(world, case, case.who))
    where = f"{case.method} {case.request} {found!r}"
    assert found.reason == case.reason, where
    assert found.kind == CODES.get(case.reason, "invalid"), where
    if case.field:
        assert found.violations[0].field == case.field, where
    if found.kind == "invalid":
        assert found.violations, where


@pytest.mark.parametrize("cases", CASES.values(), ids=[*CASES])
async def test_bad_input_is_refused_and_writes_nothing(world: World, cases: list[Case]) -> None:
    await world.close_gate()
    before = await world.contents()
    for case in cases:
        await check(world, case)
    assert await world.contents() == before


def test_every_method_has_a_bad_case() -> None:
    methods = {method.name for method in pb.DESCRIPTOR.services_by_name["GatingService"].methods}
    assert {case.method for cases in CASES.values() for case in cases} == methods


async def test_without_a_token_nobody_is_answered(world: World) -> None:
    for case in {case.method: case for cases in CASES.values() for case in cases}.values():
        found = await refused(call(world, case, ANONYMOUS))
        assert (found.kind, found.reason) == ("unauthenticated", "UNAUTHENTICATED")


# -------------------------------------------------------------------------------- every reason


async def window_invalid(world: World) -> None:
    await world.save(windows=windows(("06:00", "06:00")))


async def override_date_invalid(world: World) -> None:
    await world.save(overrides=[override(open=True), override(open=True)])


async def scope_foreign(world: World) -> None:
    await world.save(excluded_listings=["sellers/other/listings/logo"])


async def request_not_required(world: World) -> None:
    await world.save("enabled")
    await world.submit()


async def unavailable(world: World) -> None:
    away = pb.SetAvailabilityRequest(name=LISTING, end_time=FUTURE, messages_closed=True)
    await world.stub(OWNER).SetAvailability(away)
    await world.submit()


async def open_request_exists(world: World) -> None:
    await world.submit()
    await world.submit()


async def own_listing(world: World) -> None:
    await world.submit(Identity("users/ana", ("buyer", "seller:acme:owner")))


async def time_out_of_range(world: World) -> None:
    await world.stub(OWNER).SetAvailability(pb.SetAvailabilityRequest(name=SELLER, end_time=PAST))


async def too_many_questions(world: World) -> None:
    name = (await world.submit()).name
    for _ in range(21):
        await world.stub(OWNER).AskInformation(pb.AskInformationRequest(name=name, question="?"))
        await world.stub(ANA).AnswerInformation(pb.AnswerInformationRequest(name=name, answer="!"))


async def simulation_too_large(world: World) -> None:
    await world.submit()
    world.clock.advance(timedelta(hours=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "MAX_PLACEMENTS", 0)
        await world.stub(OWNER).SimulateGate(pb.SimulateGateRequest(name=SETTINGS)).read()


async def package_retired(world: World) -> None:
    retired = listing_message(version=2)
    retired.state = Listing.STATE_RETIRED
    await world.tell_listing(retired, version=2)
    await world.submit()


async def too_many_absences(world: World) -> None:
    for _ in range(101):
        await world.stub(OWNER).CreateAbsence(plan())


PRODUCERS: dict[str, tuple[Callable[[World], Any], str]] = {
    "WINDOW_INVALID": (window_invalid, "start"),
    "OVERRIDE_DATE_INVALID": (override_date_invalid, "date"),
    "SCOPE_FOREIGN": (scope_foreign, "resource"),
    "REQUEST_NOT_REQUIRED": (request_not_required, "outcome"),
    "UNAVAILABLE": (unavailable, "unavailable_until"),
    "OPEN_REQUEST_EXISTS": (open_request_exists, "order_request"),
    "OWN_LISTING": (own_listing, "seller"),
    "TIME_OUT_OF_RANGE": (time_out_of_range, "field"),
    "TOO_MANY_QUESTIONS": (too_many_questions, "limit"),
    "SIMULATION_TOO_LARGE": (simulation_too_large, "limit"),
    "PACKAGE_RETIRED": (package_retired, "package"),
    "TOO_MANY_ABSENCES": (too_many_absences, "limit"),
}


@pytest.mark.parametrize("reason", list(PRODUCERS))
async def test_every_reason_is_given_with_its_metadata(world: World, reason: str) -> None:
    await world.close_gate()
    produce, key = PRODUCERS[reason]
    found: Any = await refused(produce(world))
    assert (found.reason, found.domain) == (reason, "gating.parley")
    assert found.metadata[key]


def test_no_reason_is_without_a_test() -> None:
    names = [value.name for value in ErrorReason.DESCRIPTOR.values]
    declared = {name.removeprefix("ERROR_REASON_") for name in names} - {"UNSPECIFIED"}
    assert set(PRODUCERS) == declared == {reason.value for reason in Reason}
