"""The one table between refusals and gRPC statuses, in both directions.

Every failed answer carries a `google.rpc.Status` with exactly one `ErrorInfo`, and beside it `BadRequest`
(INVALID_ARGUMENT), `PreconditionFailure` (FAILED_PRECONDITION) and `RetryInfo` (where a retry helps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from chassis.kernel.refusal import Kind, Refusal, Violation
from parley.type.v1.error_reason_pb2 import ErrorReason

DETAILS_KEY = "grpc-status-details-bin"
SHARED_DOMAIN = "parley"
REASON_PREFIX = "ERROR_REASON_"

# Trailing metadata beyond 8 KiB is dropped by the other side together with the whole answer.
MESSAGE_LIMIT_CHARACTERS = 1_000
VALUE_LIMIT_CHARACTERS = 500
METADATA_LIMIT_ENTRIES = 20
VIOLATION_LIMIT = 20
VIOLATIONS_LIMIT_CHARACTERS = 3_000

CODES = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.STALE: grpc.StatusCode.ABORTED,
    Kind.EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.DEADLINE: grpc.StatusCode.DEADLINE_EXCEEDED,
}
KINDS = {code: kind for kind, code in CODES.items()}
STOPPED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""How a server that stops or is away ends calls whose callers still wait, depending on the moment."""

SHARED_REASONS = frozenset(name.removeprefix(REASON_PREFIX) for name in dict(ErrorReason.items()))

# Named by text, so that the gateway, which has neither a database nor a broker, does not import their
# drivers.
_STORAGE_OUTAGES = frozenset(
    {
        "sqlalchemy.exc.InterfaceError",
        "sqlalchemy.exc.OperationalError",
        "sqlalchemy.exc.TimeoutError",
        "asyncpg.exceptions.PostgresConnectionError",
        "asyncpg.exceptions.CannotConnectNowError",
        "asyncpg.exceptions.AdminShutdownError",
        "asyncpg.exceptions.CrashShutdownError",
        "asyncpg.exceptions.TooManyConnectionsError",
        "builtins.ConnectionError",
    }
)
_BROKER_OUTAGES = frozenset({"nats.errors.Error", "nats.js.errors.Error"})


class PeerRefusal(Refusal):
    """A refusal of another service that is passed on; `domain` says whose reason it is."""

    domain: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed answer, ready to be sent. `reason` and `code` also label log lines and metrics."""

    code: grpc.StatusCode
    message: str
    reason: str
    details: bytes

    @property
    def trailing_metadata(self) -> tuple[tuple[str, bytes]]:
        """What accompanies the status on the wire."""
        return ((DETAILS_KEY, self.details),)


def domain_of(reason: str, service: str) -> str:
    """Whose reason it is: `parley` for the shared ones, else `<service>.parley`."""
    return SHARED_DOMAIN if reason in SHARED_REASONS else f"{service}.{SHARED_DOMAIN}"


def refused(refusal: Refusal, service: str) -> Failure:
    """The answer for a refusal of `service`."""
    code = CODES[refusal.kind]
    domain = getattr(refusal, "domain", "") or domain_of(refusal.reason, service)
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=refusal.reason, domain=domain, metadata=_metadata(refusal))
    ]
    if refusal.kind is Kind.INVALID:
        details.append(_bad_request(refusal))
    if refusal.kind is Kind.PRECONDITION:
        violation = error_details_pb2.PreconditionFailure.Violation(
            type=refusal.reason,
            subject=refusal.metadata.get("resource", "")[:VALUE_LIMIT_CHARACTERS],
            description=refusal.message[:VALUE_LIMIT_CHARACTERS],
        )
        details.append(error_details_pb2.PreconditionFailure(violations=[violation]))
    if refusal.retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(refusal.retry_after_seconds * 1e9))
        details.append(retry)
    return _failure(code, refusal.message, refusal.reason, details)


def fault(support: str = "") -> Failure:
    """The answer for a defect of ours: it says nothing about its cause, and whom to ask (`support`)."""
    metadata = {"support": support[:VALUE_LIMIT_CHARACTERS]} if support else {}
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=SHARED_DOMAIN, metadata=metadata)
    return _failure(grpc.StatusCode.INTERNAL, "internal error", "INTERNAL", [info])


def no_such_method(method: str) -> Failure:
    """The answer for a path that no method serves."""
    info = error_details_pb2.ErrorInfo(
        reason="ROUTE_NOT_FOUND", domain=SHARED_DOMAIN, metadata={"path": method[:VALUE_LIMIT_CHARACTERS]}
    )
    return _failure(
        grpc.StatusCode.UNIMPLEMENTED, "no method answers at this path", "ROUTE_NOT_FOUND", [info]
    )


def outage_of(error: BaseException) -> Refusal | None:
    """The refusal for an exception that says that the database or the broker cannot be reached; else None."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if names & _STORAGE_OUTAGES:
        return Refusal(
            Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE", "the database cannot be reached", retry_after_seconds=1.0
        )
    if names & _BROKER_OUTAGES:
        return Refusal(
            Kind.UNAVAILABLE,
            "PEER_UNAVAILABLE",
            "the broker cannot be reached",
            metadata={"peer": "broker"},
            retry_after_seconds=1.0,
        )
    return None


