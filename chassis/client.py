"""Calls to other services.

A peer's stub is built on a `PeerChannel`; each call then carries this service's identity and the trace, never
outlives the call it serves, is repeated while the peer stops or is away where that is harmless, and fails
with a `Refusal`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from time import perf_counter
from typing import Any, Self, TypeVar

import grpc
from google.protobuf import descriptor_pool

from chassis import metrics, status, telemetry
from chassis.admission import REQUEST_ID
from chassis.auth import ACTING_FOR
from chassis.interceptors import TRANSPORT_LIMIT_BYTES
from chassis.kernel.refusal import Kind, Refusal, unavailable

CALL_SECONDS = 2.0
RESERVE_SECONDS = 0.02
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.025
LONGEST_PAUSE_SECONDS = 0.5

# What a peer may say about the request of our caller; everything else is between us and the peer.
_PASSED_ON = frozenset({Kind.INVALID, Kind.NOT_FOUND, Kind.PRECONDITION, Kind.STALE, Kind.EXISTS})
_PEER_FAILED = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_OPTIONS = (
    ("grpc.max_receive_message_length", TRANSPORT_LIMIT_BYTES),
    ("grpc.max_send_message_length", TRANSPORT_LIMIT_BYTES),
    # A restarted peer is found again within a second instead of two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.service_config_disable_resolution", 1),
)

T = TypeVar("T")

_log = telemetry.logger("client")


class PeerMisuse(Exception):
    """A peer does not accept what this service sent in its own name: a defect or a wrong deployment of
    ours.
    """


class PeerChannel(grpc.aio.Channel):
    """A channel to one peer, for the generated stubs: `OffersServiceStub(runtime.peers["offers"])`.

    Calls wait at most CALL_SECONDS (or `timeout`), and never longer than the current call's remaining time
    less RESERVE_SECONDS. Methods without `request_id` change nothing and are repeated while the peer stops or
    is away, ATTEMPTS times in all. `acting_for` names the buyer in whose name a call is made, where the
    method lets this service do so.

    Errors: Refusal UNAVAILABLE PEER_UNAVAILABLE when the peer cannot be reached or failed, DEADLINE
    DEADLINE_EXCEEDED when it was too slow; what the peer refused about the request keeps its reason;
    PeerMisuse where it refused us.
    """

    def __init__(
        self,
        peer: str,
        target: str,
        *,
        token: Callable[[], str],
        jitter: random.Random | None = None,
        wrap: grpc.aio.Channel | None = None,
    ) -> None:
        """`token` answers the bearer token of this service, empty for none; `wrap` replaces the real
        channel.
        """
        self.peer = peer
        self.token = token
        self.jitter = jitter or random.SystemRandom()
        self._channel = wrap or grpc.aio.insecure_channel(target, options=_OPTIONS)

    def unary_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """A callable for one unary method."""
        return _PeerMethod(self, method, self._channel.unary_unary(method, *arguments, **named))

    def unary_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """A callable for one server-streaming method; it is not repeated and has no deadline of its own."""
        inner = self._channel.unary_stream(method, *arguments, **named)

        def start(request: Any, *, timeout: float | None = None) -> AsyncIterator[Any]:
            return _each(self, inner(request, timeout=timeout, metadata=self.metadata()))

        return start

    def stream_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Not offered: services do not upload to each other. Answers a callable that says so."""
        return _not_offered

    def stream_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Not offered: services do not hold conversations with each other. Answers a callable that says
        so.
        """
        return _not_offered

    async def close(self, grace: float | None = None) -> None:
        """Close the connection, after `grace` seconds for calls under way."""
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Whether the peer is connected."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return when the connectivity is another one."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Return when the peer is connected."""
        await self._channel.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What accompanies a call: our identity and the trace."""
        token, traceparent = self.token(), telemetry.current_traceparent()
        identity = (("authorization", f"Bearer {token}"),) if token else ()
        return (*identity, (telemetry.TRACEPARENT, traceparent)) if traceparent else identity


class _PeerMethod:
    """One unary method of a peer."""

    __slots__ = ("_attempts", "_channel", "_inner", "_method", "_seconds")

    def __init__(self, channel: PeerChannel, method: str, inner: Any) -> None:
        self._channel = channel
        self._method = method
        self._inner = inner
        self._attempts = 1 if is_mutating(method) else ATTEMPTS
        self._seconds: dict[str, Callable[[float], None]] = {}

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        acting_for: str = "",
        **_: Any,
    ) -> Any:
        loop = asyncio.get_running_loop()
        started = perf_counter()
        scope = telemetry.current_scope()
        until = loop.time() + (CALL_SECONDS if timeout is None else timeout)
        if scope is not None and scope.deadline is not None:
            until = min(until, scope.deadline - RESERVE_SECONDS)
        code = "OK"
        try:
            if not telemetry.tracing_enabled():
                return await self._attempt(request, loop, until, acting_for)
            with telemetry.working(self._method, kind="client"):
                return await self._attempt(request, loop, until, acting_for)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise self._translated(error) from error
        except Refusal as refusal:
            code = status.CODES[refusal.kind].name
            raise
        finally:
            self._measure(code, perf_counter() - started)

    async def _attempt(
        self, request: Any, loop: asyncio.AbstractEventLoop, until: float, acting_for: str
    ) -> Any:
        channel = self._channel
        subject = ((ACTING_FOR, acting_for),) if acting_for else ()
        for attempt in range(1, self._attempts + 1):
            remaining = until - loop.time()
            if remaining <= 0:
                raise _too_late(channel.peer)
            try:
                return await self._inner(request, timeout=remaining, metadata=(*channel.metadata(), *subject))
            except grpc.aio.AioRpcError as error:
                pause = channel.jitter.uniform(0.5, 1.0) * min(
                    FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS
                )
                last = attempt == self._attempts or loop.time() + pause >= until
                if error.code() not in status.STOPPED or last:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt either returns or raises")

    def _translated(self, error: grpc.aio.AioRpcError) -> Exception:
        return translated(self._channel.peer, self._method, error)

    def _measure(self, code: str, seconds: float) -> None:
        observe = self._seconds.get(code)
        if observe is None:
            observe = metrics.PEER_CALL_SECONDS.labels(self._channel.peer, code).observe
            self._seconds[code] = observe
        observe(seconds)


def translated(peer: str, method: str, error: grpc.aio.AioRpcError) -> Exception:
    """What the failure of a peer means for our own caller: a Refusal, or PeerMisuse."""
    code = error.code()
    details = dict(error.trailing_metadata() or ()).get(status.DETAILS_KEY)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _too_late(peer)
    refusal = status.peer_refusal(
        code, error.details() or "", details if isinstance(details, bytes) else None
    )
    if refusal is not None and refusal.kind in _PASSED_ON:
        return refusal
    if code in _PEER_FAILED:
        _log.warning("peer_failed", peer=peer, method=method, code=code.name)
        return Refusal(
            Kind.UNAVAILABLE,
            "PEER_UNAVAILABLE",
            f"{peer} cannot answer now",
            metadata={"peer": peer},
            retry_after_seconds=1.0,
        )
    reason = refusal.reason if refusal is not None else ""
    return PeerMisuse(f"{peer} refused {method}: {code.name} {reason}".strip())


async def in_time(peer: str, answer: Awaitable[T]) -> T:
    """The answer of a peer without which nothing can be done. One that is too slow is away: Refusal
    UNAVAILABLE PEER_UNAVAILABLE instead of DEADLINE.
    """
    try:
        return await answer
    except Refusal as refusal:
        if refusal.kind is Kind.DEADLINE:
            raise unavailable("PEER_UNAVAILABLE", f"{peer} did not answer in time", peer=peer) from refusal
        raise


def is_mutating(method: str) -> bool:
    """Whether `method` (`/package.Service/Method`) changes something, as its `request_id` tells; unknown
    ones do.
    """
    try:
        found = descriptor_pool.Default().FindMethodByName(method.lstrip("/").replace("/", "."))
    except KeyError:
        return True
    return REQUEST_ID in found.input_type.fields_by_name


def _too_late(peer: str) -> Refusal:
    return Refusal(
        Kind.DEADLINE, "DEADLINE_EXCEEDED", f"{peer} did not answer in time", metadata={"peer": peer}
    )


async def _each(channel: PeerChannel, call: Any) -> AsyncIterator[Any]:
    try:
        async for message in call:
            yield message
    except grpc.aio.AioRpcError as error:
        raise translated(channel.peer, "stream", error) from error
    finally:
        call.cancel()


def _not_offered(*_arguments: Any, **_named: Any) -> Generator[Any, None, None]:
    raise NotImplementedError("peer channels carry unary calls and streams of answers only")


def open_peers(targets: Mapping[str, str], token: Callable[[], str]) -> dict[str, PeerChannel]:
    """One channel for each peer, by name. Nothing is connected yet."""
    return {peer: PeerChannel(peer, target, token=token) for peer, target in targets.items()}
