"""Plausible values for schemas, and the command that sends them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

BASE = "http://127.0.0.1:8080"
"""Replaced by the page's own address where scripts run."""

_DEPTH_MAX = 6
_NAME = re.compile(r"`((?:[A-Za-z]+/\{[a-z_]+\}/?)+[A-Za-z/]*)`")
_WILDCARD = re.compile(r"\{([A-Za-z_]+)\}")
_REFERENCE = "#/components/schemas/"
_FORMATS = {
    "date-time": "2026-06-01T08:30:00Z",
    "email": "somebody@example.org",
    "uuid": "0198c7f2-5a3e-7c1b-9f00-2b6c1d0e4a55",
    "uri": "https://example.org",
}
_BY_TYPE: Mapping[str, Any] = {"boolean": False, "integer": 1, "number": 1.5, "string": "…"}

Json = dict[str, Any]


class Examples:
    """Makes values from the schemas of one document."""

    def __init__(self, document: Json) -> None:
        self._schemas: Json = document["components"]["schemas"]

    def value(self, schema: Json, *, writing: bool, depth: int = 0) -> Any:
        """A value of the schema. `writing` leaves out what only the server sets."""
        if "examples" in schema:
            return schema["examples"][0]
        if "$ref" in schema:
            target = self._schemas[schema["$ref"].removeprefix(_REFERENCE)]
            merged = {**target, **{key: item for key, item in schema.items() if key != "$ref"}}
            return self.value(merged, writing=writing, depth=depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next(
                (name for name in schema["enum"] if not name.endswith("_UNSPECIFIED")), schema["enum"][0]
            )
        kind = schema.get("type", "object")
        if kind == "object":
            return self._object(schema, writing=writing, depth=depth)
        if kind == "array":
            return (
                [self.value(schema["items"], writing=writing, depth=depth + 1)] if depth < _DEPTH_MAX else []
            )
        return _scalar(schema, kind)

    def _object(self, schema: Json, *, writing: bool, depth: int) -> Json:
        if depth >= _DEPTH_MAX:
            return {}
        return {
            name: self.value(inner, writing=writing, depth=depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if not (writing and self._is_left_out(name, inner))
        }

    def _is_left_out(self, name: str, schema: Json) -> bool:
        """Set by the server, or given better by a header."""
        return bool(schema.get("readOnly")) or name in ("requestId", "etag", "name")

    def command(self, method: str, path: str, operation: Json) -> str:
        """A curl command for the operation."""
        is_public = {} in operation.get("security", [])
        lines = ["curl"] if method == "get" else [f"curl -X {method.upper()}"]
        lines[0] += f" '{BASE}{sample_path(path)}{self._query(operation)}'"
        if not is_public:
            lines.append('-H "Authorization: Bearer $TOKEN"')
        references = [parameter.get("$ref", "") for parameter in operation["parameters"]]
        if any(reference.endswith("/IdempotencyKey") for reference in references):
            lines.append('-H "Idempotency-Key: $(uuidgen)"')
        if "text/event-stream" in operation["responses"]["200"]["content"]:
            lines[0] = lines[0].replace("curl", "curl -N", 1)
        body = operation.get("requestBody")
        if body is not None and "application/json" not in body["content"]:
            lines.append("--data-binary @file")
        elif body is not None:
            value = self.value(body["content"]["application/json"]["schema"], writing=True)
            text = json.dumps(value, indent=2, ensure_ascii=False).replace("'", "'\\''")
            lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
        return " \\\n  ".join(lines)

    def _query(self, operation: Json) -> str:
        needed = [p for p in operation["parameters"] if p.get("in") == "query" and p.get("required")]
        pairs = [f"{p['name']}={self.value(p['schema'], writing=True)}" for p in needed]
        return "?" + "&".join(pairs) if pairs else ""


def sample_path(path: str) -> str:
    """`/v1/offers/{offer}` as it could look in a request."""
    return _WILDCARD.sub(lambda wildcard: f"my-{wildcard[1].replace('_', '-')}", path)


def _scalar(schema: Json, kind: str | list[str]) -> Any:
    name = kind if isinstance(kind, str) else kind[0]
    if name == "string" and (found := _NAME.search(schema.get("description", ""))):
        return sample_path(found[1])
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if schema.get("format") in ("int64", "uint64"):
        return "1"
    if name == "integer":
        return max(1, int(schema.get("minimum", 1)))
    return _BY_TYPE.get(name)
