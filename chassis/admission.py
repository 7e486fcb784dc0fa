"""Whether a request may reach its method: the method's rule, the rules of its fields, its idempotency key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import grpc
import protovalidate
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from chassis import metrics
from chassis.auth import rule_of, unauthenticated
from chassis.call import Call
from chassis.idempotency import IdempotencyKey
from chassis.kernel.caller import ANONYMOUS, Relation, Role, Rule
from chassis.kernel.refusal import Kind, Refusal, Violation, denied, invalid, not_found
from chassis.rule_words import describe

MESSAGE_LIMIT_BYTES = 4 * 1024 * 1024
REQUEST_ID = "request_id"

_REFUSE_EVERYBODY = Rule(Relation.PARTY, frozenset())


class Method:
    """What is known about a method before any call arrives."""

    __slots__ = (
        "authorize",
        "declared",
        "mutating",
        "path",
        "request_class",
        "rule",
        "seconds",
        "succeeded",
        "valid",
    )

    def __init__(self, path: str) -> None:
        """KeyError where no descriptor of this method is loaded."""
        descriptor = descriptor_pool.Default().FindMethodByName(path.lstrip("/").replace("/", "."))
        rule = rule_of(descriptor)
        self.path = path
        self.declared = rule is not None
        self.rule = rule or _REFUSE_EVERYBODY
        self.request_class = message_factory.GetMessageClass(descriptor.input_type)
        self.mutating = REQUEST_ID in descriptor.input_type.fields_by_name
        self.authorize = _authorization(self)
        self.valid = None if self.mutating else known_requests(descriptor.input_type)
        self.seconds: dict[grpc.StatusCode, Callable[[float], None]] = {}
        self.succeeded = self.measure(grpc.StatusCode.OK)

    def read(self, raw: bytes) -> Any:
        """The request that was sent. Refusals PAYLOAD_TOO_LARGE, MALFORMED_REQUEST."""
        if len(raw) > MESSAGE_LIMIT_BYTES:
            metadata = {"limit_bytes": str(MESSAGE_LIMIT_BYTES)}
            raise Refusal(Kind.EXHAUSTED, "PAYLOAD_TOO_LARGE", "the request is too large", metadata=metadata)
        try:
            return self.request_class.FromString(raw)
        except (DecodeError, UnicodeDecodeError):
            metadata = {"problem": "not a message of the expected type"}
            raise Refusal(
                Kind.INVALID, "MALFORMED_REQUEST", "the request cannot be decoded", metadata=metadata
            ) from None

    def measure(self, code: grpc.StatusCode) -> Callable[[float], None]:
        """The pre-bound histogram of an outcome."""
        observe = self.seconds.get(code)
        if observe is None:
            observe = self.seconds[code] = metrics.CALL_SECONDS.of(self.path.lstrip("/"), code.name)
        return observe


# -------------------------------------------------------------------------------- validation

KNOWN_REQUESTS = 2_048
KNOWN_REQUEST_BYTES = 256


class KnownRequests:
    """Requests of one method that kept all rules, as they were sent.

    A reading method is asked about the same package or order again and again, and evaluating the rules costs
    more than the rest of the admission.
    """

    __slots__ = ("_encodings",)

    def __init__(self) -> None:
        self._encodings: set[bytes] = set()

    def __contains__(self, encoding: bytes) -> bool:
        return encoding in self._encodings

    def add(self, encoding: bytes) -> None:
        """Remembers a request without violations; a long one is not worth the room."""
        if len(encoding) > KNOWN_REQUEST_BYTES:
            return
        if len(self._encodings) >= KNOWN_REQUESTS:
            self._encodings.clear()
        self._encodings.add(encoding)


def known_requests(request: Descriptor) -> KnownRequests | None:
    """None where what the rules say may depend on more than the request, namely on the present time."""
    options = [request.GetOptions(), *(field.GetOptions() for field in request.fields)]
    if any(field.message_type is not None for field in request.fields) or any(
        b"now" in held.SerializeToString() for held in options
    ):
        return None
    return KnownRequests()


# -------------------------------------------------------------------------------- authorization


def identified(method: Method, call: Call) -> None:
    """Refuse a stranger, who learns nothing, not even that the request is malformed."""
    if call.caller is ANONYMOUS and method.rule.relation is not Relation.PUBLIC:
        raise unauthenticated("missing")


def _authorization(method: Method) -> Callable[[Call, Any], None]:
    """The check that a method's rule compiles to; what the rule leaves open, `Call.party` decides."""
    if not method.declared:
        return _refuse
    rule = method.rule
    match rule.relation:
        case Relation.PUBLIC:
            return _allow
        case Relation.SELF:
            return _self(rule.roles)
        case Relation.TEAM:
            return _team(rule)
    return _party


