"""JSON value -> the Python value of one scalar protobuf field; a function per kind of field."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from gateway.transcode.bad_value import BadValue

Read = Callable[[Any], Any]

_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]{0,19})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,399})(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?")
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_INTEGER_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def scalar_reader(field: FieldDescriptor) -> Read:
    """The reader of one value of a scalar field (of one element, if the field is repeated)."""
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _string
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _bool
    if field.cpp_type in _INTEGER_RANGES:
        return _integer(*_INTEGER_RANGES[field.cpp_type])
    return _float if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT else _double


def text_reader(field: FieldDescriptor) -> Read:
    """Like `scalar_reader`, for text from a path, a query or a map's key: `true` and `7` come unquoted."""
    read = scalar_reader(field)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _bool_text
    if field.enum_type is not None:
        return lambda text: read(int(text) if _DIGITS.fullmatch(text) else text)
    return read


def _string(value: Any) -> str:
    if type(value) is not str:
        raise BadValue("must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadValue("contains half of a surrogate pair") from None
    return value


def _bool(value: Any) -> bool:
    if value is not True and value is not False:
        raise BadValue("must be true or false")
    return value


def _bool_text(value: str) -> bool:
    if value not in ("true", "false"):
        raise BadValue("must be true or false")
    return value == "true"


def _integer(low: int, high: int) -> Read:
    def read(value: Any) -> int:
        if type(value) is int:
            number = value
        elif (type(value) is str and _DIGITS.fullmatch(value)) or (
            type(value) is float and value.is_integer()
        ):
            number = int(value)
        else:
            raise BadValue("must be an integer")
        if not low <= number <= high:
            raise BadValue(f"must be between {low} and {high}")
        return number

    return read


def _double(value: Any) -> float:
    if type(value) is str:
        if value in _SPECIAL_FLOATS:
            return _SPECIAL_FLOATS[value]
        if not _NUMBER.fullmatch(value):
            raise BadValue("must be a number")
    elif type(value) not in (int, float):
        raise BadValue("must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise BadValue("is too large for a 64-bit number")
    return number


def _float(value: Any) -> float:
    number = _double(value)
    try:
        struct.pack("<f", number)
    except OverflowError:
        raise BadValue("is too large for a 32-bit number") from None
    return number


def _bytes(value: Any) -> bytes:
    if type(value) is not str:
        raise BadValue("must be base64 text")
    padded = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadValue("is not valid base64") from None


def _enum(enum: EnumDescriptor) -> Read:
    numbers = {name: value.number for name, value in enum.values_by_name.items()}
    expected = f"must be one of {', '.join(numbers)}"

    def read(value: Any) -> int:
        if type(value) is str:
            if value not in numbers:
                raise BadValue(expected)
            return numbers[value]
        if type(value) is int and -(2**31) <= value < 2**31:
            return value
        raise BadValue(expected)

    return read
