"""JSON -> protobuf message, compiled once per message type.

Follows the JSON mapping of protobuf and refuses what it does not know: an unknown or repeated key, a value of
another type, two members of one oneof. Every refusal is a `BadValue` that knows the field's path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcode import well_known
from gateway.transcode.bad_value import BadValue
from gateway.transcode.fields import is_map, message_of
from gateway.transcode.scalars import scalar_reader, text_reader

# Fills a message from a JSON value.
Fill = Callable[[Any, Any], None]
# Sets one field of a message from a JSON value.
Put = Callable[[Any, Any], None]


class NotJson(ValueError):
    """The text is not JSON; the message says where."""


def loads(body: bytes) -> Any:
    """Parses UTF-8 JSON strictly: no duplicate keys, no NaN, no byte order mark; raises NotJson."""
    try:
        return _decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotJson(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"line {error.lineno} column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError as error:
        raise NotJson(str(error)) from None


class JsonReader:
    """Compiles and keeps one function per message type."""

    def __init__(self) -> None:
        self._compiled: dict[str, Fill] = {}

    def message(self, descriptor: Descriptor) -> Fill:
        """A function that fills a message of this type from a JSON value; it raises BadValue."""
        known = self._compiled.get(descriptor.full_name)
        if known is not None:
            return known
        special = well_known.READERS.get(descriptor.full_name)
        if special is not None:
            self._compiled[descriptor.full_name] = special
            return special
        if descriptor.full_name in well_known.WRAPPERS:
            return self._wrapper(descriptor)
        return self._plain(descriptor)

    def field(self, field: FieldDescriptor) -> Put:
        """A function that sets one field; JSON null leaves the field unset."""
        if is_map(field):
            return self._map(field)
        if field.is_repeated:
            return self._list(field)
        put = self._single_message(field) if field.message_type is not None else _single_scalar(field)
        oneof = field.containing_oneof
        if oneof is None or len(oneof.fields) == 1:
            return put
        return _exclusive(oneof.name, put)

    def _wrapper(self, descriptor: Descriptor) -> Fill:
        read = scalar_reader(descriptor.fields_by_name["value"])

        def fill(message: Any, value: Any) -> None:
            message.value = read(value)

        self._compiled[descriptor.full_name] = fill
        return fill

    def _plain(self, descriptor: Descriptor) -> Fill:
        table: dict[str, tuple[str, Put]] = {}

        def fill(message: Message, value: Any) -> None:
            if type(value) is not dict:
                raise BadValue("must be an object")
            seen: set[str] = set()
            for key, item in value.items():
                entry = table.get(key)
                if entry is None:
                    raise BadValue("is not a field of the request").at(key[:80])
                name, put = entry
                if name in seen:
                    raise BadValue("is given twice, in two spellings").at(key)
                seen.add(name)
                try:
                    put(message, item)
                except BadValue as error:
                    raise error.at(key) from None

        self._compiled[descriptor.full_name] = fill
        for field in descriptor.fields:
            table[field.json_name] = table[field.name] = (field.name, self.field(field))
        return fill

    def _single_message(self, field: FieldDescriptor) -> Put:
        name, fill = field.name, self.message(message_of(field))
        # null is a value of its own here, everywhere else it means "not set".
        takes_null = message_of(field).full_name == "google.protobuf.Value"

        def put(message: Any, value: Any) -> None:
            if value is None and not takes_null:
                return
            part = getattr(message, name)
            part.SetInParent()
            fill(part, value)

        return put

    def _list(self, field: FieldDescriptor) -> Put:
        name = field.name
        read = self._element(field)

        def put(message: Any, value: Any) -> None:
            if value is None:
                return
            if type(value) is not list:
                raise BadValue("must be a list")
            container = getattr(message, name)
            for index, item in enumerate(value):
                try:
                    read(container, item)
                except BadValue as error:
                    raise error.at(index) from None

        return put

    def _element(self, field: FieldDescriptor) -> Put:
        """Appends one element to the field's container."""
        if field.message_type is None:
            read = scalar_reader(field)
            return lambda container, item: container.append(read(item))
        fill = self.message(field.message_type)
        return lambda container, item: fill(container.add(), item)

    def _map(self, field: FieldDescriptor) -> Put:
        name, entry = field.name, message_of(field)
        read_key = text_reader(entry.fields_by_name["key"])
        value_field = entry.fields_by_name["value"]
        fill = self.message(value_field.message_type) if value_field.message_type is not None else None
        read = scalar_reader(value_field) if fill is None else None

        def put(message: Any, value: Any) -> None:
            if value is None:
                return
            if type(value) is not dict:
                raise BadValue("must be an object")
            container = getattr(message, name)
            for key, item in value.items():
                try:
                    if fill is not None:
                        fill(container[read_key(key)], item)
                    elif read is not None:
                        container[read_key(key)] = read(item)
                except BadValue as error:
                    raise error.at(key[:80]) from None

        return put


def _single_scalar(field: FieldDescriptor) -> Put:
    name, read = field.name, scalar_reader(field)

    def put(message: Any, value: Any) -> None:
        if value is not None:
            setattr(message, name, read(value))

    return put


def _exclusive(oneof: str, put: Put) -> Put:
    def put_alone(message: Any, value: Any) -> None:
        if value is None:
            return
        if (other := message.WhichOneof(oneof)) is not None:
            raise BadValue(f"excludes {other}, which is given too")
        put(message, value)

    return put_alone


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key is given twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant).decode
