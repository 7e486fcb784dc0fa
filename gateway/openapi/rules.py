"""The rules of `buf.validate` in the words of JSON Schema.

What JSON Schema cannot say (CEL expressions, rules about now) is left to the comments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema = dict[str, Any]

_FORMATS = {
    "email": "email",
    "hostname": "hostname",
    "ipv4": "ipv4",
    "ipv6": "ipv6",
    "uri": "uri",
    "uri_ref": "uri-reference",
    "uuid": "uuid",
}
_LENGTHS = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
_BOUNDS = {"gt": "exclusiveMinimum", "gte": "minimum", "lt": "exclusiveMaximum", "lte": "maximum"}
_INTEGERS = ("int32", "sint32", "uint32", "fixed32", "sfixed32")
_LONGS = ("int64", "sint64", "uint64", "fixed64", "sfixed64")


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The rules that a field declares, empty ones if it declares none."""
    options = field.GetOptions()
    extension: Any = validate_pb2.field
    rules: validate_pb2.FieldRules = options.Extensions[extension]
    return rules


def message_rules(descriptor: Descriptor) -> list[str]:
    """The sentences of rules about several fields of a message."""
    extension: Any = validate_pb2.message
    rules: validate_pb2.MessageRules = descriptor.GetOptions().Extensions[extension]
    return [rule.message for rule in rules.cel if rule.message]


def field_rules(field: FieldDescriptor) -> list[str]:
    """The sentences of the CEL rules of a field."""
    return [rule.message for rule in rules_of(field).cel if rule.message]


def constraints(field: FieldDescriptor) -> Schema:
    """What to add to the schema of a field (of the list or map, where it is one)."""
    rules = rules_of(field)
    kind = rules.WhichOneof("type")
    if kind is None:
        return {}
    if kind == "repeated":
        return _sizes(rules.repeated, min_items="minItems", max_items="maxItems") | (
            {"uniqueItems": True} if rules.repeated.unique else {}
        )
    if kind == "map":
        return _sizes(rules.map, min_pairs="minProperties", max_pairs="maxProperties")
    return _of_kind(kind, rules, field)


def item_constraints(field: FieldDescriptor) -> Schema:
    """What to add to the schema of each element of a list."""
    rules = rules_of(field)
    if rules.WhichOneof("type") != "repeated" or not rules.repeated.HasField("items"):
        return {}
    kind = rules.repeated.items.WhichOneof("type")
    return _of_kind(kind, rules.repeated.items, field) if kind is not None else {}


def _of_kind(kind: str, rules: validate_pb2.FieldRules, field: FieldDescriptor) -> Schema:
    part: Any = getattr(rules, kind)
    if kind == "string":
        return _string(part)
    if kind == "enum":
        return _enum(part, field.enum_type) if field.enum_type is not None else {}
    if kind == "bytes" or kind in _LONGS:
        # Both are text in JSON; limits of their values are no limits of the text.
        return {}
    if kind in _INTEGERS or kind in ("float", "double"):
        return _number(part, _whole if kind in _INTEGERS else float)
    return {"const": part.const} if kind == "bool" and part.HasField("const") else {}


def _string(rules: Any) -> Schema:
    found: Schema = {name: getattr(rules, key) for key, name in _LENGTHS.items() if rules.HasField(key)}
    if rules.HasField("len"):
        found |= {"minLength": rules.len, "maxLength": rules.len}
    if rules.HasField("const"):
        found["const"] = rules.const
    known = rules.WhichOneof("well_known")
    if known in _FORMATS and getattr(rules, known):
        found["format"] = _FORMATS[known]
    choices = list(getattr(rules, "in"))
    return found | ({"enum": choices} if choices else {})


def _number(rules: Any, kind: Callable[[Any], Any]) -> Schema:
    found: Schema = {name: kind(getattr(rules, key)) for key, name in _BOUNDS.items() if rules.HasField(key)}
    if rules.HasField("const"):
        found["const"] = kind(rules.const)
    choices = [kind(value) for value in getattr(rules, "in")]
    return found | ({"enum": choices} if choices else {})


def _whole(value: Any) -> int:
    return int(value)


def _enum(rules: Any, enum: EnumDescriptor) -> Schema:
    allowed, refused = set(getattr(rules, "in")), set(rules.not_in)
    if not allowed and not refused:
        return {}
    names = [
        value.name
        for value in enum.values
        if (not allowed or value.number in allowed) and value.number not in refused
    ]
    return {"enum": names}


def _sizes(rules: Any, **names: str) -> Schema:
    return {name: getattr(rules, key) for key, name in names.items() if rules.HasField(key)}
