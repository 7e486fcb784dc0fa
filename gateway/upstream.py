"""The services behind the gateway: one channel each, and their health."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2

from chassis import telemetry
from chassis.status import STOPPED
from gateway.errors import upstream_problem
from gateway.transcode import Endpoint

HEALTH_METHOD = "/grpc.health.v1.Health/Check"
HEALTH_SECONDS = 1.0
RETRY_PAUSE_SECONDS = 0.05
ATTEMPTS_OF_READS = 3

# Answers larger than this are refused by the client side of gRPC; requests are limited before they get here.
MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024

_CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    # Reads are repeated here, where it is known which calls are reads.
    ("grpc.enable_retries", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A service that comes back is found within a second, not after gRPC's default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]

_log = telemetry.logger("upstream")

Metadata = tuple[tuple[str, str], ...]


class UnknownService(Exception):
    """The contract has a service for which no target is configured."""


def short_name(service: ServiceDescriptor) -> str:
    """The name that a service has in settings and logs: `offers` for `parley.offers.v1.OffersService`."""
    return service.full_name.split(".")[1]


class Upstreams:
    """Channels to the services, opened lazily by gRPC. Create it inside the running event loop."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        """`targets` maps short names to addresses: `offers` to `127.0.0.1:9103`."""
        self._channels = {
            name: grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
            for name, target in targets.items()
        }

    def unary(self, endpoint: Endpoint) -> Any:
        """A callable `(request, timeout=…, metadata=…)` for a method with one answer."""
        return self._channel(endpoint).unary_unary(endpoint.path, **_codecs(endpoint))

    def stream(self, endpoint: Endpoint) -> Any:
        """A callable `(request, timeout=…, metadata=…)` for a method with a stream of answers."""
        return self._channel(endpoint).unary_stream(endpoint.path, **_codecs(endpoint))

    def upload(self, endpoint: Endpoint) -> Any:
        """A callable `(timeout=…, metadata=…)` for a method with a stream of requests, which are written one
        by one.
        """
        return self._channel(endpoint).stream_unary(endpoint.path, **_codecs(endpoint))

    async def health(self) -> Mapping[str, str]:
        """What each service says about itself: `SERVING`, `NOT_SERVING` or `UNREACHABLE`."""
        names = list(self._channels)
        states = await asyncio.gather(*(self._health(self._channels[name]) for name in names))
        return dict(zip(names, states, strict=True))

    async def close(self) -> None:
        """Closes all channels at once."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    def _channel(self, endpoint: Endpoint) -> grpc.aio.Channel:
        service = endpoint.rpc.containing_service
        name = short_name(service)
        if name not in self._channels:
            raise UnknownService(f"no target is configured for {service.full_name}")
        return self._channels[name]

    async def _health(self, channel: grpc.aio.Channel) -> str:
        check = channel.unary_unary(
            HEALTH_METHOD,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=HEALTH_SECONDS)
        except grpc.aio.AioRpcError:
            return "UNREACHABLE"
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def call_once(call: Any, request: Any, *, seconds: float, metadata: Metadata, service: str) -> Any:
    """The answer of a call that may change something and is therefore never repeated; raises Problem."""
    try:
        return await call(request, timeout=seconds, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        raise upstream_problem(error, service) from None


async def call_read(call: Any, request: Any, *, seconds: float, metadata: Metadata, service: str) -> Any:
    """The answer of a call that changes nothing; repeated while the service stops or cannot be reached."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    for attempt in range(1, ATTEMPTS_OF_READS + 1):
        try:
            return await call(request, timeout=end - loop.time(), metadata=metadata)
        except grpc.aio.AioRpcError as error:
            pause = RETRY_PAUSE_SECONDS * attempt
            is_last = attempt == ATTEMPTS_OF_READS or loop.time() + pause >= end
            if is_last or error.code() not in STOPPED:
                raise upstream_problem(error, service) from None
            _log.warning("read_repeated", service=service, attempt=attempt)
        await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _codecs(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "request_serializer": endpoint.request.message_class.SerializeToString,
        "response_deserializer": endpoint.response_class.FromString,
    }
