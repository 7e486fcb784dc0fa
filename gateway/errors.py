"""Every refusal as problem details (RFC 9457), with the reason that gRPC callers see.

A service refuses with a `google.rpc.Status`; its code decides the HTTP status by the table in
`google/rpc/code.proto`, its `ErrorInfo` gives reason, domain and metadata. What the gateway refuses by itself
uses the shared reasons of `parley.type.v1.ErrorReason` under the domain `parley`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from google.rpc import error_details_pb2

from chassis.status import DETAILS_KEY, SHARED_DOMAIN, unpack
from gateway.response import NO_STORE, PROBLEM_TYPE, SECURITY_HEADERS, HeaderList, Response
from gateway.transcode import BadValue, dumps

HTTP_STATUS: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.OK: 200,
    # 499 in that table, but no caller ended it: his hanging up is noticed before any status comes back.
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
"""The table of `google/rpc/code.proto`, with one exception."""

# For statuses without ErrorInfo, made up by gRPC itself. Its texts name addresses and are not passed on.
_BARE: Mapping[grpc.StatusCode, tuple[str, str]] = {
    grpc.StatusCode.UNAVAILABLE: ("PEER_UNAVAILABLE", "a service that is needed to answer cannot be reached"),
    grpc.StatusCode.DEADLINE_EXCEEDED: ("DEADLINE_EXCEEDED", "the answer was not ready in time"),
    grpc.StatusCode.CANCELLED: ("PEER_UNAVAILABLE", "a service ended the call before it was answered"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("OVERLOADED", "too many calls at once"),
    grpc.StatusCode.UNAUTHENTICATED: ("UNAUTHENTICATED", "the caller could not be identified"),
    grpc.StatusCode.PERMISSION_DENIED: ("PERMISSION_DENIED", "the caller may not do this"),
    grpc.StatusCode.NOT_FOUND: ("NOT_FOUND", "the resource does not exist"),
    grpc.StatusCode.INVALID_ARGUMENT: ("VALIDATION_FAILED", "the request is not valid"),
}
_FAULT = ("INTERNAL", "internal error")
SUPPORT = "support"
_RETRY_WITHOUT_ADVICE_SECONDS = 1.0
_RETRYABLE = (429, 503)
_SNAKE_HUMP = re.compile(r"_([a-z0-9])")

CHALLENGE = b'Bearer realm="parley"'


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule; `field` is its JSON path."""

    field: str
    description: str
    reason: str = ""

    def as_json(self) -> dict[str, str]:
        """The form in the problem."""
        shown = {"field": self.field, "description": self.description}
        return {**shown, "reason": self.reason} if self.reason else shown


class Problem(Exception):
    """A refusal on its way to the caller."""

    def __init__(self, status: int, reason: str, detail: str, more: Extras | None = None) -> None:
        """`detail` is for people and carries nothing that the caller may not know."""
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.more = more or Extras()

    def naming(self, support: str) -> Problem:
        """The same; where nobody knows what went wrong, with whom to ask, unless that is said already."""
        if self.reason != _FAULT[0] or not support or SUPPORT in self.more.metadata:
            return self
        metadata = {**self.more.metadata, SUPPORT: support}
        return Problem(self.status, self.reason, self.detail, replace(self.more, metadata=metadata))

    def as_json(self, instance: str, trace_id: str) -> dict[str, Any]:
        """The members of the problem document."""
        document: dict[str, Any] = {
            "type": f"/docs#error-{self.reason}",
            "title": self.reason.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "reason": self.reason,
            "domain": self.more.domain,
            "metadata": dict(self.more.metadata),
            "traceId": trace_id,
        }
        if self.more.violations:
            document["violations"] = [violation.as_json() for violation in self.more.violations]
        return document

    def response(self, instance: str, trace_id: str) -> Response:
        """The problem as an answer."""
        headers: HeaderList = [PROBLEM_TYPE, NO_STORE, *SECURITY_HEADERS, *self.more.headers]
        if self.status == 401:
            headers.append((b"www-authenticate", self._challenge()))
        if self.more.retry_after_seconds is not None:
            seconds = max(1, math.ceil(self.more.retry_after_seconds))
            headers.append((b"retry-after", str(seconds).encode()))
        return Response(self.status, dumps(self.as_json(instance, trace_id)), headers)

    def _challenge(self) -> bytes:
        # RFC 6750: a request without credentials is challenged without an error code.
        if self.more.metadata.get("problem", "missing") == "missing":
            return CHALLENGE
        return CHALLENGE + b', error="invalid_token"'


