"""Bad input for every RPC of gating, with what it is refused for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from chassis.paging import next_page_token
from chassis.testing.service import Identity, service
from chassis.wire import timestamp
from parley.gating.v1 import absence_pb2, buyer_verification_pb2, personal_data_pb2
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_request_pb2 import Needs, OrderRequest
from parley.gating.v1.order_settings_pb2 import OrderSettings, SellerPlan
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BUYER,
    LISTING,
    OPERATOR,
    OWNER,
    PACKAGE,
    SELLER,
    SETTINGS,
    at,
    windows,
)

PAST = timestamp(at("2026-05-31T12:00:00"))
FUTURE = timestamp(at("2026-07-01T12:00:00"))
LATER = timestamp(at("2026-07-08T12:00:00"))
REQUEST = "orderRequests/01900000-0000-7000-8000-000000000001"
UNSPECIFIED: Any = 0
UNKNOWN: Any = 99
LONG = "x" * 20_001
BLANK = " \t\n\u00a0\u200b"


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
    Case(
        "SetSellerPlan",
        OPERATOR,
        pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_BASIC, expire_time=FUTURE),
        field="expire_time",
    ),
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
    Case("CreateOrderRequest", ANA, submit(text=BLANK), field="needs.text"),
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
    Case("AskInformation", OWNER, pb.AskInformationRequest(name=REQUEST, question=BLANK), field="question"),
    Case("AskInformation", OWNER, pb.AskInformationRequest(name=REQUEST, question=LONG), field="question"),
    Case("AskInformation", OWNER, pb.AskInformationRequest(name=REQUEST, question="?"), "NOT_FOUND"),
    Case("AnswerInformation", ANA, pb.AnswerInformationRequest(name=REQUEST), field="answer"),
    Case("AnswerInformation", ANA, pb.AnswerInformationRequest(name=REQUEST, answer=BLANK), field="answer"),
    Case("AnswerInformation", ANA, pb.AnswerInformationRequest(name=REQUEST, answer="!"), "NOT_FOUND"),
    Case("DeclineOrderRequest", OWNER, pb.DeclineOrderRequestRequest(name=REQUEST), field="reason"),
    Case("DeclineOrderRequest", OWNER, pb.DeclineOrderRequestRequest(name=REQUEST, reason=UNKNOWN)),
    Case(
        "DeclineOrderRequest",
        OWNER,
        pb.DeclineOrderRequestRequest(name=REQUEST, reason=OrderRequest.DECLINE_REASON_BUDGET),
        "NOT_FOUND",
    ),
    *(
        Case(
            "DeclineOrderRequest",
            OWNER,
            pb.DeclineOrderRequestRequest(name=REQUEST, reason=OrderRequest.DECLINE_REASON_OTHER, text=text),
            reason,
            field,
        )
        for text, reason, field in (
            ("", "VALIDATION_FAILED", "text"),
            (BLANK, "VALIDATION_FAILED", "text"),
            ("On holiday", "NOT_FOUND", ""),
        )
    ),
    Case("WithdrawOrderRequest", ANA, pb.WithdrawOrderRequestRequest(), field="name"),
    Case("WithdrawOrderRequest", ANA, pb.WithdrawOrderRequestRequest(name=REQUEST, request_id="ä")),
    Case("WithdrawOrderRequest", ANA, pb.WithdrawOrderRequestRequest(name=REQUEST), "NOT_FOUND"),
    Case("CloseOrderRequest", OPERATOR, pb.CloseOrderRequestRequest(name="orderRequests/a/b"), field="name"),
    Case("CloseOrderRequest", OPERATOR, pb.CloseOrderRequestRequest(name=REQUEST), "NOT_FOUND"),
    Case("DismissOrderRequest", OWNER, pb.DismissOrderRequestRequest(name="orderRequests/"), field="name"),
    Case("DismissOrderRequest", OWNER, pb.DismissOrderRequestRequest(name=REQUEST), "NOT_FOUND"),
]


def plan(parent: str = SELLER, *, start: Any = FUTURE, end: Any = LATER) -> absence_pb2.CreateAbsenceRequest:
    absence = absence_pb2.Absence(start_time=start, end_time=end)
    return absence_pb2.CreateAbsenceRequest(parent=parent, absence=absence)


LONG_AFTER = timestamp(at("2027-07-02T12:00:01"))
CALENDAR_CASES = [
    Case("CreateAbsence", AGENT, absence_pb2.CreateAbsenceRequest(parent=SELLER), field="absence"),
    Case("CreateAbsence", AGENT, plan("sellers/acme/orderSettings"), field="parent"),
    Case("CreateAbsence", AGENT, plan("sellers/other"), "NOT_FOUND"),
    Case("CreateAbsence", AGENT, plan(start=None), field="absence.start_time"),
    Case("CreateAbsence", AGENT, plan(end=None), field="absence.end_time"),
    Case("CreateAbsence", AGENT, plan(end=FUTURE), field="absence"),
    Case("CreateAbsence", AGENT, plan(end=LONG_AFTER), field="absence"),
    Case("CreateAbsence", AGENT, plan(start=PAST), "TIME_OUT_OF_RANGE", "absence.start_time"),
    Case("CreateAbsence", AGENT, plan(f"{SELLER}/listings/none"), "NOT_FOUND"),
    Case("CreateAbsence", ANA, plan(), "NOT_FOUND"),
    Case("ListAbsences", AGENT, absence_pb2.ListAbsencesRequest(parent="acme"), field="parent"),
    Case(
        "ListAbsences",
        AGENT,
        absence_pb2.ListAbsencesRequest(parent=SELLER, page_token="%"),
        "PAGE_TOKEN_INVALID",
    ),
    Case("DeleteAbsence", AGENT, absence_pb2.DeleteAbsenceRequest(name=SELLER), field="name"),
    Case("DeleteAbsence", AGENT, absence_pb2.DeleteAbsenceRequest(name=f"{SELLER}/absences/1"), "NOT_FOUND"),
]


def verify(name: str = BUYER, **fields: Any) -> buyer_verification_pb2.SetBuyerVerificationRequest:
    return buyer_verification_pb2.SetBuyerVerificationRequest(name=name, **fields)


def verifications(**fields: Any) -> buyer_verification_pb2.ListBuyerVerificationsRequest:
    return buyer_verification_pb2.ListBuyerVerificationsRequest(**fields)


VERIFICATION_CASES = [
    Case("SetBuyerVerification", OPERATOR, verify("ana"), field="name"),
    Case("SetBuyerVerification", OPERATOR, verify("users/Ana B"), field="name"),
    Case("SetBuyerVerification", OPERATOR, verify(expire_time=FUTURE)),
    Case(
        "SetBuyerVerification",
        OPERATOR,
        verify(verified=True, expire_time=PAST),
        "TIME_OUT_OF_RANGE",
        "expire_time",
    ),
    Case("SetBuyerVerification", OPERATOR, verify(verified=True, etag="v3"), "ETAG_MISMATCH"),
    Case("SetBuyerVerification", ANA, verify(verified=True), "PERMISSION_DENIED"),
    Case("SetBuyerVerification", OWNER, verify(verified=True), "PERMISSION_DENIED"),
    Case("ListBuyerVerifications", OPERATOR, verifications(parent="users/ana/x"), field="parent"),
    Case(
        "ListBuyerVerifications", OPERATOR, verifications(parent=BUYER, page_token="%"), "PAGE_TOKEN_INVALID"
    ),
    Case("ListBuyerVerifications", ANA, verifications(parent=BUYER), "PERMISSION_DENIED"),
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


ORDERS = service("orders")


def records(parent: str = BUYER, **fields: Any) -> personal_data_pb2.ListGatingRecordsRequest:
    return personal_data_pb2.ListGatingRecordsRequest(parent=parent, **fields)


# Tokens are no secret: whoever knows how they are made finds nothing that fails in another way.
MADE_UP = [(), ("visit",), ("visit", "a", "b"), ("visit", "\x00"), ("visit", "\ud800"), ("nothing", "")]
RECORD_CASES = [
    *(Case("ListGatingRecords", who, records(), "PERMISSION_DENIED") for who in (ANA, OWNER, OPERATOR)),
    Case("ListGatingRecords", ORDERS, records(SELLER), field="parent"),
    Case("ListGatingRecords", ORDERS, records(page_size=-1), field="page_size"),
    Case("ListGatingRecords", ORDERS, records(page_token="%"), "PAGE_TOKEN_INVALID"),
    *(
        Case("ListGatingRecords", ORDERS, records(page_token=token), "PAGE_TOKEN_INVALID")
        for token in (next_page_token(records(), cursor) for cursor in MADE_UP)
    ),
]

CASES = {
    "settings": SETTINGS_CASES,
    "calendar": CALENDAR_CASES,
    "verification": VERIFICATION_CASES,
    "requests": REQUEST_CASES,
    "metrics": METRICS_CASES,
    "records": RECORD_CASES,
}
