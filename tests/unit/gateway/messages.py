"""Random messages of any type, for property tests."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

DEPTH_MAX = 2

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SECONDS = st.integers(-62_135_596_800, 253_402_300_799)
_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_MASK_PATHS = st.from_regex(r"[a-z]{1,6}(_[a-z]{1,4})?(\.[a-z]{1,6})?", fullmatch=True)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Any:
    """A message with some of its fields set."""
    message: Any = GetMessageClass(descriptor)()
    if descriptor.full_name.startswith("google.protobuf.") and "value" not in descriptor.fields_by_name:
        draw_well_known(draw, message)
        return message
    for field in descriptor.fields:
        if draw(st.booleans()):
            draw_field(draw, message, field, depth)
    return message


def draw_well_known(draw: st.DrawFn, message: Any) -> None:
    """Wrappers are not among them: they are drawn like any message."""
    match message.DESCRIPTOR.name:
        case "Timestamp":
            message.seconds, message.nanos = draw(SECONDS), draw(nanos())
        case "Duration":
            sign = draw(st.sampled_from([1, -1]))
            message.seconds = sign * draw(st.integers(0, 315_576_000_000))
            message.nanos = sign * draw(nanos())
        case "FieldMask":
            message.paths.extend(draw(st.lists(_MASK_PATHS, max_size=3)))
        case "Value":
            draw_value(draw, message)
        case "Struct":
            for key in draw(st.sets(TEXT, max_size=2)):
                draw_value(draw, message.fields[key])
        case "ListValue":
            for _ in range(draw(st.integers(0, 2))):
                draw_value(draw, message.values.add())


def nanos() -> st.SearchStrategy[int]:
    return st.one_of(
        st.just(0), st.integers(0, 999).map(lambda n: n * 1_000_000), st.integers(0, 999_999_999)
    )


def draw_value(draw: st.DrawFn, value: Any) -> None:
    kind = draw(st.sampled_from(["null", "bool", "number", "string", "list"]))
    if kind == "null":
        value.null_value = 0
    elif kind == "bool":
        value.bool_value = draw(st.booleans())
    elif kind == "number":
        value.number_value = draw(st.floats(allow_nan=False, allow_infinity=False, width=32))
    elif kind == "string":
        value.string_value = draw(TEXT)
    else:
        value.list_value.values.add().bool_value = True


def draw_field(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    inner = field.message_type
    if inner is not None and inner.full_name == "google.protobuf.Any":
        return
    if inner is not None and inner.GetOptions().map_entry:
        draw_map(draw, getattr(message, field.name), inner, depth)
    elif inner is not None and (depth < DEPTH_MAX or inner.full_name.startswith("google.protobuf.")):
        for _ in range(draw(st.integers(1, 2)) if field.is_repeated else 1):
            target = getattr(message, field.name)
            part = target.add() if field.is_repeated else target
            part.CopyFrom(draw(messages(inner, depth + 1)))
    elif inner is None and field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(scalars(field), min_size=1, max_size=3)))
    elif inner is None:
        setattr(message, field.name, draw(scalars(field)))


def draw_map(draw: st.DrawFn, container: Any, entry: Descriptor, depth: int) -> None:
    value = entry.fields_by_name["value"]
    for key in draw(st.sets(scalars(entry.fields_by_name["key"]), max_size=2)):
        if value.message_type is None:
            container[key] = draw(scalars(value))
        elif depth < DEPTH_MAX:
            container[key].CopyFrom(draw(messages(value.message_type, depth + 1)))


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of a scalar field."""
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXT
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=9)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return st.floats(width=32, allow_nan=False) | st.just(math.nan)
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return st.floats(allow_nan=False) | st.just(math.nan)
    return st.integers(*_RANGES[field.cpp_type])
