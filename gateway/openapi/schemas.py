"""Message and enum types as JSON Schemas, in the form that their JSON has."""

from __future__ import annotations

from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.openapi.comments import Comments
from gateway.openapi.rules import Schema, constraints, field_rules, item_constraints, message_rules, rules_of
from gateway.transcode.fields import is_map, message_of

_DURATION = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$", "examples": ["3600s"]}
_INTEGER_TEXT = {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}

WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": _DURATION,
    "google.protobuf.FieldMask": {"type": "string", "examples": ["title,description"]},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
    },
    "google.protobuf.BoolValue": {"type": ["boolean", "null"]},
    "google.protobuf.StringValue": {"type": ["string", "null"]},
    "google.protobuf.BytesValue": {"type": ["string", "null"], "contentEncoding": "base64"},
    "google.protobuf.Int32Value": {"type": ["integer", "null"], "format": "int32"},
    "google.protobuf.UInt32Value": {"type": ["integer", "null"], "format": "uint32"},
    "google.protobuf.Int64Value": {**_INTEGER_TEXT, "type": ["string", "null"]},
    "google.protobuf.UInt64Value": {**_INTEGER_TEXT, "type": ["string", "null"]},
    "google.protobuf.FloatValue": {"type": ["number", "null"], "format": "float"},
    "google.protobuf.DoubleValue": {"type": ["number", "null"], "format": "double"},
}

# Types of others whose comments are not part of our contract.
_WORDS_FOR_OTHERS = {
    "google.type.Money": "An amount and its currency. `units` is the whole part, `nanos` the rest in 10^-9.",
    "google.type.Money.currency_code": "ISO 4217, three upper-case letters.",
    "google.type.Money.units": "Whole units, as text.",
    "google.type.Money.nanos": "Billionths of a unit; 1.75 is units 1 and nanos 750000000.",
}
_EXAMPLES_FOR_OTHERS: dict[str, Any] = {
    "google.type.Money": {"currencyCode": "EUR", "units": "120", "nanos": 500_000_000}
}

_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
}
_BY_CPP_TYPE: dict[int, Schema] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0},
    FieldDescriptor.CPPTYPE_INT64: _INTEGER_TEXT,
    FieldDescriptor.CPPTYPE_UINT64: {**_INTEGER_TEXT, "format": "uint64", "pattern": "^[0-9]+$"},
}


class Schemas:
    """Collects the schemas of all types that were asked for, and of those they contain."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self.components: dict[str, Schema] = {}

    def words(self, full_name: str) -> str:
        """The comment of an element, its own or, for types of others, ours."""
        return self._comments.of(full_name) or _WORDS_FOR_OTHERS.get(full_name, "")

    def message(self, descriptor: Descriptor) -> Schema:
        """A schema, or the reference to one, for a message type."""
        known = WELL_KNOWN.get(descriptor.full_name)
        if known is not None:
            return dict(known)
        name = component_name(descriptor)
        if name not in self.components:
            self.components[name] = {}
            self.components[name].update(self.object(descriptor))
        return _reference(name)

    def request_body(self, descriptor: Descriptor, without: frozenset[str]) -> Schema:
        """A reference to the schema of a request message less the fields that the path gives."""
        name = component_name(descriptor)
        if name not in self.components:
            self.components[name] = self.object(descriptor, without=without)
        return _reference(name)

    def object(self, descriptor: Descriptor, without: frozenset[str] = frozenset()) -> Schema:
        """The schema of a message with its fields."""
        fields = [field for field in descriptor.fields if field.name not in without]
        schema: Schema = {
            "type": "object",
            "properties": {field.json_name: self.field(field) for field in fields},
        }
        required = [field.json_name for field in fields if is_required(field)]
        if required:
            schema["required"] = required
        sentences = [self.words(descriptor.full_name), *message_rules(descriptor), *_oneofs(descriptor)]
        if description := "\n\n".join(sentence for sentence in sentences if sentence):
            schema["description"] = description
        if descriptor.full_name in _EXAMPLES_FOR_OTHERS:
            schema["examples"] = [_EXAMPLES_FOR_OTHERS[descriptor.full_name]]
        return schema

    def field(self, field: FieldDescriptor) -> Schema:
        """The schema of a field with its comment, rules and behaviour."""
        schema = self._container(field)
        words = [self.words(field.full_name), *field_rules(field)]
        if description := " ".join(word for word in words if word):
            schema["description"] = description
        behaviours = behaviours_of(field)
        if field_behavior_pb2.OUTPUT_ONLY in behaviours:
            schema["readOnly"] = True
        if field_behavior_pb2.INPUT_ONLY in behaviours:
            schema["writeOnly"] = True
        if field.GetOptions().deprecated:
            schema["deprecated"] = True
        return schema

    def _container(self, field: FieldDescriptor) -> Schema:
        if is_map(field):
            value = message_of(field).fields_by_name["value"]
            return {"type": "object", "additionalProperties": self._single(value)} | constraints(field)
        if field.is_repeated:
            items = self._single(field) | item_constraints(field)
            return {"type": "array", "items": items} | constraints(field)
        return self._single(field) | constraints(field)

    def _single(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return dict(_SCALARS.get(field.type) or _BY_CPP_TYPE[field.cpp_type])

    def _enum(self, enum: EnumDescriptor) -> Schema:
        name = component_name(enum)
        if name not in self.components:
            meanings = {
                value.name: words
                for value in enum.values
                if (words := self.words(f"{enum.full_name}.{value.name}"))
            }
            schema: Schema = {"type": "string", "enum": [value.name for value in enum.values]}
            if words := self.words(enum.full_name):
                schema["description"] = words
            if meanings:
                schema["x-enum-descriptions"] = meanings
            self.components[name] = schema
        return _reference(name)


def component_name(descriptor: Descriptor | EnumDescriptor) -> str:
    """A short unique name: `offers.Offer.State` for `parley.offers.v1.Offer.State`, `google.Money`."""
    package = descriptor.file.package
    relative = descriptor.full_name.removeprefix(f"{package}.")
    parts = package.split(".")
    owner = parts[0] if parts[0] == "google" else parts[min(1, len(parts) - 1)]
    return f"{owner}.{relative}"


def behaviours_of(field: FieldDescriptor) -> list[int]:
    """The `google.api.field_behavior` of a field."""
    extension: Any = field_behavior_pb2.field_behavior
    return list(field.GetOptions().Extensions[extension])


def is_required(field: FieldDescriptor) -> bool:
    """Whether callers must set the field."""
    return field_behavior_pb2.REQUIRED in behaviours_of(field) or rules_of(field).required


def _oneofs(descriptor: Descriptor) -> list[str]:
    # A oneof of one field is how protobuf stores `optional`.
    groups = [oneof for oneof in descriptor.oneofs if len(oneof.fields) > 1]
    return [f"At most one of {', '.join(f'`{f.json_name}`' for f in oneof.fields)}." for oneof in groups]


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
