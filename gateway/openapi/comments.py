"""What the contract says about itself in words: the comments of the protos.

Generated stubs carry no comments, so they come from the descriptor set that is generated beside the stubs
(`parley/descriptors.binpb`). Without it everything works, only without words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.message import DecodeError

PACKAGE = "parley"
FILE = "descriptors.binpb"

_TOOL_LINE = re.compile(r"^\s*buf:lint:.*\n?", re.MULTILINE)

# Numbers of the repeated fields in descriptor.proto; a location's path is made of them.
_FILE_MESSAGES, _FILE_ENUMS, _FILE_SERVICES = 4, 5, 6
_MESSAGE_FIELDS, _MESSAGE_NESTED, _MESSAGE_ENUMS, _MESSAGE_ONEOFS = 2, 3, 4, 8
_ENUM_VALUES, _SERVICE_METHODS = 2, 2


class Comments:
    """Comments by full name of the element: `parley.offers.v1.Offer.state`."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def of(self, full_name: str) -> str:
        """The comment of an element as paragraphs of plain text; empty if there is none."""
        return self._texts.get(full_name, "")


def load_comments() -> Comments:
    """The comments of the installed contract."""
    resource = files(PACKAGE) / FILE
    return parse_comments(resource.read_bytes()) if resource.is_file() else Comments({})


def parse_comments(descriptor_set: bytes) -> Comments:
    """The comments in a serialized FileDescriptorSet with source info; none if it is not one."""
    texts: dict[str, str] = {}
    try:
        parsed = FileDescriptorSet.FromString(descriptor_set)
    except DecodeError:
        return Comments({})
    for file in parsed.file:
        names = _names(file)
        for location in file.source_code_info.location:
            name = names.get(tuple(location.path))
            if name is not None and location.leading_comments:
                texts[name] = _clean(location.leading_comments)
    return Comments(texts)


def _names(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """The full name of every element by its path in the file."""
    found: dict[tuple[int, ...], str] = {}
    package = f"{file.package}." if file.package else ""
    for number, message in enumerate(file.message_type):
        _message(message, (_FILE_MESSAGES, number), package, found)
    for number, enum in enumerate(file.enum_type):
        _enum(enum, (_FILE_ENUMS, number), package, found)
    for number, service in enumerate(file.service):
        name, path = package + service.name, (_FILE_SERVICES, number)
        found[path] = name
        for index, method in enumerate(service.method):
            found[*path, _SERVICE_METHODS, index] = f"{name}.{method.name}"
    return found


def _message(
    message: DescriptorProto, path: tuple[int, ...], prefix: str, found: dict[tuple[int, ...], str]
) -> None:
    name = prefix + message.name
    found[path] = name
    for number, field in enumerate(message.field):
        found[*path, _MESSAGE_FIELDS, number] = f"{name}.{field.name}"
    for number, oneof in enumerate(message.oneof_decl):
        found[*path, _MESSAGE_ONEOFS, number] = f"{name}.{oneof.name}"
    for number, nested in enumerate(message.nested_type):
        _message(nested, (*path, _MESSAGE_NESTED, number), f"{name}.", found)
    for number, enum in enumerate(message.enum_type):
        _enum(enum, (*path, _MESSAGE_ENUMS, number), f"{name}.", found)


def _enum(
    enum: EnumDescriptorProto, path: tuple[int, ...], prefix: str, found: dict[tuple[int, ...], str]
) -> None:
    name = prefix + enum.name
    found[path] = name
    for number, value in enumerate(enum.value):
        # Unlike protobuf's own scoping: values of two enums of one message cannot be confused.
        found[*path, _ENUM_VALUES, number] = f"{name}.{value.name}"


def _clean(text: str) -> str:
    """Without the comment's indentation and without lines for tools; lines of a paragraph joined."""
    lines = [line.removeprefix(" ").rstrip() for line in _TOOL_LINE.sub("", text).split("\n")]
    paragraphs = "\n".join(lines).strip().split("\n\n")
    return "\n\n".join(re.sub(r"\n(?![-*] )", " ", paragraph) for paragraph in paragraphs)
