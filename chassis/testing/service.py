"""The real service inside the test process: real PostgreSQL, real NATS, a free loopback port, a clock that
tests move.

    async with running(OFFERS, backends, clock=clock) as offers:
        stub = OffersServiceStub(offers.channel(seller("acme")))
        await stub.SendOffer(...)
        await offers.settle()
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis import auth
from chassis.auth import Issuer
from chassis.bus import Bus, BusUnavailable
from chassis.config import Address, Secret
from chassis.host import Definition, Host
from chassis.inbox import DELIVERIES
from chassis.kernel.clock import Clock, ManualClock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import Refusal
from chassis.outbox import PUBLISHED
from chassis.status import DETAILS_KEY, peer_refusal
from chassis.testing.backends import NatsServer, PostgresServer
from chassis.testing.databases import Databases
from chassis.timers import TIMERS

CALL_SECONDS = 30.0
TOKEN_LIFE = timedelta(days=3650)
CONNECT_SECONDS = 20.0
SETTLE_ROUNDS = 100
CLEAR_ATTEMPTS = 20

_PRODUCERS = ("gating", "messaging", "offers", "orders", "probe")


# -------------------------------------------------------------------------------- callers


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who calls: a subject and the roles as claims spell them."""

    subject: str
    roles: tuple[str, ...] = ()


def buyer(user: str = "ana") -> Identity:
    """A buyer."""
    return Identity(f"users/{user}", ("buyer",))


def seller(name: str, role: str = "owner", *, user: str = "") -> Identity:
    """A member of a seller's team; `role` is owner or agent."""
    return Identity(f"users/{user or f'{name}-{role}'}", (f"seller:{name}:{role}",))


def observer(name: str) -> Identity:
    """Somebody who observes for `observers/{name}`."""
    return Identity(f"users/{name}-observer", (f"observer:{name}",))


def operator() -> Identity:
    """An operator."""
    return Identity("users/operator", ("operator",))


def service(name: str) -> Identity:
    """Another service."""
    return Identity(f"services/{name}", ("service",))


ANONYMOUS = Identity("")
"""Somebody without a token."""


# -------------------------------------------------------------------------------- backends


@dataclass
class Backends:
    """The servers and keys that tests share; databases and streams are empty for each test."""

    postgres: PostgresServer
    nats_url: str
    jwks_file: Path
    key_file: Path
    databases: Databases

    async def database(self, package: str) -> str:
        """The DSN of a database without a row, with the schema of a migrations package."""
        return await self.databases.lend(package)

    def issuer(self, clock: Clock) -> Issuer:
        """Signs tokens that every running service accepts."""
        key = auth.read_private_key(self.key_file)
        return Issuer(key, "test", issuer="parley", audience="parley", clock=clock)


