"""Schemas as lists of fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.docs.markup import Markup, escape

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_BOUNDS = (
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minimum", "from {}"),
    ("maximum", "to {}"),
    ("exclusiveMinimum", "above {}"),
    ("exclusiveMaximum", "below {}"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("minProperties", "at least {} entries"),
    ("maxProperties", "at most {} entries"),
)
_FORMAT_NAMES = {"date-time": "timestamp", "int64": "integer as text", "uint64": "integer as text"}


class Fields:
    """Renders objects, parameters and enums of one document."""

    def __init__(self, document: Json, markup: Markup, shown_types: Iterable[str]) -> None:
        """`shown_types`: the names of the schemas that have a section of their own to link to."""
        self._schemas: Json = document["components"]["schemas"]
        self._markup = markup
        self._shown = frozenset(shown_types)

    def resolve(self, schema: Json) -> Json:
        """The schema that a reference stands for."""
        name = schema.get("$ref", "").removeprefix(_REFERENCE)
        found: Json = self._schemas[name] if name else schema
        return found

    def object(self, schema: Json) -> str:
        """The fields of an object."""
        schema = self.resolve(schema)
        required = schema.get("required", [])
        rows = [
            self._row(name, inner, required=name in required)
            for name, inner in schema.get("properties", {}).items()
        ]
        return f'<dl class="fields">{"".join(rows)}</dl>' if rows else '<p class="none">No fields.</p>'

    def parameters(self, parameters: Iterable[Json]) -> str:
        """The parameters of a request."""
        rows = [
            self._row(
                parameter["name"],
                {**parameter["schema"], "description": parameter.get("description", "")},
                required=parameter.get("required", False),
                place=parameter["in"],
            )
            for parameter in parameters
        ]
        return f'<dl class="fields">{"".join(rows)}</dl>'

    def enum(self, schema: Json) -> str:
        """The values of an enum."""
        meanings = schema.get("x-enum-descriptions", {})
        words = {name: self._markup.inline(meanings.get(name, "")) for name in schema["enum"]}
        rows = [
            f"<div><dt><code>{escape(name)}</code></dt><dd>{words[name]}</dd></div>"
            for name in schema["enum"]
        ]
        return f'<dl class="fields values">{"".join(rows)}</dl>'

    def type_of(self, schema: Json) -> str:
        """The name of a type, linked where it has a section."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_REFERENCE)
            shown = escape(name)
            return f'<a href="#type-{shown}">{shown}</a>' if name in self._shown else shown
        kind = schema.get("type", "any")
        if kind == "array":
            return f"list of {self.type_of(schema['items'])}"
        if kind == "object" and "additionalProperties" in schema:
            return f"map of {self.type_of(schema['additionalProperties'])}"
        if schema.get("contentEncoding") == "base64":
            return "bytes in base64"
        plain = " or ".join(kind) if isinstance(kind, list) else kind
        return escape(_FORMAT_NAMES.get(schema.get("format", ""), plain))

    def _row(self, name: str, schema: Json, *, required: bool, place: str = "") -> str:
        tags = ['<span class="tag need">required</span>'] if required else []
        if schema.get("readOnly"):
            tags.append('<span class="tag">set by the server</span>')
        if schema.get("writeOnly"):
            tags.append('<span class="tag">never returned</span>')
        if place:
            tags.append(f'<span class="tag">{escape(place)}</span>')
        limits = _limits(schema)
        words = self._markup.inline(schema.get("description", ""))
        note = f'<span class="limits">{limits}</span>' if limits else ""
        kind = f'<span class="type">{self.type_of(schema)}</span>'
        return f"<div><dt><code>{escape(name)}</code>{kind}{''.join(tags)}</dt><dd>{words}{note}</dd></div>"


def _limits(schema: Json) -> str:
    found = [words.format(schema[key]) for key, words in _BOUNDS if key in schema and schema[key] != 0]
    if "enum" in schema:
        found.append("one of " + ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"]))
    if "pattern" in schema and schema.get("format") not in _FORMAT_NAMES:
        found.append(f"matches <code>{escape(schema['pattern'])}</code>")
    if schema.get("uniqueItems"):
        found.append("no duplicates")
    return "; ".join(found)
