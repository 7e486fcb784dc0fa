"""A request message as the HTTP call that its method's annotation describes: the gateway's work, reversed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from parley.gating.v1 import gating_service_pb2
from parley.messaging.v1 import messaging_service_pb2
from parley.offers.v1 import offers_service_pb2
from parley.orders.v1 import orders_service_pb2
from parley.type.v1 import request_header_pb2

CONTRACT = (gating_service_pb2, messaging_service_pb2, offers_service_pb2, orders_service_pb2)
_VARIABLE = re.compile(r"\{([^=}]+)(?:=([^}]+))?\}")


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC of the contract."""
    for module in CONTRACT:
        services: list[ServiceDescriptor] = list(module.DESCRIPTOR.services_by_name.values())
        for service in services:
            yield from service.methods


@dataclass(frozen=True, slots=True)
class Call:
    """What to send; `path` is relative to `/v1/`, `body` is None where the method takes none."""

    method: str
    path: str
    body: dict[str, Any] | None
    query: dict[str, Any]
    headers: dict[str, str]


def http_call(method: MethodDescriptor, request: Message) -> Call:
    """The call by the first binding whose path fits the request; ValueError if none does."""
    # The stubs of googleapis leave the type of extensions out.
    extension: Any = annotations_pb2.http
    rule: Any = method.GetOptions().Extensions[extension]
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        assert verb is not None
        template = getattr(binding, verb)
        content = MessageToDict(request)
        path = _path(template, content)
        if path is None:
            continue
        if not binding.body:
            return Call(verb.upper(), path, None, content, _headers(method, content))
        if binding.body == "*":
            return Call(verb.upper(), path, content, {}, {})
        body = content.pop(_camel(binding.body), {})
        return Call(verb.upper(), path, body, content, _headers(method, content))
    raise ValueError(f"no path of {method.full_name} fits {request}")


def _headers(method: MethodDescriptor, content: dict[str, Any]) -> dict[str, str]:
    """The fields that headers fill, which are taken out of the content."""
    named = {
        field.json_name: names[0]
        for field in method.input_type.fields
        if (names := field.GetOptions().Extensions[request_header_pb2.request_headers])
    }
    return {header: str(content.pop(name)) for name, header in named.items() if name in content}


def _path(template: str, content: dict[str, Any]) -> str | None:
    """The path with its variables filled in, which are taken out of the content."""
    filled = template
    for variable in _VARIABLE.finditer(template):
        value = _take(content, [_camel(name) for name in variable[1].split(".")])
        if not re.fullmatch((variable[2] or "*").replace("*", "[^/]+"), value):
            return None
        filled = filled.replace(variable[0], value)
    return filled.removeprefix("/v1/")


def _take(content: dict[str, Any], names: list[str]) -> str:
    for name in names[:-1]:
        content = content[name]
    return str(content.pop(names[-1]))


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda hump: hump[1].upper(), name)
