"""Partial updates by `update_mask` (AIP-134)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from chassis.kernel.refusal import Refusal, invalid

EVERYTHING = "*"
PATH_LIMIT = 100

M = TypeVar("M", bound=Message)


def masked_paths(mask: FieldMask, sent: Message, *, updatable: Collection[str]) -> frozenset[str]:
    """The paths of `sent` that an update changes.

    `updatable` lists the paths that callers may set, in proto names; setting one covers what lies below it.
    An empty mask means every updatable field that `sent` populates, `*` every updatable field. Refusal
    INVALID UNKNOWN_FIELD_PATH for a path that does not exist or that cannot be set.
    """
    paths = list(mask.paths)
    if not paths:
        return frozenset(path for path in updatable if _populated(sent, path.split(".")))
    if paths == [EVERYTHING]:
        return frozenset(updatable)
    if len(paths) > PATH_LIMIT:
        raise _unknown(paths[PATH_LIMIT], f"more than {PATH_LIMIT} paths")
    for path in paths:
        if not _exists(sent.DESCRIPTOR, path.split(".")):
            raise _unknown(path, f"there is no field {path[:80]!r}")
        if not any(path == known or path.startswith(known + ".") for known in updatable):
            raise _unknown(path, f"{path!r} cannot be set")
    return frozenset(paths)


def overlay(stored: M, sent: M, paths: Collection[str]) -> M:
    """A copy of `stored` with the fields at `paths` replaced by those of `sent`, repeated fields as a
    whole.
    """
    result = type(stored)()
    result.CopyFrom(stored)
    FieldMask(paths=sorted(paths)).MergeMessage(sent, result, True, True)
    return result


def _unknown(path: str, description: str) -> Refusal:
    return invalid("update_mask", description, reason="UNKNOWN_FIELD_PATH", path=path[:200])


def _exists(descriptor: Any, names: list[str]) -> bool:
    for name in names:
        field = None if descriptor is None else descriptor.fields_by_name.get(name)
        if field is None:
            return False
        # What lies below a list or a map cannot be addressed.
        descriptor = None if field.is_repeated else field.message_type
    return True


def _populated(message: Message, names: list[str]) -> bool:
    for name in names[:-1]:
        if not message.HasField(name):
            return False
        message = getattr(message, name)
    field = message.DESCRIPTOR.fields_by_name[names[-1]]
    if field.is_repeated:
        return len(getattr(message, field.name)) > 0
    if field.has_presence:
        return message.HasField(field.name)
    return bool(getattr(message, field.name) != field.default_value)
