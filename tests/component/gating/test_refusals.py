"""Bad input for every RPC: the right code and reason, and nothing written; every reason that gating has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from chassis.testing.service import ANONYMOUS, Identity, refused
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.error_reason_pb2 import ErrorReason
from parley.gating.v1.order_request_pb2 import Needs, OrderRequest
from parley.gating.v1.order_settings_pb2 import OrderSettings, SellerPlan
from parley.offers.v1.listing_pb2 import Listing
from services.gating.app import simulation
from services.gating.domain.refusals import Reason
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    LISTING,
    OPERATOR,
    OWNER,
    PACKAGE,
    SELLER,
    SETTINGS,
    World,
    at,
    listing_message,
    windows,
)

PAST = timestamp(at("2026-05-31T12:00:00"))
FUTURE = timestamp(at("2026-07-01T12:00:00"))
REQUEST = "orderRequests/01900000-0000-7000-8000-000000000001"
UNSPECIFIED: Any = 0
UNKNOWN: Any = 99
LONG = "x" * 20_001


@dataclass(frozen=True)
class Case:
    """A call that is refused. `field` is the first one that the refusal names."""

    method: str
    who: Identity
    request: Message
    reason: str = "VALIDATION_FAILED"
    field: str = ""


def save(*paths: str, **fields: Any) -> pb.UpdateOrderSettingsRequest:
    fields.setdefault("name", SETTINGS)
    return pb.UpdateOrderSettingsRequest(
        order_settings=OrderSettings(**fields), update_mask=FieldMask(paths=paths)
    )


def override(**fields: Any) -> OrderSettings.Override:
    fields.setdefault("date", Date(year=2026, month=12, day=24))
    return OrderSettings.Override(**fields)


def spans(*given: tuple[str, str]) -> OrderSettings.Spans:
    return OrderSettings.Spans(spans=[OrderSettings.Span(start=start, end=end) for start, end in given])


def submit(package: str = PACKAGE, **needs: Any) -> pb.CreateOrderRequestRequest:
    return pb.CreateOrderRequestRequest(package=package, needs=Needs(**{"text": "A logo", **needs}))


SETTINGS_CASES = [
    Case("GetOrderSettings", OWNER, pb.GetOrderSettingsRequest(name="sellers/acme/settings"), field="name"),
    Case("GetOrderSettings", OWNER, pb.GetOrderSettingsRequest(), field="name"),
    Case(
        "ListOrderSettingsVersions", OWNER, pb.ListOrderSettingsVersionsRequest(parent=SELLER), field="parent"
    ),
    Case(
        "ListOrderSettingsVersions",
        OWNER,
        pb.ListOrderSettingsVersionsRequest(parent="sellers/acme/orderSettings", page_token="x"),
        "PAGE_TOKEN_INVALID",
        "page_token",
    ),
    Case("SimulateGate", OWNER, pb.SimulateGateRequest(name=SELLER), field="name"),
    Case("UpdateOrderSettings", OWNER, pb.UpdateOrderSettingsRequest()),
    Case("UpdateOrderSettings", OWNER, save("color"), "UNKNOWN_FIELD_PATH", "update_mask"),
    Case("UpdateOrderSettings", OWNER, save("settings_version"), "UNKNOWN_FIELD_PATH", "update_mask"),
    Case("UpdateOrderSettings", OWNER, save("scope.colors"), "UNKNOWN_FIELD_PATH", "update_mask"),
    Case("UpdateOrderSettings", OWNER, save(enabled=True, etag="v7"), "ETAG_MISMATCH"),
    Case("UpdateOrderSettings", OWNER, save(time_zone="Mars/Olympus"), "UNKNOWN_TIME_ZONE"),
    Case("UpdateOrderSettings", OWNER, save(time_zone=LONG), field="order_settings.time_zone"),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(("6:00", "12:00")))),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(("24:00", "24:00")))),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(("06:00", "24:01")))),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(("06:00", "06:00"))), "WINDOW_INVALID"),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(("06:00", "12:00"), days=[0]))),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(("06:00", "12:00"), days=[1, 1]))),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(("06:00", "12:00"), days=[8]))),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(*[("06:00", "12:00")] * 101))),
    Case("UpdateOrderSettings", OWNER, save(windows=windows(*[("21:00", "06:00")] * 51))),
    Case(
        "UpdateOrderSettings",
        OWNER,
        save(overrides=[override(closed=True), override(open=True)]),
        "OVERRIDE_DATE_INVALID",
    ),
    Case(
        "UpdateOrderSettings",
        OWNER,
        save(overrides=[override(closed=True, date=Date(year=2026, month=2, day=30))]),
        "OVERRIDE_DATE_INVALID",
        "order_settings.overrides[0].date",
    ),
    Case("UpdateOrderSettings", OWNER, save(overrides=[override()])),
    Case("UpdateOrderSettings", OWNER, save(overrides=[override(open=False)])),
    Case(
        "UpdateOrderSettings",
        OWNER,
        save(overrides=[override(windows=spans(("22:00", "06:00")))]),
        "WINDOW_INVALID",
        "order_settings.overrides[0].windows.spans[0]",
    ),
    Case("UpdateOrderSettings", OWNER, save(audience=9), field="order_settings.audience"),
    Case("UpdateOrderSettings", OWNER, save(bypass_policy=9), field="order_settings.bypass_policy"),
    Case("UpdateOrderSettings", OWNER, save(request_ttl=Duration(seconds=3599))),
    Case("UpdateOrderSettings", OWNER, save(request_ttl=Duration(seconds=7776001))),
    Case("UpdateOrderSettings", OWNER, save(scope=OrderSettings.Scope(packages=["logo"]))),
    Case(
        "UpdateOrderSettings",
        OWNER,
        save(scope=OrderSettings.Scope(all_packages=True, packages=[PACKAGE])),
    ),
    Case(
        "UpdateOrderSettings",
        OWNER,
        save(scope=OrderSettings.Scope(packages=["sellers/other/listings/logo/packages/basic"])),
        "SCOPE_FOREIGN",
        "order_settings.scope.packages[0]",
    ),
    Case("UpdateOrderSettings", OWNER, save(excluded_listings=["sellers/o/listings/x"]), "SCOPE_FOREIGN"),
    Case("SetSellerPlan", OPERATOR, pb.SetSellerPlanRequest(name=SELLER), field="tier"),
    Case("SetSellerPlan", OPERATOR, pb.SetSellerPlanRequest(name=SELLER, tier=UNKNOWN), field="tier"),
    Case(
        "SetSellerPlan",
        OPERATOR,
        pb.SetSellerPlanRequest(name="acme", tier=SellerPlan.TIER_BASIC),
        field="name",
    ),
    Case(
        "SetSellerPlan",
        OPERATOR,
        pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_PREMIUM, expire_time=PAST),
        "TIME_OUT_OF_RANGE",
        "expire_time",
    ),
    Case(
        "SetSellerPlan",
        OPERATOR,
        pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_PREMIUM, etag="v3"),
        "ETAG_MISMATCH",
    ),
    Case("SetAvailability", AGENT, pb.SetAvailabilityRequest(name=f"{SELLER}/listings"), field="name"),
    Case(
        "SetAvailability",
        AGENT,
        pb.SetAvailabilityRequest(name=SELLER, end_time=PAST),
        "TIME_OUT_OF_RANGE",
        "end_time",
    ),
    Case(
        "SetAvailability",
        AGENT,
        pb.SetAvailabilityRequest(name=SELLER, available=True, end_time=FUTURE),
        field="end_time",
    ),
    Case("SetAvailability", AGENT, pb.SetAvailabilityRequest(name=SELLER, etag="v3"), "ETAG_MISMATCH"),
    Case("SetAvailability", AGENT, pb.SetAvailabilityRequest(name=f"{SELLER}/listings/none"), "NOT_FOUND"),
]

REQUEST_CASES = [
    Case("EvaluateGate", ANA, pb.EvaluateGateRequest(package=LISTING), field="package"),
    Case("EvaluateGate", ANA, pb.EvaluateGateRequest(package=PACKAGE, buyer="ana"), field="buyer"),
    Case("EvaluateGate", ANA, pb.EvaluateGateRequest(package=f"{LISTING}/packages/none"), "NOT_FOUND"),
    Case("EvaluateGate", ANA, pb.EvaluateGateRequest(package=f"{LISTING}/packages/A B"), field="package"),
    Case("CreateOrderRequest", ANA, pb.CreateOrderRequestRequest(package=PACKAGE), field="needs"),
    Case("CreateOrderRequest", ANA, submit(text=""), field="needs.text"),
    Case("CreateOrderRequest", ANA, submit(text=LONG), field="needs.text"),
    Case("CreateOrderRequest", ANA, submit(attachments=["file.pdf"]), field="needs.attachments[0]"),
    Case("CreateOrderRequest", ANA, submit(answers=[Needs.Answer(question="?")])),
    Case("CreateOrderRequest", ANA, submit(package="logo"), field="package"),
    Case("CreateOrderRequest", ANA, submit(package=f"{LISTING}/packages/none"), "NOT_FOUND"),
    Case("CreateOrderRequest", OWNER, submit(), "PERMISSION_DENIED"),
    Case("GetOrderRequest", ANA, pb.GetOrderRequestRequest(name="orders/1"), field="name"),
    Case("GetOrderRequest", ANA, pb.GetOrderRequestRequest(name=REQUEST), "NOT_FOUND"),
    Case("ListOrderRequests", ANA, pb.ListOrderRequestsRequest(page_size=-1), field="page_size"),
    Case("ListOrderRequests", ANA, pb.ListOrderRequestsRequest(page_size=1001), field="page_size"),
    Case("ListOrderRequests", ANA, pb.ListOrderRequestsRequest(states=[UNSPECIFIED]), field="states[0]"),
    Case("ListOrderRequests", ANA, pb.ListOrderRequestsRequest(states=[UNKNOWN]), field="states[0]"),
    Case("ListOrderRequests", ANA, pb.ListOrderRequestsRequest(page_token="%"), "PAGE_TOKEN_INVALID"),
    Case("ListOrderRequests", ANA, pb.ListOrderRequestsRequest(seller="acme"), field="seller"),
    Case("AskInformation", OWNER, pb.AskInformationRequest(name=REQUEST), field="question"),
    Case("AskInformation", OWNER, pb.AskInformationRequest(name="x", question="?"), field="name"),
    Case("AskInformation", OWNER, pb.AskInformationRequest(name=REQUEST, question=LONG), field="question"),
    Case("AskInformation", OWNER, pb.AskInformationRequest(name=REQUEST, question="?"), "NOT_FOUND"),
    Case("AnswerInformation", ANA, pb.AnswerInformationRequest(name=REQUEST), field="answer"),
    Case("AnswerInformation", ANA, pb.AnswerInformationRequest(name=REQUEST, answer="!"), "NOT_FOUND"),
    Case("DeclineOrderRequest", OWNER, pb.DeclineOrderRequestRequest(name=REQUEST), field="reason"),
    Case("DeclineOrderRequest", OWNER, pb.DeclineOrderRequestRequest(name=REQUEST, reason=UNKNOWN)),
    Case(
        "DeclineOrderRequest",
        OWNER,
        pb.DeclineOrderRequestRequest(name=REQUEST, reason=OrderRequest.DECLINE_REASON_BUDGET),
        "NOT_FOUND",
    ),
    Case("WithdrawOrderRequest", ANA, pb.WithdrawOrderRequestRequest(), field="name"),
    Case("WithdrawOrderRequest", ANA, pb.WithdrawOrderRequestRequest(name=REQUEST, request_id="ä")),
    Case("WithdrawOrderRequest", ANA, pb.WithdrawOrderRequestRequest(name=REQUEST), "NOT_FOUND"),
    Case("CloseOrderRequest", OPERATOR, pb.CloseOrderRequestRequest(name="orderRequests/a/b"), field="name"),
    Case("CloseOrderRequest", OPERATOR, pb.CloseOrderRequestRequest(name=REQUEST), "NOT_FOUND"),
    Case("DismissOrderRequest", OWNER, pb.DismissOrderRequestRequest(name="orderRequests/"), field="name"),
    Case("DismissOrderRequest", OWNER, pb.DismissOrderRequestRequest(name=REQUEST), "NOT_FOUND"),
]

METRICS = f"{SELLER}/gateMetrics"
METRICS_CASES = [
    Case("RecordVisit", ANA, pb.RecordVisitRequest(name="listings/logo"), field="name"),
    Case("RecordVisit", ANA, pb.RecordVisitRequest(name=LISTING, buyer="ana"), field="buyer"),
    Case("RecordVisit", ANA, pb.RecordVisitRequest(name=f"{SELLER}/listings/none"), "NOT_FOUND"),
    Case("RecordVisit", OWNER, pb.RecordVisitRequest(name=LISTING), "PERMISSION_DENIED"),
    Case("GetGateMetrics", OWNER, pb.GetGateMetricsRequest(name=SELLER), field="name"),
    Case("GetGateMetrics", OWNER, pb.GetGateMetricsRequest(name=METRICS, listing="x"), field="listing"),
    Case(
        "GetGateMetrics", OWNER, pb.GetGateMetricsRequest(name=METRICS, start_time=FUTURE), field="start_time"
    ),
]

CASES = {"settings": SETTINGS_CASES, "requests": REQUEST_CASES, "metrics": METRICS_CASES}

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
