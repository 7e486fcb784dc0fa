"""The OpenAPI 3.1 document of the HTTP API, made of the same descriptors that requests are transcoded by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from chassis.auth import rule_of
from chassis.kernel.caller import Relation, Rule
from gateway.openapi.comments import Comments, load_comments
from gateway.openapi.reasons import Catalogue, Reason
from gateway.openapi.schemas import Schemas, component_name, is_required
from gateway.openapi.words import INTRODUCTION, PROBLEM_SCHEMA, WHO
from gateway.transcode import Endpoint
from gateway.transcode.request import IDEMPOTENCY_FIELD
from gateway.transcode.template import ANY_SEGMENT, ANY_SEGMENTS, Variable

OPENAPI_VERSION = "3.1.0"
Json = dict[str, Any]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
_STATUS_TITLES = {
    400: "The request is not valid, or the state forbids it",
    401: "The caller could not be identified",
    403: "The caller may not do this",
    404: "Not found, or not for this caller to know",
    409: "It exists already, or has changed meanwhile",
    413: "The body is too large",
    415: "The body is of another type",
    429: "Too many calls",
    500: "A fault of ours",
    503: "A service cannot be reached",
    504: "The answer was not ready in time",
}


def openapi_document(endpoints: Sequence[Endpoint], comments: Comments | None = None) -> Json:
    """The document for all endpoints; `comments` defaults to those of the installed contract."""
    return _Builder(endpoints, comments or load_comments()).document()


class _Builder:
    def __init__(self, endpoints: Sequence[Endpoint], comments: Comments) -> None:
        self._endpoints = endpoints
        self._schemas = Schemas(comments)
        self._services = list(
            {e.rpc.containing_service.full_name: e.rpc.containing_service for e in endpoints}.values()
        )
        self._catalogue = Catalogue(self._services, comments)

    def document(self) -> Json:
        paths: dict[str, Json] = {}
        for endpoint in self._endpoints:
            path, _ = shown_path(endpoint)
            paths.setdefault(path, {})[endpoint.http_method.lower()] = self._operation(endpoint)
        schemas = {"Problem": PROBLEM_SCHEMA, **dict(sorted(self._schemas.components.items()))}
        return {
            "openapi": OPENAPI_VERSION,
            "info": {
                "title": "Parley",
                "version": _version(),
                "summary": "Gated orders, versioned offers, conversations.",
                "description": INTRODUCTION,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": [
                {"name": service.name, "description": self._schemas.words(service.full_name)}
                for service in self._services
            ],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": WHO}
                },
                "parameters": _SHARED_PARAMETERS,
                "examples": {reason.key: _example(reason) for reason in self._catalogue.all()},
            },
            "x-error-reasons": [_reason_json(reason) for reason in self._catalogue.all()],
        }

    def _operation(self, endpoint: Endpoint) -> Json:
        rpc = endpoint.rpc
        words = self._schemas.words(rpc.full_name)
        summary, _, _ = words.partition("\n\n")
        operation: Json = {
            "operationId": rpc.name if endpoint.is_primary else f"{rpc.name}{self._number(endpoint)}",
            "tags": [rpc.containing_service.name],
            "summary": _SENTENCE_END.split(summary, maxsplit=1)[0].rstrip(".") or rpc.name,
            "description": words or rpc.name,
            "x-rpc": f"{rpc.containing_service.full_name}/{rpc.name}",
            "parameters": self._parameters(endpoint),
        }
        if body := self._body(endpoint):
            operation["requestBody"] = body
        rule = rule_of(rpc)
        operation["responses"] = {"200": self._success(endpoint), **self._refusals(endpoint, rule, words)}
        operation["security"] = [{"bearer": []}]
        if rule is not None:
            operation["x-authorization"] = _authorization(rule)
            if rule.relation is Relation.PUBLIC:
                operation["security"].append({})
        return operation

    def _number(self, endpoint: Endpoint) -> int:
        same = [other for other in self._endpoints if other.rpc.full_name == endpoint.rpc.full_name]
        return same.index(endpoint) + 1

    def _parameters(self, endpoint: Endpoint) -> list[Json]:
        _, wildcards = shown_path(endpoint)
        parameters = [self._path_parameter(endpoint, name, field) for name, field in wildcards]
        parameters += [self._query_parameter(name, field) for name, field in endpoint.request.query_fields()]
        parameters += self._header_parameters(endpoint)
        if endpoint.request.idempotency is not None:
            parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        if endpoint.request.etag is not None:
            parameters.append({"$ref": "#/components/parameters/IfMatch"})
        if endpoint.rpc.server_streaming and not endpoint.is_download:
            parameters.append({"$ref": "#/components/parameters/LastEventId"})
        return parameters

    def _header_parameters(self, endpoint: Endpoint) -> list[Json]:
        fields = endpoint.request.descriptor.fields_by_name
        return [
            {
                "name": header.title(),
                "in": "header",
                "schema": {"type": "string"},
                "description": self._schemas.words(fields[name].full_name),
            }
            for name, headers in endpoint.request.headers.items()
            for header in headers
        ]

    def _path_parameter(self, endpoint: Endpoint, name: str, field: FieldDescriptor | None) -> Json:
        schema: Json = {"type": "string"}
        parameter = {"name": name, "in": "path", "required": True, "schema": schema}
        if field is not None:
            words = self._schemas.words(field.full_name)
            parameter["description"] = (
                f"Part of `{field.json_name}`: {words}" if words else f"Part of `{field.json_name}`."
            )
        return parameter

    def _query_parameter(self, name: str, field: FieldDescriptor) -> Json:
        schema = self._schemas.field(field)
        parameter: Json = {"name": name, "in": "query", "schema": schema}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        if "." not in name and is_required(field):
            parameter["required"] = True
        if field.is_repeated:
            parameter |= {"style": "form", "explode": True}
        return parameter

    def _body(self, endpoint: Endpoint) -> Json | None:
        request = endpoint.request
        if not request.takes_body:
            return None
        field = request.body_field
        if endpoint.is_upload or request.takes_bytes:
            return {"required": True, "content": _BYTES}
        if field is not None:
            schema, needed = self._schemas.field(field), is_required(field)
        else:
            bound = frozenset(v.field_path for v in endpoint.template.variables if "." not in v.field_path)
            schema = self._schemas.request_body(request.descriptor, bound)
            name = component_name(request.descriptor)
            needed = bool(self._schemas.components[name].get("required"))
        return {"required": needed, "content": {"application/json": {"schema": schema}}}

    def _success(self, endpoint: Endpoint) -> Json:
        rpc, field = endpoint.rpc, endpoint.response_field
        if endpoint.is_download:
            return _FILE
        schema = self._schemas.message(rpc.output_type) if field is None else self._schemas.field(field)
        if rpc.server_streaming:
            words = "Server-sent events; the data of each event is JSON of this schema."
            return {"description": words, "content": {"text/event-stream": {"schema": schema}}}
        words = self._schemas.words(rpc.output_type.full_name) or "The answer."
        response: Json = {"description": words, "content": {"application/json": {"schema": schema}}}
        if endpoint.etag_path:
            header = {
                "description": "The version of the resource, for `If-Match`.",
                "schema": {"type": "string"},
            }
            response["headers"] = {"ETag": header}
        return response

    def _refusals(self, endpoint: Endpoint, rule: Rule | None, words: str) -> Json:
        named = self._catalogue.named_in(words, _package(endpoint))
        reasons = {reason.name: reason for reason in [*named, *self._implied(endpoint, rule)]}
        by_status: dict[int, list[Reason]] = {}
        for reason in reasons.values():
            by_status.setdefault(reason.status, []).append(reason)
        responses = {
            str(status): _refusal(_STATUS_TITLES.get(status, "Refused"), by_status[status])
            for status in sorted(by_status)
        }
        return {**responses, "default": _refusal("Any other refusal", [])}

    def _implied(self, endpoint: Endpoint, rule: Rule | None) -> list[Reason]:
        """Refusals that follow from what a method is, which its comment therefore does not repeat."""
        names = ["MALFORMED_REQUEST", "VALIDATION_FAILED"]
        if rule is None or rule.relation is not Relation.PUBLIC:
            names.append("UNAUTHENTICATED")
        if rule is not None and rule.relation in (Relation.TEAM, Relation.PARTY):
            names += ["PERMISSION_DENIED", "NOT_FOUND"]
        if endpoint.request.idempotency is not None:
            names.append("REQUEST_ID_REUSED")
        if endpoint.request.etag is not None:
            names.append("ETAG_MISMATCH")
        if endpoint.request.takes_body:
            names.append("PAYLOAD_TOO_LARGE")
        names += ["PEER_UNAVAILABLE", "DEADLINE_EXCEEDED"]
        return [self._catalogue.shared[name] for name in names if name in self._catalogue.shared]


def shown_path(endpoint: Endpoint) -> tuple[str, list[tuple[str, FieldDescriptor | None]]]:
    """The path with one named parameter per wildcard, and those names with the fields that they are part of.

    OpenAPI has no parameters with slashes, so `{name=sellers/*/listings/*}` becomes
    `sellers/{seller}/listings/{listing}`.
    """
    template = endpoint.template
    parts: list[str] = []
    wildcards: list[tuple[str, FieldDescriptor | None]] = []
    for number, segment in enumerate(template.segments):
        if segment not in (ANY_SEGMENT, ANY_SEGMENTS):
            parts.append(segment)
            continue
        variable = next((v for v in template.variables if _covers(v, number)), None)
        before = (
            template.segments[number - 1] if number and (variable is None or variable.start < number) else ""
        )
        name = _singular(before) if before else (variable.field_path if variable is not None else "rest")
        taken = {taken for taken, _ in wildcards}
        name = name if name not in taken else f"{name}{number}"
        wildcards.append((name, _field_of(endpoint, variable)))
        parts.append(f"{{{name}}}")
    verb = f":{template.verb}" if template.verb else ""
    return "/" + "/".join(parts) + verb, wildcards


def _covers(variable: Variable, number: int) -> bool:
    return variable.start <= number and (variable.stop is None or number < variable.stop)


def _field_of(endpoint: Endpoint, variable: Variable | None) -> FieldDescriptor | None:
    if variable is None:
        return None
    descriptor = endpoint.request.descriptor
    *parents, leaf = variable.field_path.split(".")
    for parent in parents:
        inner = descriptor.fields_by_name[parent].message_type
        if inner is None:
            return None
        descriptor = inner
    return descriptor.fields_by_name.get(leaf)


def _singular(plural: str) -> str:
    if plural.endswith("ies"):
        return f"{plural[:-3]}y"
    return plural[:-1] if plural.endswith("s") and len(plural) > 1 else plural


def _package(endpoint: Endpoint) -> str:
    return str(endpoint.rpc.containing_service.file.package)


def _refusal(title: str, reasons: Sequence[Reason]) -> Json:
    content: Json = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if reasons:
        content["examples"] = {
            reason.name: {"$ref": f"#/components/examples/{reason.key}"} for reason in reasons
        }
    names = ", ".join(f"`{reason.name}`" for reason in reasons)
    description = f"{title}: {names}" if names else title
    return {"description": f"{description}.", "content": {"application/problem+json": content}}


def _example(reason: Reason) -> Json:
    return {"summary": reason.text or reason.name, "value": reason.example()}


def _reason_json(reason: Reason) -> Json:
    return {
        "reason": reason.name,
        "domain": reason.domain,
        "code": reason.code,
        "status": reason.status,
        "description": reason.text,
        "metadata": reason.metadata,
    }


def _authorization(rule: Rule) -> Json:
    return {"relation": rule.relation.value, "roles": sorted(role.value for role in rule.roles)}


def _version() -> str:
    try:
        return metadata.version("parley")
    except metadata.PackageNotFoundError:
        return "0"


# What the bytes are is known by their sender or by the answer alone.
_BYTES: Json = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_FILE: Json = {
    "description": "A file. Where the rest of it cannot be had, the connection is cut before its end.",
    "headers": {
        "Content-Disposition": {
            "description": "`attachment`, with the name of the file.",
            "schema": {"type": "string"},
        }
    },
    "content": _BYTES,
}

_SHARED_PARAMETERS: Json = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": f"Becomes `{IDEMPOTENCY_FIELD}`: the same key and request return the first answer.",
        "schema": {"type": "string", "maxLength": 64, "pattern": "^[!-~]*$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "Becomes `etag`: refused with ETAG_MISMATCH if the resource has changed since.",
        "schema": {"type": "string"},
    },
    "LastEventId": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The id of the last event that was received; the stream continues after it.",
        "schema": {"type": "string"},
    },
}
