"""What an update by HTTP changes where it names nothing: the fields that its body gives.

A message cannot tell a field that is set to `false`, `0`, `""` or `[]` from one that is absent; a JSON body
can.
"""

from __future__ import annotations

from typing import Any, Final

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcode.fields import is_map

MASK_FIELD: Final = "update_mask"
_MASK_TYPE: Final = "google.protobuf.FieldMask"
_NEVER_SET: Final = frozenset(
    {
        field_behavior_pb2.FieldBehavior.OUTPUT_ONLY,
        field_behavior_pb2.FieldBehavior.IDENTIFIER,
        field_behavior_pb2.FieldBehavior.IMMUTABLE,
    }
)


class GivenFields:
    """Fills the `update_mask` of one request message whose body is the resource."""

    def __init__(self, resource: Descriptor, *, etag: str) -> None:
        self._paths: dict[str, str] = {}
        for field in resource.fields:
            # What was read is often sent back as a whole: names, times and the etag in it are no wish.
            if field.name != etag and not _NEVER_SET.intersection(_behaviors(field)):
                self._paths[field.name] = self._paths[field.json_name] = field.name

    @classmethod
    def of(cls, request: Descriptor, body: FieldDescriptor | None, *, etag: str) -> GivenFields | None:
        """None for a request that is no partial update."""
        mask = request.fields_by_name.get(MASK_FIELD)
        kind = None if mask is None or mask.is_repeated else mask.message_type
        if kind is None or kind.full_name != _MASK_TYPE:
            return None
        if body is None or body.message_type is None or is_map(body) or body.is_repeated:
            return None
        return cls(body.message_type, etag=etag)

    def name(self, message: Any, body: dict[str, Any]) -> None:
        """Names in the mask of `message` what `body` gives, unless something is named already."""
        paths = message.update_mask.paths
        if paths:
            return
        # null is the same as absent, as everywhere.
        given = {self._paths[key] for key, value in body.items() if key in self._paths and value is not None}
        paths.extend(sorted(given))


def _behaviors(field: FieldDescriptor) -> list[int]:
    # googleapis-common-protos declares its extensions untyped.
    extension: Any = field_behavior_pb2.field_behavior
    return list(field.GetOptions().Extensions[extension])
