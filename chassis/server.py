"""The gRPC server of a service: registration through the chain, health, reflection, and the one-line
servicer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis import status, telemetry
from chassis.call import Call, current_call
from chassis.config import Address
from chassis.interceptors import TRANSPORT_LIMIT_BYTES, Chain

CONNECTION_AGE_SECONDS = 300
CONNECTION_AGE_GRACE_SECONDS = 30
# Health and reflection calls pass beside the limits of the chain; the server's own limit is the last line.
SPARE_CALLS = 64

LIVE = "live"
READY = "ready"

Command = TypeVar("Command")
Result = TypeVar("Result")
Answer = TypeVar("Answer")
Check = Callable[[], Awaitable[str]]

_log = telemetry.logger("server")


# -------------------------------------------------------------------------------- servicers


async def respond(
    context: Any,
    command: Command,
    handler: Callable[[Call, Command], Awaitable[Result]],
    encode: Callable[[Result], Answer],
) -> Answer:
    """Answer a unary call: run `handler` on the decoded `command` and encode what it returns.

    `encode` runs once even where the answer is stored under an idempotency key as well. `context` is that of
    the servicer method; refusals pass through to the chain.
    """
    call = current_call()
    call.encoder = encode  # type: ignore[assignment]
    return call.answer(await handler(call, command))  # type: ignore[return-value]


def respond_at_once(
    context: Any,
    command: Command,
    at_once: Callable[[Call, Command], Result | None],
    handler: Callable[[Call, Command], Awaitable[Result]],
    encode: Callable[[Result], bytes],
) -> bytes | Awaitable[bytes]:
    """As `respond`, for a hot call whose result is mostly at hand: `at_once` answers it without waiting for
    anything, or None where `handler` has to be asked. It spares three coroutines.
    """
    result = at_once(current_call(), command)
    return respond(context, command, handler, encode) if result is None else encode(result)


async def respond_each(
    context: Any,
    query: Command,
    handler: Callable[[Call, Command], Awaitable[AsyncIterator[Result]]],
    encode: Callable[[Result], Answer],
) -> AsyncIterator[Answer]:
    """Answer a server-streaming call with one message for each result.

    `handler` decides and answers the results still to come, which are always closed. Its decision is told at
    once, as the call's initial metadata: whoever reads them knows that nothing from now on is missed.
    """
    results = await handler(current_call(), query)
    try:
        await context.send_initial_metadata(())
        async for result in results:
            yield encode(result)
    finally:
        close = getattr(results, "aclose", None)
        if close is not None:
            await close()


class MethodRegistry(grpc.aio.Server):
    """What `add_<Service>Servicer_to_server` is given: every handler goes through the chain before it is
    served.
    """

    def __init__(self, server: grpc.aio.Server, chain: Chain) -> None:
        self._server = server
        self._chain = chain
        self.services: list[str] = []

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Wrap and register the methods of one service."""
        wrapped = {
            name: self._chain.wrap(f"/{service_name}/{name}", handler)
            for name, handler in method_handlers.items()
        }
        self.services.append(service_name)
        self._server.add_registered_method_handlers(service_name, wrapped)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Nothing: generated code registers the same methods twice, and this way would lead around the
        chain.
        """

    def add_insecure_port(self, address: str) -> int:
        """Refused: a registry registers methods only."""
        self._only_registers()

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Refused: a registry registers methods only."""
        self._only_registers()

    async def start(self) -> None:
        """Refused: a registry registers methods only."""
        self._only_registers()

    async def stop(self, grace: float | None) -> None:
        """Refused: a registry registers methods only."""
        self._only_registers()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        """Refused: a registry registers methods only."""
        self._only_registers()

    def _only_registers(self) -> NoReturn:
        raise RuntimeError("a MethodRegistry registers methods and does nothing else")


# -------------------------------------------------------------------------------- health