@dataclass(frozen=True, slots=True)
class Extras:
    """What a problem may carry beyond its sentence."""

    domain: str = SHARED_DOMAIN
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    retry_after_seconds: float | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


def malformed(detail: str, *, status: int = 400, problem: str = "") -> Problem:
    """The request cannot be read at all."""
    return Problem(status, "MALFORMED_REQUEST", detail, Extras(metadata={"problem": problem or detail}))


def bad_value(error: BadValue) -> Problem:
    """A field, a query parameter or a header of the request does not fit its method."""
    place = json_path(error.field)
    violation = Violation(place, error.problem, "MALFORMED_REQUEST")
    detail = f"{place or error.whole} {error.problem}"
    extras = Extras(metadata={"problem": error.problem, "field": place}, violations=(violation,))
    return Problem(400, "MALFORMED_REQUEST", detail, extras)


def too_large(limit_bytes: int) -> Problem:
    """The body is larger than this gateway reads."""
    extras = Extras(metadata={"limit_bytes": str(limit_bytes)})
    return Problem(413, "PAYLOAD_TOO_LARGE", f"the body is larger than {limit_bytes} bytes", extras)


def route_not_found(path: str) -> Problem:
    """No method answers at the path."""
    return Problem(
        404, "ROUTE_NOT_FOUND", "no method answers at this path", Extras(metadata={"path": path[:200]})
    )


def method_not_allowed(method: str, allowed: str) -> Problem:
    """The path exists, but not for this HTTP method; `allowed` is a comma list."""
    extras = Extras(
        metadata={"method": method[:20], "allowed": allowed}, headers=((b"allow", allowed.encode()),)
    )
    return Problem(405, "METHOD_NOT_ALLOWED", f"this path answers {allowed}", extras)


def unauthenticated(problem: str) -> Problem:
    """The caller could not be identified; `problem` is one word: `missing`, `expired`, …"""
    detail = f"the caller could not be identified: {problem}"
    return Problem(401, "UNAUTHENTICATED", detail, Extras(metadata={"problem": problem}))


def deadline_exceeded(detail: str, *, status: int = 504) -> Problem:
    """Time ran out; 504 for an answer, 408 for a request that did not arrive."""
    return Problem(status, "DEADLINE_EXCEEDED", detail)


def overloaded(limit: str) -> Problem:
    """One more would be too many; `limit` names what there is too much of."""
    extras = Extras(metadata={"limit": limit}, retry_after_seconds=_RETRY_WITHOUT_ADVICE_SECONDS)
    return Problem(429, "OVERLOADED", "too many calls at once", extras)


def fault() -> Problem:
    """A defect of ours; it says nothing about its cause."""
    return Problem(500, *_FAULT)


def upstream_problem(error: grpc.aio.AioRpcError, service: str) -> Problem:
    """The problem for a refused or failed call to `service`."""
    code = error.code()
    status = HTTP_STATUS.get(code, 500)
    packed = _details(error)
    info, bad_request, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    advised: float | None = None
    for detail in packed:
        if detail.Unpack(retry):
            advised = retry.retry_delay.ToNanoseconds() / 1e9
        elif not detail.Unpack(info):
            detail.Unpack(bad_request)
    if not info.reason:
        return _bare(code, status, service)
    extras = Extras(
        domain=info.domain,
        metadata=dict(info.metadata),
        violations=tuple(
            Violation(json_path(v.field), v.description, v.reason) for v in bad_request.field_violations
        ),
        retry_after_seconds=advised,
    )
    return Problem(status, info.reason, error.details() or "", extras)


def json_path(path: str) -> str:
    """A path of proto names as an HTTP caller spells it: `line_items[0].unit_price` in camel case."""
    return _SNAKE_HUMP.sub(lambda hump: hump[1].upper(), path)


def _details(error: grpc.aio.AioRpcError) -> Any:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            status = unpack(value)
            return status.details if status is not None else ()
    return ()


def _bare(code: grpc.StatusCode, status: int, service: str) -> Problem:
    reason, detail = _BARE.get(code, _FAULT)
    metadata = {"peer": service} if reason == "PEER_UNAVAILABLE" else {}
    retry = _RETRY_WITHOUT_ADVICE_SECONDS if status in _RETRYABLE else None
    return Problem(status, reason, detail, Extras(metadata=metadata, retry_after_seconds=retry))
