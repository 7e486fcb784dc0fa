"""Questions about field descriptors that several modules ask."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor


def field_named(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    """The field with this proto or JSON name."""
    field = descriptor.fields_by_name.get(name)
    if field is not None:
        return field
    return next((field for field in descriptor.fields if field.json_name == name), None)


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a `map<…>`, which descriptors show as a repeated message."""
    return field.is_repeated and field.message_type is not None and field.message_type.GetOptions().map_entry


def message_of(field: FieldDescriptor) -> Descriptor:
    """The type of a field that holds messages; asking it of another field is a mistake of ours."""
    assert field.message_type is not None, field.full_name
    return field.message_type
