"""The one way to say no.

A :class:`Refusal` is an answer, not a defect: it names a documented reason, carries every dynamic value as
metadata, and is translated to a gRPC status in one place (``chassis.status``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The family of a refusal; each maps to exactly one gRPC code."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    NOT_FOUND = "not_found"
    DENIED = "denied"
    PRECONDITION = "precondition"
    STALE = "stale"
    EXISTS = "exists"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of a request that broke a rule. `field` is a path in proto names, such as ``price.nanos``."""

    field: str
    description: str
    reason: str = ""


class Refusal(Exception):
    """A request that was understood and refused.

    `reason` is a value of an ``ErrorReason`` enum without its prefix, `message` is developer-facing English,
    `metadata` holds every dynamic value as text, `retry_after_seconds` says when a retry may help.
    """

    def __init__(
        self,
        kind: Kind,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: tuple[Violation, ...] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = violations
        self.retry_after_seconds = retry_after_seconds

    def __repr__(self) -> str:
        return (
            f"Refusal({self.kind.name}, {self.reason!r}, {self.message!r}, metadata={dict(self.metadata)!r})"
        )


def not_found(name: str) -> Refusal:
    """The resource does not exist, or the caller may not learn that it does: both look the same."""
    return Refusal(Kind.NOT_FOUND, "NOT_FOUND", f"{name} was not found", metadata={"resource": name})


def denied(action: str, name: str) -> Refusal:
    """The caller may see `name` but not do `action` to it."""
    metadata = {"action": action, "resource": name}
    return Refusal(Kind.DENIED, "PERMISSION_DENIED", f"not permitted to {action} {name}", metadata=metadata)


def stale_etag(name: str, expected: str, actual: str) -> Refusal:
    """The caller acted on an old version: `expected` is what was sent, `actual` what is stored."""
    return Refusal(
        Kind.STALE,
        "ETAG_MISMATCH",
        f"{name} has changed: etag {expected} was sent, {actual} is current",
        metadata={"resource": name, "expected": expected, "actual": actual},
    )


def invalid(field: str, description: str, *, reason: str = "VALIDATION_FAILED", **metadata: str) -> Refusal:
    """A value that can never be accepted, whatever the state of the system."""
    return Refusal(
        Kind.INVALID,
        reason,
        f"{field}: {description}" if field else description,
        metadata={"field": field, **metadata} if field else metadata,
        violations=(Violation(field, description, reason),) if field else (),
    )


def precondition(reason: str, message: str, **metadata: str) -> Refusal:
    """The state of the system forbids this now."""
    return Refusal(Kind.PRECONDITION, reason, message, metadata=metadata)


def exists(reason: str, message: str, **metadata: str) -> Refusal:
    """What was to be created is already there."""
    return Refusal(Kind.EXISTS, reason, message, metadata=metadata)


def unavailable(reason: str, message: str, *, retry_after_seconds: float = 1.0, **metadata: str) -> Refusal:
    """Something that this call needs cannot answer now; a retry may help."""
    return Refusal(
        Kind.UNAVAILABLE, reason, message, metadata=metadata, retry_after_seconds=retry_after_seconds
    )