class Health:
    """Live and ready, over `grpc.health.v1`.

    The names `live` and `ready` say exactly that; the empty name and every served service mean `ready`,
    which is what load balancers ask for. `live` needs no check: an answer proves that the loop turns.
    """

    def __init__(self, service: str, checks: Mapping[str, Check]) -> None:
        """Each check answers what is wrong, an empty text if nothing; an exception counts as its class's
        name.
        """
        self._service = service
        self._checks = checks
        self._names: list[str] = ["", READY]
        self._draining = False
        self.problem = "starting"
        self.servicer = health.aio.HealthServicer()

    def covers(self, services: Sequence[str]) -> None:
        """Answer for these service names as well."""
        self._names.extend(services)

    async def refresh(self) -> str:
        """Run the checks, tell watchers, and answer what is wrong (empty: ready)."""
        problem = "shutting down" if self._draining else await self._find_problem()
        if problem != self.problem:
            _log.info("readiness", ready=not problem, problem=problem)
        self.problem = problem
        await self._publish()
        return problem

    async def drain(self) -> None:
        """Say NOT_SERVING from now on, whatever the checks say."""
        self._draining = True
        self.problem = "shutting down"
        await self._publish()

    async def _find_problem(self) -> str:
        for name, check in self._checks.items():
            try:
                problem = await check()
            except Exception as error:  # noqa: BLE001 -- whatever a check raises means not ready
                problem = type(error).__name__
            if problem:
                return f"{name}: {problem}"
        return ""

    async def _publish(self) -> None:
        serving, not_serving = (
            health_pb2.HealthCheckResponse.SERVING,
            health_pb2.HealthCheckResponse.NOT_SERVING,
        )
        for name in self._names:
            await self.servicer.set(name, not_serving if self.problem else serving)
        await self.servicer.set(LIVE, serving)


# -------------------------------------------------------------------------------- server


class AddressTaken(Exception):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is bound to its port; `start` and `stop` it through `grpc_server`."""

    grpc_server: grpc.aio.Server
    address: Address
    services: tuple[str, ...]


class _Nowhere(grpc.GenericRpcHandler):
    """Answers for paths that nothing else serves, with a reason instead of a bare UNIMPLEMENTED."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        failure = status.no_such_method(handler_call_details.method)

        async def answer(_request: Any, context: Any) -> None:
            await context.abort(failure.code, failure.message, failure.trailing_metadata)

        return grpc.unary_unary_rpc_method_handler(answer)


def make_server(
    chain: Chain,
    address: Address,
    add_servicers: Callable[[grpc.aio.Server], None],
    health_of: Health,
) -> Server:
    """Bind a server with every method behind `chain`, with health and reflection beside it.

    AddressTaken where the address is in use, KeyError for a service without descriptor. The port is bound
    but not served until `start`, so that a taken port stops a process before it has touched anything.
    """
    server = grpc.aio.server(
        maximum_concurrent_rpcs=chain.calls.maximum + chain.streams.maximum + SPARE_CALLS,
        options=(
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", TRANSPORT_LIMIT_BYTES),
            ("grpc.max_send_message_length", TRANSPORT_LIMIT_BYTES),
            ("grpc.max_connection_age_ms", CONNECTION_AGE_SECONDS * 1000),
            ("grpc.max_connection_age_grace_ms", CONNECTION_AGE_GRACE_SECONDS * 1000),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ),
    )
    registry = MethodRegistry(server, chain)
    add_servicers(registry)
    health_of.covers(registry.services)
    health_pb2_grpc.add_HealthServicer_to_server(health_of.servicer, server)
    names = (*registry.services, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    server.add_generic_rpc_handlers((_Nowhere(),))
    try:
        port = server.add_insecure_port(str(address))
    except RuntimeError as error:
        raise AddressTaken(
            f"{address} cannot be listened on: another process has it, or it is not ours"
        ) from error
    return Server(server, Address(address.host, port), tuple(registry.services))
