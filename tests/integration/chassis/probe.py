"""A service without business, its contract built here: the chassis is tested without any of the four."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from chassis.call import Call
from chassis.server import respond, respond_at_once, respond_each
from parley.type.v1 import authorization_pb2 as rules
from parley.type.v1 import event_pb2

PACKAGE = "parley.probe.v1"
SERVICE = f"{PACKAGE}.ProbeService"

_STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_INT32 = descriptor_pb2.FieldDescriptorProto.TYPE_INT32
_MESSAGE = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE

_BUYER = (rules.ROLE_BUYER,)
_OWNER = (rules.ROLE_SELLER_OWNER,)
_PARTIES = (rules.ROLE_BUYER, rules.ROLE_SELLER_OWNER)

# Method: request, relation (None: undeclared), roles, seller_field, streams of requests, of answers.
_METHODS: dict[str, tuple[str, Any, tuple[Any, ...], str, bool, bool]] = {
    "Quick": ("ReadRequest", rules.RELATION_PARTY, _PARTIES, "", False, False),
    "Look": ("ReadRequest", rules.RELATION_PUBLIC, (), "", False, False),
    "Mine": ("ReadRequest", rules.RELATION_SELF, _BUYER, "", False, False),
    "Make": ("WriteRequest", rules.RELATION_SELF, _BUYER, "", False, False),
    "TeamRead": ("ReadRequest", rules.RELATION_TEAM, _OWNER, "name", False, False),
    "TeamWrite": ("WriteRequest", rules.RELATION_TEAM, _OWNER, "thing.name", False, False),
    "PartyRead": ("ReadRequest", rules.RELATION_PARTY, _PARTIES, "", False, False),
    "PartyWrite": ("WriteRequest", rules.RELATION_PARTY, _PARTIES, "", False, False),
    "Undeclared": ("ReadRequest", None, (), "", False, False),
    "Missing": ("ReadRequest", rules.RELATION_PUBLIC, (), "", False, False),
    "Watch": ("ReadRequest", rules.RELATION_PARTY, _PARTIES, "", False, True),
    "Upload": ("ReadRequest", rules.RELATION_SELF, _BUYER, "", True, False),
    "TeamUpload": ("ReadRequest", rules.RELATION_TEAM, _OWNER, "name", True, False),
}


def _add(message: Any, name: str, number: int, kind: Any, type_name: str = "") -> Any:
    added = message.field.add(name=name, number=number, type=kind, label=1)
    if type_name:
        added.type_name = f".{PACKAGE}.{type_name}"
    return added


def _contract() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="parley/probe/v1/probe.proto", package=PACKAGE, syntax="proto3"
    )
    file.dependency.extend(
        ["parley/type/v1/authorization.proto", "parley/type/v1/event.proto", "buf/validate/validate.proto"]
    )
    thing = file.message_type.add(name="Thing")
    _add(thing, "name", 1, _STRING)
    for name in ("ReadRequest", "WriteRequest"):
        request = file.message_type.add(name=name)
        limited = _add(request, "name", 1, _STRING)
        limited.options.Extensions[validate_pb2.field].string.max_len = 100
        positive = _add(request, "size", 2, _INT32)
        positive.options.Extensions[validate_pb2.field].int32.gte = 0
        _add(request, "thing", 3, _MESSAGE, "Thing")
        if name == "WriteRequest":
            _add(request, "request_id", 4, _STRING)
    answer = file.message_type.add(name="Answer")
    _add(answer, "text", 1, _STRING)
    happened = file.message_type.add(name="ThingMade")
    happened.options.Extensions[event_pb2.event].aggregate = "thing"
    happened.options.Extensions[event_pb2.event].verb = "made"
    _add(happened, "name", 1, _STRING)
    service = file.service.add(name="ProbeService")
    for name, (request_name, relation, roles, seller_field, many_in, many_out) in _METHODS.items():
        method = service.method.add(
            name=name,
            input_type=f".{PACKAGE}.{request_name}",
            output_type=f".{PACKAGE}.Answer",
            client_streaming=many_in,
            server_streaming=many_out,
        )
        if relation is not None:
            declared = method.options.Extensions[rules.authorization]
            declared.relation, declared.seller_field = relation, seller_field
            declared.roles.extend(roles)
    return file


descriptor_pool.Default().AddSerializedFile(_contract().SerializeToString())


def _message(name: str) -> Any:
    found = descriptor_pool.Default().FindMessageTypeByName(f"{PACKAGE}.{name}")
    return message_factory.GetMessageClass(found)


ReadRequest = _message("ReadRequest")
WriteRequest = _message("WriteRequest")
Answer = _message("Answer")
Thing = _message("Thing")
ThingMade = _message("ThingMade")


async def _echo(call: Call, request: Any) -> str:
    return f"{request.name} for {call.caller.user}"


def _encoded(text: str) -> bytes:
    return bytes(Answer(text=text).SerializeToString())


async def _repeat(_call: Call, request: Any) -> AsyncIterator[str]:
    for _ in range(request.size):
        yield request.name


def _not_at_once(_call: Call, _request: Any) -> str | None:
    return None


@dataclass
class Probe:
    """The behaviour behind the methods; a test replaces what it needs."""

    unary: Callable[[Call, Any], Awaitable[str]] = _echo
    stream: Callable[[Call, Any], AsyncIterator[str]] = _repeat
    at_once: Callable[[Call, Any], str | None] = _not_at_once
    calls: list[Call] = field(default_factory=list)

    def register(self, server: grpc.aio.Server) -> None:
        """What generated code calls `add_ProbeServiceServicer_to_server`."""
        handlers = {name: self._handler(name) for name in _METHODS}
        server.add_registered_method_handlers(SERVICE, handlers)

    async def _answer(self, call: Call, request: Any) -> str:
        self.calls.append(call)
        return await self.unary(call, request)

    async def _single(self, request: Any, context: Any) -> Any:
        return await respond(context, request, self._answer, lambda text: Answer(text=text))

    def _quick(self, request: Any, context: Any) -> Any:
        return respond_at_once(context, request, self.at_once, self._answer, _encoded)

    async def _collect(self, requests: AsyncIterator[Any], context: Any) -> Any:
        names = [request.name async for request in requests]
        return await respond(
            context, ReadRequest(name="+".join(names)), self._answer, lambda t: Answer(text=t)
        )

    async def _watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for answer in respond_each(context, request, self._open, lambda text: Answer(text=text)):
            yield answer

    async def _open(self, call: Call, request: Any) -> AsyncIterator[str]:
        return self.stream(call, request)

    def _missing(self, request: Any, context: Any) -> Any:
        raise NotImplementedError("what generated servicers raise")

    def _handler(self, name: str) -> Any:
        request_name, _, _, _, many_in, many_out = _METHODS[name]
        codec = (_message(request_name).FromString, Answer.SerializeToString)
        if many_out:
            return grpc.unary_stream_rpc_method_handler(self._watch, *codec)
        if many_in:
            return grpc.stream_unary_rpc_method_handler(self._collect, *codec)
        unary = {"Missing": self._missing, "Quick": self._quick}.get(name, self._single)
        return grpc.unary_unary_rpc_method_handler(unary, *codec)


class ProbeStub:
    """What generated code calls `ProbeServiceStub`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        for name, (_, _, _, _, many_in, many_out) in _METHODS.items():
            kind = ("stream" if many_in else "unary") + "_" + ("stream" if many_out else "unary")
            # Tests also send what no message class would serialize.
            multi = getattr(channel, kind)(
                f"/{SERVICE}/{name}",
                request_serializer=lambda r: r if isinstance(r, bytes) else r.SerializeToString(),
                response_deserializer=Answer.FromString,
            )
            setattr(self, name, multi)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
