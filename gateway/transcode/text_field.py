"""Request fields that are given as text: captured from the path or named in the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcode import well_known
from gateway.transcode.bad_value import BadValue
from gateway.transcode.fields import field_named, is_map, message_of
from gateway.transcode.scalars import Read, text_reader

# Sets a field from the texts that were given for it, at least one.
PutTexts = Callable[[Any, Sequence[str]], None]

# Types with a JSON form that is one string.
_TEXTUAL = ("google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask")

# A type may contain itself; without a bound the names of its query parameters would never end.
DEPTH_MAX = 8


def resolve(descriptor: Descriptor, path: str) -> tuple[FieldDescriptor, ...] | None:
    """The fields along a dotted path of proto or JSON names; `None` where there is none."""
    parts = path.split(".")
    if len(parts) > DEPTH_MAX:
        return None
    fields: list[FieldDescriptor] = []
    for part in parts:
        if fields:
            parent = fields[-1]
            if parent.message_type is None or parent.is_repeated or _has_own_form(parent.message_type):
                return None
            descriptor = parent.message_type
        field = field_named(descriptor, part)
        if field is None:
            return None
        fields.append(field)
    return tuple(fields)


def takes_text(field: FieldDescriptor) -> bool:
    """Whether a value of the field (an element, if it is repeated) can be written as one text."""
    if field.message_type is None:
        return True
    return not is_map(field) and _has_text_form(field.message_type)


def text_putter(fields: tuple[FieldDescriptor, ...]) -> PutTexts:
    """The setter of the field at the end of a resolved path; it raises BadValue."""
    parents = tuple(field.name for field in fields[:-1])
    leaf = fields[-1]
    put = _list_putter(leaf) if leaf.is_repeated else _single_putter(leaf)
    if not parents:
        return put

    def put_nested(message: Any, texts: Sequence[str]) -> None:
        for name in parents:
            message = getattr(message, name)
        put(message, texts)

    return put_nested


def _has_own_form(descriptor: Descriptor) -> bool:
    return descriptor.full_name in well_known.READERS or descriptor.full_name in well_known.WRAPPERS


def _has_text_form(descriptor: Descriptor) -> bool:
    return descriptor.full_name in _TEXTUAL or descriptor.full_name in well_known.WRAPPERS


def _single_putter(field: FieldDescriptor) -> PutTexts:
    name = field.name
    oneof = field.containing_oneof.name if field.containing_oneof is not None else ""
    set_text = (
        _message_setter(field) if field.message_type is not None else _scalar_setter(name, text_reader(field))
    )

    def put(message: Any, texts: Sequence[str]) -> None:
        if len(texts) > 1:
            raise BadValue("is given more than once")
        if oneof and (other := message.WhichOneof(oneof)) not in (None, name):
            raise BadValue(f"excludes {other}, which is given too")
        set_text(message, texts[0])

    return put


def _scalar_setter(name: str, read: Read) -> Callable[[Any, str], None]:
    return lambda message, text: setattr(message, name, read(text))


def _message_setter(field: FieldDescriptor) -> Callable[[Any, str], None]:
    name, fill = field.name, _filler(message_of(field))

    def set_text(message: Any, text: str) -> None:
        part = getattr(message, name)
        part.SetInParent()
        fill(part, text)

    return set_text


def _list_putter(field: FieldDescriptor) -> PutTexts:
    name = field.name
    if field.message_type is not None:
        fill = _filler(message_of(field))

        def put_messages(message: Any, texts: Sequence[str]) -> None:
            for text in texts:
                fill(getattr(message, name).add(), text)

        return put_messages
    read = text_reader(field)
    return lambda message, texts: getattr(message, name).extend([read(text) for text in texts])


def _filler(descriptor: Descriptor) -> Callable[[Any, str], None]:
    if descriptor.full_name in well_known.READERS:
        return well_known.READERS[descriptor.full_name]
    return _scalar_setter("value", text_reader(descriptor.fields_by_name["value"]))
