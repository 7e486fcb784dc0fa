"""Values that every service's wire translates: time, money, the actions of a resource, files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money as WireMoney

from chassis.kernel.machine import ActionState
from chassis.kernel.money import Money, from_units_nanos
from chassis.kernel.refusal import invalid
from parley.type.v1.download_pb2 import Download

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXPLANATIONS = {
    "TRANSITION_FORBIDDEN": "the present state does not allow it",
    "PERMISSION_DENIED": "your role does not allow it",
}
"""English for the shared reasons; a service passes its own beside them."""


def timestamp(instant: datetime) -> Timestamp:
    """The wire form of an aware instant."""
    message = Timestamp()
    write_timestamp(instant, message)
    return message


def write_timestamp(instant: datetime, target: Timestamp) -> None:
    """The same into a message that is there already, for hot paths."""
    since = instant - _EPOCH
    target.seconds = since.days * 86400 + since.seconds
    target.nanos = since.microseconds * 1000


def optional_timestamp(instant: datetime | None) -> Timestamp | None:
    """The wire form; None stays None, which leaves the field absent."""
    return None if instant is None else timestamp(instant)


def instant(message: Timestamp, *, field: str = "") -> datetime:
    """The instant of a timestamp, cut to microseconds. Refusal INVALID outside of the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
    except OverflowError:
        raise invalid(field, "is out of range") from None


def optional_instant(message: Any, field: str, *, path: str = "") -> datetime | None:
    """The instant of the timestamp `field` of `message`; None where it is absent."""
    return instant(getattr(message, field), field=path or field) if message.HasField(field) else None


def reason_text(text: str, *, is_other: bool, value: str) -> str:
    """The words to a reason. Refusal VALIDATION_FAILED where the reason is `value`, something else, and
    nothing in them can be seen: a rule of the contract over two fields would name neither of them.
    """
    if is_other and not any(letter.isprintable() and letter != " " for letter in text):
        raise invalid("text", f"must say why where the reason is {value}")
    return text


def wire_money(money: Money) -> WireMoney:
    """The wire form of an amount."""
    units, nanos = money.units_nanos()
    return WireMoney(currency_code=money.currency, units=units, nanos=nanos)


def money(message: WireMoney, *, field: str) -> Money:
    """The amount. Refusal AMOUNT_INVALID for an unknown currency or a part finer than its smallest unit."""
    return from_units_nanos(message.currency_code, message.units, message.nanos, field=field)


def write_actions(resource: Any, actions: Iterable[ActionState], *, explanations: dict[str, str]) -> None:
    """Fills `allowed_actions` and `unavailable_actions` of a resource message.

    `explanations` are the English sentences for the service's own reasons.
    """
    for action in actions:
        if action.allowed:
            resource.allowed_actions.append(action.action)
        else:
            resource.unavailable_actions.add(
                action=action.action,
                reason=action.reason,
                explanation=explanations.get(action.reason) or EXPLANATIONS.get(action.reason, ""),
            )


def file_piece(content_type: str, data: bytes, *, filename: str = "") -> HttpBody:
    """Bytes of a file that is downloaded; at least its first piece says how it is called."""
    body = HttpBody(content_type=content_type, data=data)
    if filename:
        named = AnyMessage()
        named.Pack(Download(filename=filename))
        body.extensions.append(named)
    return body
