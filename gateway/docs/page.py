"""Assembles the reference page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from gateway.docs.examples import Examples
from gateway.docs.fields import Fields
from gateway.docs.markup import Markup, escape
from gateway.response import Page

Json = dict[str, Any]

_REFERENCE = re.compile(r'"\$ref": "#/components/schemas/([^"]+)"')
_WILDCARD = re.compile(r"(\{[^}]+\})")
_ROLES = {
    "buyer": "buyer",
    "seller_agent": "seller's agent",
    "seller_owner": "seller's owner",
    "observer": "observer",
    "operator": "operator",
    "service": "service",
}
_RELATIONS = {
    "public": "Everybody, also without a token.",
    "self": "Everybody for himself, in the role of",
    "team": "The seller's team, in the role of",
    "party": "The parties, in the role of",
}


def reference_page(document: Json) -> Page:
    """The page for a document that `openapi_document` made."""
    style, script = _asset("page.css"), _asset("page.js")
    body = _Reference(document).body()
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escape(document['info']['title'])} API reference</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(text.encode(), b"text/html; charset=utf-8", policy.encode())


def _asset(name: str) -> str:
    return (files("gateway.docs") / name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


class _Reference:
    def __init__(self, document: Json) -> None:
        self._document = document
        self._schemas: Json = document["components"]["schemas"]
        self._reasons: list[Json] = document.get("x-error-reasons", [])
        self._markup = Markup([reason["reason"] for reason in self._reasons])
        self._types = _shared_types(document)
        self._fields = Fields(document, self._markup, self._types)
        self._examples = Examples(document)

    def body(self) -> str:
        info = self._document["info"]
        sections = "".join(self._service(tag) for tag in self._document["tags"])
        types = "".join(self._type(name) for name in self._types)
        return (
            f"{self._navigation()}<main>"
            f'<section id="start"><h1>{escape(info["title"])} API</h1>'
            f'<p class="lead">{escape(info.get("summary", ""))} Version {escape(info["version"])}. '
            'For programs: <a href="/openapi.json">/openapi.json</a>.</p>'
            f'<div class="conventions">{self._markup.block(info["description"])}</div></section>'
            f'{sections}{self._errors()}<section id="types"><h2>Types</h2>{types}</section>'
            '<p id="nothing" hidden>Nothing matches.</p></main>'
        )

    def _operations(self, tag: str) -> Iterator[tuple[list[str], str, Json]]:
        """The methods of a service with all paths that reach them, and the first of their operations."""
        found: dict[str, tuple[list[str], str, Json]] = {}
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                if tag in operation["tags"]:
                    paths, _, _ = found.setdefault(operation["x-rpc"], ([], method, operation))
                    paths.append(path)
        yield from found.values()

    def _navigation(self) -> str:
        groups = "".join(
            f'<h2><a href="#{escape(tag["name"])}">{escape(_spaced(tag["name"]))}</a></h2><ul>'
            + "".join(
                f'<li><a href="#{escape(operation["operationId"])}">{_badge(method, operation)}'
                f"{escape(operation['operationId'])}</a></li>"
                for _, method, operation in self._operations(tag["name"])
            )
            + "</ul>"
            for tag in self._document["tags"]
        )
        types = "".join(f'<li><a href="#type-{escape(n)}">{escape(n)}</a></li>' for n in self._types)
        return (
            '<input type="checkbox" id="menu" aria-label="Show the list of methods"><header>'
            '<a class="home" href="#start">Parley API</a>'
            '<input type="search" id="filter" placeholder="Filter methods, fields, errors" '
            'aria-label="Filter" autocomplete="off" spellcheck="false">'
            '<label for="menu" class="toggle" aria-hidden="true"></label></header>'
            f'<nav aria-label="Methods">{groups}<h2><a href="#errors">Errors</a></h2>'
            f'<h2><a href="#types">Types</a></h2><ul class="plain">{types}</ul></nav>'
        )

    def _service(self, tag: Json) -> str:
        name = tag["name"]
        methods = "".join(self._operation(*found) for found in self._operations(name))
        words = self._markup.block(tag.get("description", ""))
        return f'<section id="{escape(name)}"><h2>{escape(_spaced(name))}</h2>{words}{methods}</section>'

    def _operation(self, paths: list[str], method: str, operation: Json) -> str:
        badge = _badge(method, operation)
        parts = [
            *(f'<div class="path">{badge}<code>{_shown_path(path)}</code></div>' for path in paths),
            self._markup.method(operation["description"]),
            _who(operation),
            self._parameters(operation),
            self._request(operation),
            self._answer(operation),
            self._refusals(operation),
            self._command(paths[0], method, operation),
        ]
        name = escape(operation["operationId"])
        heading = f'<h3><a href="#{name}">{name}</a></h3>'
        return f'<article id="{name}">{heading}{"".join(parts)}</article>'

    def _parameters(self, operation: Json) -> str:
        shared = self._document["components"]["parameters"]
        parameters = [
            shared[p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p for p in operation["parameters"]
        ]
        return f"<h4>Parameters</h4>{self._fields.parameters(parameters)}" if parameters else ""

    def _request(self, operation: Json) -> str:
        body = operation.get("requestBody")
        if body is None:
            return ""
        if "application/json" not in body["content"]:
            return "<h4>Body</h4><p>The bytes of the file.</p>"
        return self._content("Body", body["content"]["application/json"]["schema"])

    def _answer(self, operation: Json) -> str:
        content = operation["responses"]["200"]["content"]
        if "text/event-stream" in content:
            return self._content("Events", content["text/event-stream"]["schema"])
        if "application/json" not in content:
            return f"<h4>File</h4><p>{escape(operation['responses']['200']['description'])}</p>"
        return self._content("Answer", content["application/json"]["schema"])

    def _content(self, title: str, schema: Json) -> str:
        if "$ref" not in schema or schema["$ref"].rsplit("/", 1)[1] in self._types:
            return f"<h4>{title}</h4><p>{self._fields.type_of(schema)}</p>"
        return f"<h4>{title}</h4>{self._fields.object(schema)}"

    def _refusals(self, operation: Json) -> str:
        names = [
            name
            for status, response in operation["responses"].items()
            if status not in ("200", "default")
            for name in response["content"]["application/problem+json"].get("examples", {})
        ]
        if not names:
            return ""
        statuses = {reason["reason"]: reason["status"] for reason in self._reasons}
        items = "".join(
            f'<li><a href="#error-{escape(name)}">{escape(name)}</a> {statuses.get(name, "")}</li>'
            for name in names
        )
        return f'<h4>Errors</h4><ul class="reasons">{items}</ul>'

    def _command(self, path: str, method: str, operation: Json) -> str:
        command = self._examples.command(method, path, operation)
        return (
            '<h4>Example</h4><div class="code"><button type="button" class="copy" hidden>Copy</button>'
            f"<pre><code>{escape(command)}</code></pre></div>"
        )

    def _type(self, name: str) -> str:
        schema = self._schemas[name]
        words = self._markup.block(schema.get("description", ""))
        content = self._fields.enum(schema) if "enum" in schema else self._fields.object(schema)
        shown = escape(name)
        heading = f'<h3><a href="#type-{shown}">{shown}</a></h3>'
        return f'<article id="type-{shown}">{heading}{words}{content}</article>'

    def _errors(self) -> str:
        by_name: dict[str, list[Json]] = {}
        for reason in self._reasons:
            by_name.setdefault(reason["reason"], []).append(reason)
        return (
            '<section id="errors"><h2>Errors</h2><p>Every refusal is a problem document with one of these '
            "reasons.</p>" + "".join(self._error(*entry) for entry in by_name.items()) + "</section>"
        )

    def _error(self, name: str, meanings: list[Json]) -> str:
        """One reason; services may use the same word, each with a meaning of its own."""
        shown = escape(name)
        return (
            f'<article class="error" id="error-{shown}"><h3><a href="#error-{shown}">{shown}</a></h3>'
            f"{''.join(self._meaning(meaning) for meaning in meanings)}</article>"
        )

    def _meaning(self, reason: Json) -> str:
        tags = [f"HTTP {reason['status']}", reason["code"], reason["domain"]]
        shown = " ".join(f'<span class="tag">{escape(tag)}</span>' for tag in tags if tag)
        example = ""
        if reason["metadata"]:
            text = json.dumps(reason["metadata"], ensure_ascii=False)
            example = f'<p class="metadata">metadata <code>{escape(text)}</code></p>'
        return f'<p class="origin">{shown}</p>{self._markup.block(reason["description"])}{example}'


def _shared_types(document: Json) -> list[str]:
    """Schemas that get a section of their own: all but the messages of single methods, shown there."""
    own: set[str] = set()
    for methods in document["paths"].values():
        for operation in methods.values():
            body = operation.get("requestBody", {}).get("content", {})
            contents = [*body.values(), *operation["responses"]["200"]["content"].values()]
            own |= {c["schema"]["$ref"].rsplit("/", 1)[1] for c in contents if "$ref" in c["schema"]}
    used = set(_REFERENCE.findall(json.dumps(document["components"]["schemas"])))
    return [name for name in document["components"]["schemas"] if name in used or name not in own]


def _badge(method: str, operation: Json) -> str:
    is_stream = "text/event-stream" in operation["responses"]["200"]["content"]
    shown = "SSE" if is_stream else method.upper()
    return f'<span class="verb {method}">{shown}</span>'


def _shown_path(path: str) -> str:
    parts = _WILDCARD.split(path)
    return "".join(
        f"<var>{escape(part)}</var>" if number % 2 else escape(part).replace("/", "/<wbr>")
        for number, part in enumerate(parts)
    )


def _who(operation: Json) -> str:
    rule = operation.get("x-authorization")
    if rule is None:
        return '<p class="who">Nobody: the method declares no caller.</p>'
    words = _RELATIONS[rule["relation"]]
    roles = ", ".join(_ROLES.get(role, role) for role in rule["roles"])
    sentence = words if rule["relation"] == "public" else f"{words} {roles or 'any'}."
    return f'<p class="who"><span>Who</span> {escape(sentence)}</p>'


def _spaced(name: str) -> str:
    """`OffersService` -> `Offers`."""
    return name.removesuffix("Service")
