from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from chassis import status
from chassis.kernel.refusal import Kind, Refusal, Violation, invalid, not_found, unavailable


def details(failure: status.Failure) -> dict[str, Message]:
    """What the status carries, by message name; fails where one comes twice."""
    packed = status_pb2.Status.FromString(failure.details)
    found: dict[str, Message] = {}
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.PreconditionFailure,
        error_details_pb2.RetryInfo,
    ):
        for box in packed.details:
            message = kind()
            if box.Unpack(message):
                assert kind.DESCRIPTOR.name not in found
                found[kind.DESCRIPTOR.name] = message
    assert len(found) == len(packed.details)
    return found


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_code_and_exactly_one_error_info(kind: Kind) -> None:
    failure = status.refused(Refusal(kind, "SOME_REASON", "why", metadata={"a": "b"}), "offers")
    assert failure.code is status.CODES[kind]
    info = details(failure)["ErrorInfo"]
    assert info == error_details_pb2.ErrorInfo(
        reason="SOME_REASON", domain="offers.parley", metadata={"a": "b"}
    )
    assert len({status.CODES[each] for each in Kind}) == len(Kind)


def test_shared_reasons_have_the_shared_domain() -> None:
    info = details(status.refused(not_found("offers/1"), "offers"))["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert info.domain == "parley"


def test_invalid_lists_its_fields_and_precondition_its_subject() -> None:
    bad = details(status.refused(invalid("price", "is too low"), "offers"))["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert [(v.field, v.description, v.reason) for v in bad.field_violations] == [
        ("price", "is too low", "VALIDATION_FAILED")
    ]
    refusal = Refusal(Kind.PRECONDITION, "TRANSITION_FORBIDDEN", "no", metadata={"resource": "offers/1"})
    failure = details(status.refused(refusal, "offers"))["PreconditionFailure"]
    assert isinstance(failure, error_details_pb2.PreconditionFailure)
    assert (failure.violations[0].type, failure.violations[0].subject) == ("TRANSITION_FORBIDDEN", "offers/1")


def test_retry_info_is_sent_where_a_retry_helps_only() -> None:
    retry = details(status.refused(unavailable("STORAGE_UNAVAILABLE", "no", retry_after_seconds=1.5), "x"))
    assert isinstance(retry["RetryInfo"], error_details_pb2.RetryInfo)
    assert retry["RetryInfo"].retry_delay.ToMilliseconds() == 1500
    assert "RetryInfo" not in details(status.refused(not_found("x"), "x"))


def test_a_failure_always_fits_into_the_trailing_metadata() -> None:
    violations = tuple(Violation("f" * 1000, "d" * 5000) for _ in range(500))
    metadata = {f"key{n}": "v" * 10_000 for n in range(5)}
    refusal = Refusal(
        Kind.INVALID, "VALIDATION_FAILED", "m" * 50_000, metadata=metadata, violations=violations
    )
    failure = status.refused(refusal, "offers")
    assert len(failure.details) + len(failure.message) < 8 * 1024


def test_a_fault_says_nothing() -> None:
    failure = status.fault()
    assert (failure.code, failure.message) == (grpc.StatusCode.INTERNAL, "internal error")
    assert details(failure)["ErrorInfo"] == error_details_pb2.ErrorInfo(reason="INTERNAL", domain="parley")


@pytest.mark.covers("V40")
def test_a_fault_names_whom_to_ask() -> None:
    found = details(status.fault("help@example.org"))["ErrorInfo"]
    assert found == error_details_pb2.ErrorInfo(
        reason="INTERNAL", domain="parley", metadata={"support": "help@example.org"}
    )


def test_what_a_peer_refused_comes_back_whole() -> None:
    sent = Refusal(
        Kind.PRECONDITION, "OPEN_OFFER_EXISTS", "no", metadata={"offer": "offers/1"}, retry_after_seconds=2.0
    )
    failure = status.refused(sent, "offers")
    back = status.peer_refusal(failure.code, failure.message, failure.details)
    assert back is not None
    assert (back.kind, back.reason, back.message, dict(back.metadata)) == (
        sent.kind,
        sent.reason,
        sent.message,
        {"offer": "offers/1"},
    )
    assert back.retry_after_seconds == 2.0
    again = details(status.refused(back, "orders"))["ErrorInfo"]
    assert isinstance(again, error_details_pb2.ErrorInfo)
    assert again.domain == "offers.parley"


def test_an_answer_without_a_reason_is_no_refusal() -> None:
    assert status.peer_refusal(grpc.StatusCode.NOT_FOUND, "gone", None) is None
    assert status.peer_refusal(grpc.StatusCode.NOT_FOUND, "gone", b"\xff\xff") is None
    assert status.peer_refusal(grpc.StatusCode.UNKNOWN, "gone", status.fault().details) is None


def test_outages_are_told_from_defects() -> None:
    outage = status.outage_of(ConnectionRefusedError())
    assert outage is not None
    assert outage.reason == "STORAGE_UNAVAILABLE"
    assert status.outage_of(FileNotFoundError()) is None
    assert status.outage_of(KeyError("x")) is None
