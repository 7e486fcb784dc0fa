"""The types of `google.protobuf` that have a JSON form of their own: timestamps, durations, field masks, …

Readers take a JSON value and fill a message; writers take a message and return a JSON value. Both follow the
JSON mapping of protobuf. The one liberty: field masks are accepted with `snake_case` paths too, because
callers write proto names as often as JSON names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf import duration_pb2, field_mask_pb2, json_format, struct_pb2, timestamp_pb2

from gateway.transcode.bad_value import BadValue

# Any of them is a google.protobuf message; their types have no common base that carries the fields.
Writer = Callable[[Any], Any]
Reader = Callable[[Any, Any], None]

WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
"""Full names of the messages that stand for one nullable scalar, held in their field `value`."""

_SECONDS_MIN, _SECONDS_MAX = -62_135_596_800, 253_402_300_799
_DURATION_SECONDS_MAX = 315_576_000_000
_NESTING_MAX = 100

_SNAKE_HUMP = re.compile(r"_([a-z])")
_CAMEL_HUMP = re.compile(r"([A-Z])")
_MASK_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s")
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def write_timestamp(message: timestamp_pb2.Timestamp) -> str:
    """RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits."""
    instant = _EPOCH + timedelta(seconds=message.seconds)
    # 19 characters: without the offset, which is always that of UTC.
    return f"{instant.isoformat()[:19]}{_fraction(message.nanos)}Z"


def read_timestamp(message: timestamp_pb2.Timestamp, value: Any) -> None:
    """Accepts RFC 3339 with `Z` or an offset, years 1 to 9999."""
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    if match is None:
        raise BadValue("must be a timestamp such as 2026-06-01T08:30:00Z")
    try:
        instant = datetime.fromisoformat(match[1] + (match[3].replace("z", "Z")))
        seconds = (instant - _EPOCH) // _SECOND
    except (ValueError, OverflowError):
        raise BadValue("is not a date and time that exists") from None
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        raise BadValue("must be between the years 1 and 9999")
    message.seconds = seconds
    message.nanos = int((match[2] or "").ljust(9, "0"))


def write_duration(message: duration_pb2.Duration) -> str:
    """Seconds with the suffix `s` and 0, 3, 6 or 9 fractional digits: `1.500s`."""
    sign = "-" if message.seconds < 0 or message.nanos < 0 else ""
    return f"{sign}{abs(message.seconds)}{_fraction(abs(message.nanos))}s"


def read_duration(message: duration_pb2.Duration, value: Any) -> None:
    """Accepts up to 9 fractional digits and about 10,000 years in either direction."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    if match is None:
        raise BadValue("must be a duration in seconds such as 3600s or 1.5s")
    sign = -1 if match[1] else 1
    seconds = int(match[2])
    if seconds > _DURATION_SECONDS_MAX:
        raise BadValue(f"must be at most {_DURATION_SECONDS_MAX} seconds")
    message.seconds = sign * seconds
    message.nanos = sign * int((match[3] or "").ljust(9, "0"))


def write_field_mask(message: field_mask_pb2.FieldMask) -> str:
    """Paths in lowerCamelCase, separated by commas."""
    return ",".join(_SNAKE_HUMP.sub(lambda hump: hump[1].upper(), path) for path in message.paths)


def read_field_mask(message: field_mask_pb2.FieldMask, value: Any) -> None:
    """Accepts paths in lowerCamelCase or snake_case, separated by commas; `*` alone passes."""
    if not isinstance(value, str):
        raise BadValue("must be field paths separated by commas")
    paths = value.split(",") if value else []
    for path in paths:
        if path != "*" and not (path.isascii() and _MASK_PATH.fullmatch(path)):
            raise BadValue(f"has an invalid field path {path[:80]!r}")
    message.paths.extend(_CAMEL_HUMP.sub(lambda hump: "_" + hump[1].lower(), path) for path in paths)


def write_value(message: struct_pb2.Value) -> Any:
    """A free JSON value."""
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return write_struct(message.struct_value)
    if kind == "list_value":
        return write_list(message.list_value)
    if kind == "number_value":
        number = message.number_value
        # -0.0 would lose its sign as an integer.
        is_negative_zero = number == 0 and math.copysign(1.0, number) < 0
        return int(number) if number.is_integer() and not is_negative_zero else number
    return None if kind in (None, "null_value") else getattr(message, kind)


def write_struct(message: struct_pb2.Struct) -> dict[str, Any]:
    """A free JSON object."""
    return {key: write_value(value) for key, value in message.fields.items()}


def write_list(message: struct_pb2.ListValue) -> list[Any]:
    """A free JSON list."""
    return [write_value(value) for value in message.values]


def read_value(message: struct_pb2.Value, value: Any, depth: int = 0) -> None:
    """Any JSON value."""
    if value is None:
        message.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, (int, float)):
        message.number_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, dict):
        message.struct_value.SetInParent()
        read_struct(message.struct_value, value, depth + 1)
    else:
        message.list_value.SetInParent()
        read_list(message.list_value, value, depth + 1)


def read_struct(message: struct_pb2.Struct, value: Any, depth: int = 0) -> None:
    """Any JSON object."""
    if not isinstance(value, dict):
        raise BadValue("must be an object")
    _refuse_depth(depth)
    for key, item in value.items():
        read_value(message.fields[key], item, depth)


def read_list(message: struct_pb2.ListValue, value: Any, depth: int = 0) -> None:
    """Any JSON list."""
    if not isinstance(value, list):
        raise BadValue("must be a list")
    _refuse_depth(depth)
    for item in value:
        read_value(message.values.add(), item, depth)


def write_any(message: Any) -> Any:
    """An `Any` with its `@type`; the embedded type has to be known to this process."""
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def read_any(message: Any, value: Any) -> None:
    """An object with `@type`."""
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, AttributeError, TypeError) as error:
        raise BadValue("must be an object whose @type is known and whose fields fit it") from error


def _fraction(nanos: int) -> str:
    if nanos == 0:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03d}"
    if nanos % 1_000 == 0:
        return f".{nanos // 1_000:06d}"
    return f".{nanos:09d}"


def _refuse_depth(depth: int) -> None:
    if depth > _NESTING_MAX:
        raise BadValue(f"is nested more than {_NESTING_MAX} levels deep")


WRITERS: Mapping[str, Writer] = {
    "google.protobuf.Timestamp": write_timestamp,
    "google.protobuf.Duration": write_duration,
    "google.protobuf.FieldMask": write_field_mask,
    "google.protobuf.Value": write_value,
    "google.protobuf.Struct": write_struct,
    "google.protobuf.ListValue": write_list,
    "google.protobuf.Any": write_any,
}

READERS: Mapping[str, Reader] = {
    "google.protobuf.Timestamp": read_timestamp,
    "google.protobuf.Duration": read_duration,
    "google.protobuf.FieldMask": read_field_mask,
    "google.protobuf.Value": read_value,
    "google.protobuf.Struct": read_struct,
    "google.protobuf.ListValue": read_list,
    "google.protobuf.Any": read_any,
}
