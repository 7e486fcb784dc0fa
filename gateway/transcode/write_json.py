"""Protobuf message -> JSON, compiled once per message type.

The result is the JSON mapping of protobuf with fields that have no presence always printed, so that a client
sees `false`, `0`, `""` and `[]` instead of a missing key. Two to three times as fast as `json_format`, which
asks the descriptors again for every field of every message; a property test holds the two equal.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcode import well_known
from gateway.transcode.fields import is_map, message_of

Convert = Callable[[Any], Any]

_INT64 = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)

_to_text = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON of a value that a writer returned."""
    return _to_text(value).encode()


class JsonWriter:
    """Compiles and keeps one function per message type."""

    def __init__(self) -> None:
        self._compiled: dict[str, Convert] = {}

    def message(self, descriptor: Descriptor) -> Convert:
        """A function from a message of this type to a value for `dumps`."""
        known = self._compiled.get(descriptor.full_name)
        if known is not None:
            return known
        special = well_known.WRITERS.get(descriptor.full_name)
        if special is not None:
            self._compiled[descriptor.full_name] = special
            return special
        if descriptor.full_name in well_known.WRAPPERS:
            return self._wrapper(descriptor)
        return self._plain(descriptor)

    def field(self, field: FieldDescriptor) -> Convert:
        """A function from the value of one field (list, map, message or scalar) to a value for `dumps`."""
        return self._converter(field) or _unchanged

    def _wrapper(self, descriptor: Descriptor) -> Convert:
        convert = _scalar(descriptor.fields_by_name["value"]) or _unchanged

        def write(message: Any) -> Any:
            return convert(message.value)

        self._compiled[descriptor.full_name] = write
        return write

    def _plain(self, descriptor: Descriptor) -> Convert:
        defaults: dict[str, Any] = {}
        table: dict[FieldDescriptor, tuple[str, Convert | None]] = {}

        def write(message: Message) -> dict[str, Any]:
            result = defaults.copy()
            for field, value in message.ListFields():
                key, convert = table[field]
                result[key] = value if convert is None else convert(value)
            return result

        # Registered before its fields are compiled: types may contain themselves.
        self._compiled[descriptor.full_name] = write
        for field in descriptor.fields:
            table[field] = (field.json_name, self._converter(field))
            if not field.has_presence:
                defaults[field.json_name] = _default(field)
        return write

    def _converter(self, field: FieldDescriptor) -> Convert | None:
        if is_map(field):
            return self._map(field)
        single = self._single(field)
        if not field.is_repeated:
            return single
        if single is None:
            return list
        convert = single
        return lambda values: [convert(value) for value in values]

    def _single(self, field: FieldDescriptor) -> Convert | None:
        return self.message(field.message_type) if field.message_type is not None else _scalar(field)

    def _map(self, field: FieldDescriptor) -> Convert:
        entry = message_of(field)
        convert_key = _map_key(entry.fields_by_name["key"])
        convert = self._single(entry.fields_by_name["value"]) or _unchanged
        return lambda values: {convert_key(key): convert(value) for key, value in values.items()}


def _default(field: FieldDescriptor) -> Any:
    if is_map(field):
        return {}
    if field.is_repeated:
        return []
    convert = _scalar(field)
    return field.default_value if convert is None else convert(field.default_value)


def _scalar(field: FieldDescriptor) -> Convert | None:
    """`None` where the Python value is the JSON value already."""
    if field.cpp_type in _INT64:
        return str
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _base64
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return _double
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return _float
    return None


def _enum(enum: EnumDescriptor) -> Convert:
    if enum.full_name == "google.protobuf.NullValue":
        return lambda _: None
    names = {number: value.name for number, value in enum.values_by_number.items()}
    # A number from a newer contract is passed on as it is.
    return lambda number: names.get(number, number)


def _map_key(field: FieldDescriptor) -> Callable[[Any], str]:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda key: "true" if key else "false"
    return str


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _float(value: float) -> float | str:
    """The shortest decimal that reads back as the same 32-bit number."""
    if not math.isfinite(value):
        return _double(value)
    for digits in range(6, 9):
        shorter = float(f"{value:.{digits}g}")
        if struct.unpack("<f", struct.pack("<f", shorter))[0] == value:
            return shorter
    return float(f"{value:.9g}")


def _unchanged(value: Any) -> Any:
    return value