def _refuse(call: Call, _request: Any) -> None:
    raise Refusal(
        Kind.DENIED,
        "METHOD_NOT_AUTHORIZED",
        "this method refuses everybody",
        metadata={"method": call.method},
    )


def _allow(_call: Call, _request: Any) -> None:
    return None


def _party(call: Call, _request: Any) -> None:
    if call.caller is ANONYMOUS:
        raise unauthenticated("missing")


def _self(roles: frozenset[Role]) -> Callable[[Call, Any], None]:
    def check(call: Call, _request: Any) -> None:
        caller = call.caller
        if caller is ANONYMOUS:
            raise unauthenticated("missing")
        if caller.roles.isdisjoint(roles):
            raise denied(call.action, caller.user)

    return check


def _team(rule: Rule) -> Callable[[Call, Any], None]:
    path = rule.seller_field.split(".")

    def check(call: Call, request: Any) -> None:
        caller = call.caller
        if caller is ANONYMOUS:
            raise unauthenticated("missing")
        value = request
        for field in path:
            value = getattr(value, field)
        seller = seller_of(value)
        if not seller:
            raise invalid(rule.seller_field, "must begin with sellers/{seller}")
        role = caller.teams.get(seller)
        if role is not None:
            if role in rule.roles:
                return
            if not _is_staff(call):
                raise denied(call.action, value)
        elif not _is_staff(call):
            raise not_found(value)

    return check


def _is_staff(call: Call) -> bool:
    caller, roles = call.caller, call.rule.roles
    return (caller.is_operator and Role.OPERATOR in roles) or (caller.is_service and Role.SERVICE in roles)


def seller_of(name: str) -> str:
    """`sellers/acme` out of `sellers/acme/listings/logo`; empty for a name of another shape."""
    parts = name.split("/", 2)
    return f"sellers/{parts[1]}" if len(parts) > 1 and parts[0] == "sellers" and parts[1] else ""


# -------------------------------------------------------------------------------- validation, keys


_RULES: Final = protovalidate.Validator()
"""Compiles the rules of a message once for the process."""


def compile_rules(request: Message) -> None:
    """Makes the rules of this kind of request ready. Raises what protovalidate raises for a broken one."""
    _RULES.collect_violations(request)


def check_rules(request: Message) -> None:
    """Refusal VALIDATION_FAILED where fields break declared rules."""
    violations = _RULES.collect_violations(request)
    if violations:
        raise _violated(violations, request.DESCRIPTOR)


def _violated(violations: list[Any], request: Any) -> Refusal:
    found = []
    for violation in violations:
        description = describe(violation, request)
        found.append(Violation(_path(violation.proto.field), description, "VALIDATION_FAILED"))
    first = found[0]
    return Refusal(
        Kind.INVALID,
        "VALIDATION_FAILED",
        f"{first.field}: {first.description}" if first.field else first.description,
        metadata={"field": first.field},
        violations=tuple(found),
    )


def _path(field: Any) -> str:
    path = ""
    for element in field.elements if field is not None else ():
        path += f".{element.field_name}" if path else element.field_name
        key = element.subscript
        if key is not None:
            value = key.value
            path += f'["{value}"]' if isinstance(value, str) else f"[{value}]"
    return path


def idempotency_key(method: Method, call: Call, request: Any) -> IdempotencyKey:
    """The key of a call; its fingerprint covers everything but the key itself."""
    key = request.request_id
    request.ClearField(REQUEST_ID)
    fingerprint = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
    request.request_id = key
    return IdempotencyKey(call.caller.user, method.path, key, fingerprint)
