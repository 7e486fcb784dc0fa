"""A real gRPC server that speaks the sample contract and answers what a test says."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.unit.gateway import sample

# Takes the request and the context; returns an answer or, for streams, is an async generator.
Answer = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Received:
    """One call as the service saw it."""

    request: Any
    metadata: dict[str, str]
    seconds_left: float


class Upstream:
    """The service behind the gateway. Set `answers[method]` to change what it says."""

    def __init__(self) -> None:
        self.calls: list[Received] = []
        self.answers: dict[str, Answer] = {}
        self.health = health.aio.HealthServicer()
        self.address = ""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])

    @property
    def last(self) -> Received:
        """The newest call."""
        return self.calls[-1]

    async def start(self, address: str = "127.0.0.1:0") -> None:
        methods = {method.name: self._handler(method) for method in sample.service().methods}
        generic = grpc.method_handlers_generic_handler(sample.service().full_name, methods)
        self._server.add_generic_rpc_handlers((generic,))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        port = self._server.add_insecure_port(address)
        self.address = f"127.0.0.1:{port}"
        await self.serving(health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def serving(self, state: Any) -> None:
        await self.health.set("", state)

    def _handler(self, method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
        codecs: dict[str, Any] = {
            "request_deserializer": GetMessageClass(method.input_type).FromString,
            "response_serializer": GetMessageClass(method.output_type).SerializeToString,
        }

        async def unary(request: Any, context: Any) -> Any:
            self._record(request, context)
            answer = self.answers.get(method.name, standard)
            result = answer(request, context)
            return await result if inspect.isawaitable(result) else result

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            self._record(request, context)
            async for message in self.answers[method.name](request, context):
                yield message

        async def collect(requests: Any, context: Any) -> Any:
            self._record(None, context)
            answer: Any = self.answers.get(method.name, gathered)
            return await answer(requests, context)

        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(collect, **codecs)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, **codecs)
        return grpc.unary_unary_rpc_method_handler(unary, **codecs)

    def _record(self, request: Any, context: Any) -> None:
        self.calls.append(
            Received(request, dict(context.invocation_metadata()), context.time_remaining() or -1.0)
        )


async def gathered(requests: Any, _context: Any) -> Any:
    """What a stream of requests amounts to."""
    arrived = [request async for request in requests]
    size = sum(len(request.data) for request in arrived)
    return sample.new("PutPictureResponse", request=arrived[0], size=size, pieces=len(arrived) - 1)


def standard(request: Any, _context: Any) -> Any:
    """An answer for each method that shows what arrived."""
    match request.DESCRIPTOR.name:
        case "Everything":
            return request
        case "GetThingRequest":
            return sample.new("GetThingResponse", thing={"name": request.name, "etag": "v3", "kind": 1})
        case "UpdateThingRequest":
            return sample.new("UpdateThingResponse", thing=request.thing, request=request)
        case "ListThingsRequest" | "CloseThingRequest" | "TakeNewsRequest" as name:
            return sample.new(name.replace("Request", "Response"), request=request)
        case "GetFileRequest":
            return sample.new("GetFileResponse", lines=request.path.split("/"))
        case "GetNumberRequest":
            return sample.new("GetNumberResponse", number=request.number, kind=request.kind)
        case name:
            return sample.new(name.replace("Request", "Response"))
