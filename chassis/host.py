"""A service in a process: what it consists of, how it starts, and in which order it stops."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import grpc

from chassis import metrics, telemetry
from chassis.auth import ServiceIdentity, Verifier
from chassis.background import Background
from chassis.bus import Bus, BusUnavailable
from chassis.client import PeerChannel, open_peers
from chassis.config import Address, ServiceConfig
from chassis.db import Database
from chassis.envelope import EventRecord
from chassis.inbox import Consumer, Reactions, Subscription
from chassis.interceptors import Chain, Limit
from chassis.kernel.clock import Clock, SystemClock
from chassis.kernel.ids import Ids, UuidV7
from chassis.kernel.refusal import Refusal
from chassis.metrics import MetricsServer
from chassis.opening import START_SECONDS, open_database, schema_problem
from chassis.outbox import Relay
from chassis.reconciler import Reconciler
from chassis.server import AddressTaken, Health, Server, make_server
from chassis.stop_budget import StopBudget
from chassis.timers import GroupHandler, Handler, LaneHandler, TimerRunner

READINESS_SECONDS = 2.0
KEY_REFRESH_SECONDS = 30.0
# What each step of a stop may take at most, within the budget of the whole.
DRAIN_SECONDS = 5.0
FINISH_SECONDS = 10.0
FLUSH_SECONDS = 5.0
CLOSE_SECONDS = 5.0

C = TypeVar("C", bound=ServiceConfig)

_log = telemetry.logger("host")


@dataclass(frozen=True, slots=True)
class Runtime(Generic[C]):
    """What the chassis hands to a service that is being put together."""

    config: C
    clock: Clock
    ids: Ids
    database: Database
    bus: Bus
    peers: Mapping[str, PeerChannel]
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class Service:
    """What a service hands back: everything that can reach it."""

    add_servicers: Callable[[grpc.aio.Server], None]
    """Registers the servicers, by the generated `add_..._to_server` functions."""
    subscriptions: Mapping[str, Sequence[Subscription]] = field(default_factory=dict)
    """Reactions by producer (`offers`)."""
    timers: Mapping[str, Handler | LaneHandler | GroupHandler] = field(default_factory=dict)
    """Handlers by kind of timer."""
    broadcasts: Mapping[str, Callable[[str, bytes], Awaitable[None]]] = field(default_factory=dict)
    """Best-effort listeners by subject; each is given the subject and the body."""
    background: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """Tasks that run for as long as the service, by name; each is restarted when it fails."""
    prepare: Callable[[], Awaitable[None]] | None = None
    """Runs once before the first call is served."""
    drain: Callable[[], Awaitable[None]] | None = None
    """Runs once when the service is to end, before its calls are drained: nothing else may come in after."""
    close: Callable[[], Awaitable[None]] | None = None
    """Runs once after the last work has ended, before the connections to peers and storage close."""


@dataclass(frozen=True, slots=True)
class UpkeepCommand:
    """A command of one service beside those of all: `python -m services.<service> <name>`. It looks after the
    data, also while the service runs.
    """

    name: str
    help: str
    work: Callable[[Database], Awaitable[str]]
    """Does it, and says in a few words what was done."""


@dataclass(frozen=True, slots=True)
class Definition(Generic[C]):
    """All that has to be known to run a service, in production and in tests."""

    name: str
    config: type[C]
    build: Callable[[Runtime[C]], Service]
    encoder: Callable[[Ids, Clock], Callable[[Any], EventRecord]]
    """Makes the function that turns a recorded domain event into its record."""
    migrations: str
    """The migrations package, such as `services.offers.migrations`."""
    commands: tuple[UpkeepCommand, ...] = ()
    """Commands that only this service has."""
    audited: bool = False
    """Whether its database records who changed what (`chassis.audit`)."""
    guarded: bool = False
    """Whether its database keeps who may see a row (`chassis.row_security`)."""


class Host(Generic[C]):
    """Opens, serves and closes one service. Every part that fails to start closes what was opened before
    it.
    """

    def __init__(
        self,
        definition: Definition[C],
        config: C,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.definition = definition
        self.config = config
        self.name = definition.name
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or UuidV7(self.clock)
        self._start_seconds = start_seconds
        self._closing: contextlib.AsyncExitStack = contextlib.AsyncExitStack()
        self._stopped = False
        self._budget = StopBudget(config.shutdown_seconds)
        self.background = Background(self.name)

    # -------------------------------------------------------------------------------------------- opening

    async def open(self) -> None:
        """Open database, bus and channels and put the service together, without serving it.

        StartError where the database cannot be used within `start_seconds`, KeyFileError for unusable keys.
        """
        try:
            await self._open()
        except BaseException:
            await self._closing.aclose()
            raise

    async def _open(self) -> None:
        config = self.config
        self.verifier = Verifier(
            config.auth_jwks_file, issuer=config.auth_issuer, audience=config.auth_audience, clock=self.clock
        )
        token = self._identity()
        encode = self.definition.encoder(self.ids, self.clock)
        self.database = await open_database(
            self.definition, config, clock=self.clock, encode=encode, seconds=self._start_seconds
        )
        self._closes(self.database.close)
        self.bus = await Bus.connect(config.nats_url, name=f"parley-{self.name}")
        self._closes(self.bus.close)
        self.peers = open_peers(config.targets(), token)
        for peer in self.peers.values():
            self._closes(peer.close)
        runtime = Runtime(config, self.clock, self.ids, self.database, self.bus, self.peers, self.verifier)
        self.service = self.definition.build(runtime)
        if self.service.close is not None:
            self._closes(self.service.close)
        self.reactions = {
            producer: Reactions(f"{self.name}-on-{producer}", subscriptions)
            for producer, subscriptions in self.service.subscriptions.items()
        }

    def _identity(self) -> Callable[[], str]:
        config = self.config
        if config.service_key_file is None:
            return lambda: ""
        identity = ServiceIdentity.open(
            self.name,
            config.service_key_file,
            config.auth_jwks_file,
            issuer=config.auth_issuer,
            audience=config.auth_audience,
            clock=self.clock,
        )
        return identity.token

    def _closes(self, close: Callable[[], Awaitable[None]]) -> None:
        """Something that was opened: closed at the end, before what was opened earlier."""
        # Half of what remains: one that hangs leaves some of it to those that come after.
        self._closing.push_async_callback(self._budget.step, close, CLOSE_SECONDS, share=0.5)

    # -------------------------------------------------------------------------------------------- serving

    async def start(self) -> None:
        """Open everything, then serve. Raises what `open` raises, or AddressTaken."""
        await self.open()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        config, name = self.config, self.name
        self.relay = Relay(self.database, self.bus, self.clock, producer=name)
        self.timers = TimerRunner(self.database, self.clock, self.service.timers)
        self.consumers = {
            producer: Consumer(producer=producer, reactions=reactions, bus=self.bus, database=self.database)
            for producer, reactions in self.reactions.items()
        }
        self.reconciler = Reconciler(name, self.relay, self.bus, self.clock)
        self.health = Health(
            name,
            {
                "database": self._database_problem,
                "schema": self._schema_problem,
                "outbox": self.reconciler.problem,
            },
        )
        self.chain = Chain(
            name,
            self.verifier,
            calls=Limit("concurrent_calls", config.maximum_concurrent_calls),
            streams=Limit("open_streams", config.maximum_open_streams),
            log_reads=config.log_level == "debug",
            support=config.support_contact,
        )
        self.server: Server = make_server(
            self.chain, config.grpc_address, self.service.add_servicers, self.health
        )
        self._metrics_server = MetricsServer(self._ready)
        try:
            self.metrics_address: Address = await self._metrics_server.start(config.metrics_address)
        except OSError as error:
            raise AddressTaken(
                f"{config.metrics_address} cannot be listened on ({error.strerror})"
            ) from error
        self._closes(self._metrics_server.stop)
        for limit, kind in ((self.chain.calls, "call"), (self.chain.streams, "stream")):
            metrics.OPEN_CALLS.labels(name, kind).set_function(functools.partial(_open_calls, limit))
        for subject, callback in self.service.broadcasts.items():
            await self.bus.listen(subject, callback)
        if self.service.prepare is not None:
            await self.service.prepare()
        self._start_background()
        await self._refresh_health()
        await self.server.grpc_server.start()
        _log.info("started", address=str(self.server.address), metrics=str(self.metrics_address))

    def _start_background(self) -> None:
        start = self.background.start
        start("relay", self.relay.run)
        for consumer in self.consumers.values():
            start(f"consumer {consumer.reactions.consumer}", consumer.run)
        if self.service.timers:
            start("timers", self.timers.run)
        start("reconciler", self.reconciler.run)
        start("readiness", self._keep_checking)
        start("keys", self._keep_keys)
        for name, run in self.service.background.items():
            start(name, run)

    async def _ready(self) -> str:
        return self.health.problem

    async def _refresh_health(self) -> None:
        problem = await self.health.refresh()
        metrics.READY.labels(self.name).set(not problem)

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(READINESS_SECONDS)
            await self._refresh_health()

    async def _keep_keys(self) -> None:
        while True:
            await asyncio.sleep(KEY_REFRESH_SECONDS)
            if self.verifier.refresh():
                _log.info("keys_read_again")

    async def _database_problem(self) -> str:
        try:
            await self.database.ping()
        except Refusal:
            return "cannot be reached"
        return ""

    async def _schema_problem(self) -> str:
        return await schema_problem(self.definition, self.database)

    # -------------------------------------------------------------------------------------------- stopping

    async def stop(self) -> None:
        """Stop in the order that loses nothing, within `shutdown_seconds` for all of it: NOT_SERVING, no
        new calls, calls drained, consumers and timers finished, outbox flushed, lease released, connections
        closed.
        """
        if self._stopped:
            return
        self._stopped = True
        self._budget.begin()
        _log.info("stopping")
        if hasattr(self, "server"):
            await self.health.drain()
            self.chain.drain()
            if self.service.drain is not None:
                await self._budget.step(self.service.drain, DRAIN_SECONDS)
            seconds = self._budget.for_calls()
            # A call that goes on although it was cancelled must not hold up what comes after.
            ending = asyncio.ensure_future(self.server.grpc_server.stop(seconds))
            await asyncio.wait([ending], timeout=self._budget.of(seconds + CLOSE_SECONDS))
            await self._finish_work()
        await self.background.stop(seconds=self._budget.of(CLOSE_SECONDS))
        await self._closing.aclose()
        _log.info("stopped")

    async def _finish_work(self) -> None:
        for consumer in self.consumers.values():
            consumer.stop()
        self.timers.stop()
        names = [f"consumer {consumer.reactions.consumer}" for consumer in self.consumers.values()]
        if not await self.background.finish([*names, "timers"], self._budget.of(FINISH_SECONDS)):
            # Whatever was cut off is unacknowledged, or still in its row, and comes again.
            _log.warning("work_cut_off")
        self.relay.stop()
        await self.background.finish(["relay"], self._budget.of(FLUSH_SECONDS))
        with contextlib.suppress(BusUnavailable, Refusal):
            await self._budget.step(self.relay.flush, FLUSH_SECONDS)
        with contextlib.suppress(Refusal):
            await self._budget.step(self.relay.release, FLUSH_SECONDS)


def _open_calls(limit: Limit) -> float:
    return float(limit.open)