def unpack(details: bytes) -> status_pb2.Status | None:
    """The status inside a `grpc-status-details-bin` value; None where it is not one."""
    try:
        return status_pb2.Status.FromString(details)
    except DecodeError:
        return None


def peer_refusal(code: grpc.StatusCode, message: str, details: bytes | None) -> PeerRefusal | None:
    """What a peer refused, with its reason, metadata and domain; None where the answer names no reason."""
    status = unpack(details) if details else None
    kind = KINDS.get(code)
    if status is None or kind is None:
        return None
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    found = {message.DESCRIPTOR.full_name: _take(status, message) for message in (info, bad_request, retry)}
    if not found[info.DESCRIPTOR.full_name]:
        return None
    refusal = PeerRefusal(
        kind,
        info.reason,
        status.message or message,
        metadata=dict(info.metadata),
        violations=tuple(Violation(v.field, v.description, v.reason) for v in bad_request.field_violations),
        retry_after_seconds=(
            retry.retry_delay.ToNanoseconds() / 1e9 if found[retry.DESCRIPTOR.full_name] else None
        ),
    )
    refusal.domain = info.domain
    return refusal


def _take(status: status_pb2.Status, into: Message) -> bool:
    return any(
        packed.Unpack(into) for packed in status.details if packed.TypeName() == into.DESCRIPTOR.full_name
    )


def _metadata(refusal: Refusal) -> dict[str, str]:
    entries = list(refusal.metadata.items())[:METADATA_LIMIT_ENTRIES]
    return {key: str(value)[:VALUE_LIMIT_CHARACTERS] for key, value in entries}


def _bad_request(refusal: Refusal) -> error_details_pb2.BadRequest:
    violations = refusal.violations or (
        Violation(refusal.metadata.get("field", ""), refusal.message, refusal.reason),
    )
    answer = error_details_pb2.BadRequest()
    room = VIOLATIONS_LIMIT_CHARACTERS
    for violation in violations[:VIOLATION_LIMIT]:
        field = violation.field[:VALUE_LIMIT_CHARACTERS]
        description = violation.description[:VALUE_LIMIT_CHARACTERS]
        reason = violation.reason or refusal.reason
        room -= len(field) + len(description) + len(reason)
        if room < 0:
            break
        answer.field_violations.add(field=field, description=description, reason=reason)
    return answer


def _failure(code: grpc.StatusCode, message: str, reason: str, details: list[Message]) -> Failure:
    number: Any = code.value[0]
    short = message[:MESSAGE_LIMIT_CHARACTERS]
    packed = []
    for detail in details:
        box = AnyMessage()
        box.Pack(detail)
        packed.append(box)
    status = status_pb2.Status(code=number, message=short, details=packed)
    return Failure(code, short, reason, status.SerializeToString())
