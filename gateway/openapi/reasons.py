"""The closed lists of refusals: each `ErrorReason` with its code, its meaning and an example.

The comment of each value has a form that the contract prescribes::

    // FAILED_PRECONDITION. The offer has expired.
    // Metadata: `{"expire_time": "2026-06-01T08:30:00Z"}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import EnumDescriptor, ServiceDescriptor

from chassis.status import REASON_PREFIX, SHARED_DOMAIN
from gateway.errors import HTTP_STATUS, Extras, Problem, Violation, json_path
from gateway.openapi.comments import Comments

SHARED_ENUM = "parley.type.v1.ErrorReason"
_ENUM = "ErrorReason"
_NEVER_SENT = 0

_CODE = re.compile(r"\s*([A-Z_]+)\b(?: \(HTTP (\d{3})[^)]*\))?[.:]?\s*")
_METADATA = re.compile(r"\s*Metadata: `(\{.*?\})`[^.]*\.?", re.DOTALL)
_WORD = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b[A-Z]{5,}\b")
_CODES = {code.name: code for code in grpc.StatusCode}
_EXAMPLE_INSTANCE = "/v1/…"
_EXAMPLE_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass(frozen=True, slots=True)
class Reason:
    """One refusal. `code` is empty and `status` 400 where the comment does not say."""

    name: str
    domain: str
    code: str
    status: int
    text: str
    metadata: dict[str, str]

    @property
    def key(self) -> str:
        """A name that is unique over all domains: `offers.OFFER_EXPIRED`, `parley.NOT_FOUND`."""
        return f"{self.domain.removesuffix(f'.{SHARED_DOMAIN}')}.{self.name}"

    def example(self) -> dict[str, Any]:
        """A problem document as a caller would get it."""
        violations: tuple[Violation, ...] = ()
        if self.code == "INVALID_ARGUMENT" and "field" in self.metadata:
            violations = (Violation(json_path(self.metadata["field"]), "…", self.name),)
        detail = self.text.split(". ")[0].rstrip(".") or self.name
        problem = Problem(
            self.status, self.name, detail, Extras(self.domain, metadata=self.metadata, violations=violations)
        )
        return problem.as_json(_EXAMPLE_INSTANCE, _EXAMPLE_TRACE)


class Catalogue:
    """All reasons of a contract by domain."""

    def __init__(self, services: Iterable[ServiceDescriptor], comments: Comments) -> None:
        self.shared: dict[str, Reason] = {}
        self.by_service: dict[str, dict[str, Reason]] = {}
        for service in services:
            pool, package = service.file.pool, service.file.package
            if not self.shared:
                self.shared = _reasons(_find(pool, SHARED_ENUM), SHARED_DOMAIN, comments)
            if package not in self.by_service:
                domain = f"{package.split('.')[1]}.{SHARED_DOMAIN}"
                self.by_service[package] = _reasons(_find(pool, f"{package}.{_ENUM}"), domain, comments)

    def all(self) -> list[Reason]:
        """Every reason, the shared ones first."""
        owned = [reason for reasons in self.by_service.values() for reason in reasons.values()]
        return [*self.shared.values(), *owned]

    def named_in(self, text: str, package: str) -> list[Reason]:
        """The reasons that a comment of the package mentions, in its order."""
        known = self.shared | self.by_service.get(package, {})
        names = dict.fromkeys(_WORD.findall(text))
        return [known[name] for name in names if name in known]


def _find(pool: Any, full_name: str) -> EnumDescriptor | None:
    try:
        found: EnumDescriptor = pool.FindEnumTypeByName(full_name)
    except KeyError:
        return None
    return found


def _reasons(enum: EnumDescriptor | None, domain: str, comments: Comments) -> dict[str, Reason]:
    if enum is None:
        return {}
    found = [
        _reason(value.name.removeprefix(REASON_PREFIX), domain, comments.of(f"{enum.full_name}.{value.name}"))
        for value in enum.values
        if value.number != _NEVER_SENT
    ]
    return {reason.name: reason for reason in found}


def _reason(name: str, domain: str, comment: str) -> Reason:
    metadata: dict[str, str] = {}
    if (example := _METADATA.search(comment)) is not None:
        try:
            metadata = {key: str(value) for key, value in json.loads(example[1]).items()}
        except (ValueError, AttributeError):
            metadata = {}
        comment = comment[: example.start()] + comment[example.end() :]
    code, status = "", 400
    if (head := _CODE.match(comment)) is not None and head[1] in _CODES:
        code = head[1]
        status = int(head[2]) if head[2] else HTTP_STATUS[_CODES[code]]
        comment = comment[head.end() :]
    return Reason(name, domain, code, status, comment.strip(), metadata)