@pytest.fixture(scope="session")
def test_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A JWKS file and the private key that belongs to it."""
    folder = tmp_path_factory.mktemp("auth")
    key = Ed25519PrivateKey.generate()
    auth.write_private_key(folder / "test.pem", key)
    auth.write_jwks(folder / "jwks.json", [("test", key.public_key())])
    return folder / "jwks.json", folder / "test.pem"


@pytest.fixture
async def backends(
    postgres_server: PostgresServer,
    nats_server: NatsServer,
    test_keys: tuple[Path, Path],
    databases: Databases,
) -> AsyncIterator[Backends]:
    """PostgreSQL and NATS without anything that another test left behind."""
    await clear_streams(nats_server.url)
    yield Backends(postgres_server, nats_server.url, *test_keys, databases=databases)
    await databases.take_back()


async def clear_streams(nats_url: str, producers: Iterable[str] = _PRODUCERS) -> None:
    """Remove every stream, so that no event of another test is delivered."""
    bus = await Bus.connect(nats_url, name="test")
    try:
        assert await bus.wait_connected(CONNECT_SECONDS)
        for producer in producers:
            for attempt in range(CLEAR_ATTEMPTS):
                try:
                    await bus.ensure_stream(producer)
                    await bus.delete_stream(producer)
                    break
                except BusUnavailable:
                    # The broker may still be busy removing the files of the stream before.
                    if attempt == CLEAR_ATTEMPTS - 1:
                        raise
    finally:
        await bus.close()


@pytest.fixture
def clock() -> ManualClock:
    """The clock of a test: noon of 1 June 2026, UTC."""
    return ManualClock()


# -------------------------------------------------------------------------------- running services


class RunningService:
    """A service that answers on a loopback port."""

    def __init__(self, host: Host[Any], issuer: Issuer, clock: ManualClock) -> None:
        self.host = host
        self.clock = clock
        self._issuer = issuer
        self._channels: list[grpc.aio.Channel] = []

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.host.name

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self.host.server.address

    def token(self, who: Identity) -> str:
        """A token for `who`; empty for ANONYMOUS."""
        return self._issuer.token(who.subject, who.roles, TOKEN_LIFE) if who.subject else ""

    def channel(self, who: Identity = ANONYMOUS) -> grpc.aio.Channel:
        """A channel for a generated stub whose calls come from `who`; closed together with the service."""
        channel = CallerChannel(str(self.address), self.token(who))
        self._channels.append(channel)
        return channel

    async def settle(self) -> None:
        """Return when nothing is left to do: timers that are due have run, events are published and taken
        in.
        """
        await settle(self)

    async def advance(self, by: timedelta) -> None:
        """Move the clock, then `settle`."""
        self.clock.advance(by)
        await self.settle()

    async def close_channels(self) -> None:
        """Close every channel that was handed out."""
        for channel in self._channels:
            await channel.close()

    async def work_once(self) -> bool:
        """One round of timers, relay and consumers; answers whether there was anything to do."""
        host = self.host
        fired = await host.timers.run_due()
        waiting = await host.relay.oldest_age() is not None
        await host.relay.flush()
        backlog = 0
        for producer, consumer in host.consumers.items():
            name = consumer.reactions.consumer
            await host.bus.ensure_consumer(producer, name)
            backlog += await host.bus.backlog(producer, name)
            await consumer.caught_up()
        return bool(fired or waiting or backlog)


async def settle(*services: RunningService) -> None:
    """Return when nothing is left to do in any of the services, which may feed each other.

    AssertionError where they still do after SETTLE_ROUNDS rounds.
    """
    for each in services:
        assert await each.host.bus.wait_connected(CONNECT_SECONDS)
    for _ in range(SETTLE_ROUNDS):
        before = _work_done()
        # Every one of them, not only until the first that was busy.
        is_busy = any([await each.work_once() for each in services])
        # A round looks at one part after the other, and the loops of the services work meanwhile: what moves
        # on behind the look leaves every part empty when its turn comes, but is counted.
        if not is_busy and _work_done() == before:
            return
    raise AssertionError(f"still busy after {SETTLE_ROUNDS} rounds: {', '.join(s.name for s in services)}")


def _work_done() -> float:
    """How many timers, events and deliveries this process has dealt with, whatever came of them."""
    return sum(
        sample.value
        for counter in (TIMERS, PUBLISHED, DELIVERIES)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


@asynccontextmanager
async def running(
    definition: Definition[Any],
    backends: Backends,
    *,
    clock: ManualClock | None = None,
    ids: Ids | None = None,
    dsn: str = "",
    **settings: Any,
) -> AsyncIterator[RunningService]:
    """Run a service. `settings` are fields of its config, such as `offers_target=offers.address`; peers that
    are not given point to where nobody answers. `dsn` keeps the database of an earlier run.
    """
    clock = clock or ManualClock()
    nowhere = Address("127.0.0.1", 1)
    targets = {name: nowhere for name in definition.config.__dataclass_fields__ if name.endswith("_target")}
    config = definition.config(
        **{
            "dsn": Secret(dsn or await backends.database(definition.migrations)),
            "nats_url": backends.nats_url,
            "grpc_address": Address("127.0.0.1", 0),
            "metrics_address": Address("127.0.0.1", 0),
            "auth_jwks_file": backends.jwks_file,
            "service_key_file": backends.key_file,
            "database_pool_size": 5,
            "shutdown_seconds": 4.0,
            **targets,
            **settings,
        }
    )
    host = Host(definition, config, clock=clock, ids=ids, start_seconds=CONNECT_SECONDS)
    await host.start()
    running_service = RunningService(host, backends.issuer(clock), clock)
    try:
        yield running_service
    finally:
        await running_service.close_channels()
        await host.stop()


@asynccontextmanager
async def running_together(
    definitions: Iterable[Definition[Any]],
    backends: Backends,
    *,
    clock: ManualClock | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[dict[str, RunningService]]:
    """Run several services that know each other, on one clock; the answer holds them by name."""
    clock, chosen = clock or ManualClock(), list(definitions)
    addresses = {definition.name: free_address() for definition in chosen}
    async with AsyncExitStack() as stack:
        services: dict[str, RunningService] = {}
        for definition in chosen:
            own = dict((settings or {}).get(definition.name, {}))
            for peer, address in addresses.items():
                if f"{peer}_target" in definition.config.__dataclass_fields__:
                    own.setdefault(f"{peer}_target", address)
            own["grpc_address"] = addresses[definition.name]
            services[definition.name] = await stack.enter_async_context(
                running(definition, backends, clock=clock, **own)
            )
        yield services


def free_address() -> Address:
    """A loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", int(probe.getsockname()[1]))


class CallerChannel(grpc.aio.Channel):
    """A channel whose calls carry one token and a deadline."""

    def __init__(self, target: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def unary_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """A callable for one method."""
        return self._with_token(self._channel.unary_unary(method, *arguments, **named), CALL_SECONDS)

    def unary_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """A callable for one method; streams have no deadline."""
        return self._with_token(self._channel.unary_stream(method, *arguments, **named), None)

    def stream_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """A callable for one method."""
        return self._with_token(self._channel.stream_unary(method, *arguments, **named), CALL_SECONDS)

    def stream_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """A callable for one method; streams have no deadline."""
        return self._with_token(self._channel.stream_stream(method, *arguments, **named), None)

    def _with_token(self, inner: Any, seconds: float | None) -> Callable[..., Any]:
        def call(request: Any = None, *, timeout: float | None = seconds, metadata: Any = ()) -> Any:
            return inner(request, timeout=timeout, metadata=(*self._metadata, *metadata))

        return call

    async def close(self, grace: float | None = None) -> None:
        """Close the connection."""
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Whether the service is connected."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return when the connectivity is another one."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Return when the service is connected."""
        await self._channel.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()


async def refused(answer: Awaitable[Any]) -> Refusal:
    """What a call was refused with: kind, reason, metadata, violations. AssertionError where it was
    answered, or where it failed without a reason.
    """
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    error = caught.value
    details = dict(error.trailing_metadata() or ()).get(DETAILS_KEY)
    body = details if isinstance(details, bytes) else None
    found = peer_refusal(error.code(), error.details() or "", body)
    assert found is not None, f"failed without a reason: {error.code()} {error.details()}"
    return found
