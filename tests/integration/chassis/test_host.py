"""A whole service in the test process, and what it does when something around it is missing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client import REGISTRY

from chassis import migrations, opening
from chassis.config import Secret
from chassis.db import Transaction
from chassis.host import Host, Service
from chassis.inbox import on
from chassis.kernel.clock import ManualClock
from chassis.opening import StartError
from chassis.testing import Backends, RunningService, buyer, refused, running
from tests.integration.chassis.probe import Probe, ProbeStub, ReadRequest, ThingMade, WriteRequest
from tests.integration.chassis.probe_service import PROBE, names, never

ANA = buyer("ana")


@pytest.fixture
async def probe(backends: Backends, clock: ManualClock) -> AsyncIterator[RunningService]:
    async with running(PROBE, backends, clock=clock) as service:
        yield service


async def test_a_command_its_event_and_its_timer_go_all_the_way(probe: RunningService) -> None:
    stub, database = ProbeStub(probe.channel(ANA)), probe.host.database
    request = WriteRequest(name="lamp", request_id="1")
    assert (await stub.Make(request)).text == "made lamp"
    assert (await stub.Make(request)).text == "made lamp"
    refusal = await refused(stub.Make(WriteRequest(name="sofa", request_id="1")))
    assert refusal.reason == "REQUEST_ID_REUSED"
    await probe.settle()
    assert (await names(database, "thing"), await names(database, "heard")) == (["lamp"], ["lamp"])
    await probe.advance(timedelta(minutes=59))
    assert await names(database, "reminded") == []
    await probe.advance(timedelta(minutes=1))
    assert await names(database, "reminded") == ["lamp"]


async def test_each_run_begins_with_nothing(probe: RunningService) -> None:
    assert await names(probe.host.database, "thing") == []
    await probe.settle()
    assert await names(probe.host.database, "heard") == []


async def test_what_a_service_opened_by_itself_is_closed_with_it(
    backends: Backends, clock: ManualClock
) -> None:
    closed: list[str] = []

    def build(runtime: Any) -> Service:
        async def close() -> None:
            # The storage is still there.
            await runtime.database.ping()
            closed.append("once")

        return replace(PROBE.build(runtime), close=close)

    async with running(replace(PROBE, build=build), backends, clock=clock):
        assert closed == []
    assert closed == ["once"]


async def test_it_says_over_http_that_it_lives_and_what_it_measures(probe: RunningService) -> None:
    async with httpx.AsyncClient(base_url=f"http://{probe.host.metrics_address}") as client:
        assert (await client.get("/healthz")).text == "live\n"
        assert (await client.get("/readyz")).status_code == 200
        text = (await client.get("/metrics")).text
        assert 'parley_ready{service="probe"} 1.0' in text
        assert 'parley_open_calls{kind="call",service="probe"} 0.0' in text
        assert (await client.get("/nothing")).status_code == 404
        assert (await client.post("/metrics")).status_code == 405


async def test_commands_go_on_without_a_broker_and_catch_up(
    backends: Backends, clock: ManualClock, probe: RunningService
) -> None:
    async with running(
        PROBE, backends, clock=clock, dsn=probe.host.config.dsn.reveal(), nats_url="nats://127.0.0.1:1"
    ) as alone:
        assert await alone.host.health.refresh() == ""
        await ProbeStub(alone.channel(ANA)).Make(WriteRequest(name="lamp", request_id="1"))
        clock.advance(timedelta(minutes=10))
        assert await alone.host.reconciler.look()
        assert await alone.host.health.refresh() == ""
        assert REGISTRY.get_sample_value("parley_outbox_alarm", {"service": "probe"}) == 1
        assert REGISTRY.get_sample_value("parley_outbox_oldest_seconds", {"service": "probe"}) == 600
    await probe.settle()
    assert await names(probe.host.database, "heard") == ["lamp"]
    assert not await probe.host.reconciler.look()
    assert REGISTRY.get_sample_value("parley_outbox_alarm", {"service": "probe"}) == 0


async def test_an_outbox_that_does_not_empty_although_the_broker_is_there_means_unready(
    probe: RunningService,
) -> None:
    await probe.settle()
    await probe.host.background.stop("relay")
    assert await probe.host.reconciler.problem() == ""
    await ProbeStub(probe.channel(ANA)).Make(WriteRequest(name="lamp", request_id="1"))
    probe.clock.advance(timedelta(minutes=6))
    assert await probe.host.health.refresh() == "outbox: events have been waiting for 360 s"
    await probe.settle()
    assert await probe.host.health.refresh() == ""


async def test_a_schema_that_is_behind_stops_the_start_and_one_that_is_ahead_does_not(
    backends: Backends, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "START_PAUSE_SECONDS", 0)
    dsn = await backends.database(PROBE.migrations)
    assert await migrations.downgrade(PROBE.migrations, dsn, "0001_base") == "0001_base"
    config = PROBE.config(
        dsn=Secret(dsn),
        auth_jwks_file=backends.jwks_file,
        nats_url=backends.nats_url,
    )
    with pytest.raises(StartError, match="the schema is at 0001_base, 0002_note is needed: run `python -m"):
        await Host(PROBE, config, clock=clock, start_seconds=0).start()
    assert await migrations.upgrade(PROBE.migrations, dsn) == "0002_note"
    async with running(PROBE, backends, clock=clock, dsn=dsn) as ahead:
        revisions = {"0001_base": None}
        monkeypatch.setattr(migrations, "revisions_of", lambda _package: revisions)
        assert await ahead.host.health.refresh() == ""


async def test_the_way_down_leaves_nothing_behind(backends: Backends) -> None:
    dsn = await backends.database(PROBE.migrations)
    assert await migrations.downgrade(PROBE.migrations, dsn) == ""
    assert await migrations.upgrade(PROBE.migrations, dsn) == "0002_note"
    assert await migrations.upgrade(PROBE.migrations, dsn) == "0002_note"


async def test_a_database_that_cannot_be_reached_is_a_clear_error(
    backends: Backends, clock: ManualClock
) -> None:
    config = PROBE.config(
        dsn=Secret("postgresql://postgres@127.0.0.1:1/none"), auth_jwks_file=backends.jwks_file
    )
    with pytest.raises(StartError, match="probe: the database cannot be reached"):
        await Host(PROBE, config, clock=clock, start_seconds=0).start()


async def test_stopping_ends_streams_and_lets_another_replica_lead_at_once(
    backends: Backends, clock: ManualClock
) -> None:
    dsn = await backends.database(PROBE.migrations)
    async with running(PROBE, backends, clock=clock, dsn=dsn, shutdown_seconds=20.0) as first:
        await first.settle()
        assert first.host.relay.is_leading
        stream = ProbeStub(first.channel(ANA)).Watch(ReadRequest(name="x"))
        assert (await stream.read()).text == "first"
        ending = asyncio.create_task(first.host.stop())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.wait_for(ending, 10)
    async with running(PROBE, backends, clock=clock, dsn=dsn) as second:
        await second.settle()
        assert second.host.relay.is_leading


async def test_a_stop_ends_in_its_time_although_every_step_of_it_hangs(
    backends: Backends, clock: ManualClock
) -> None:
    """A mail edge that does not let go, calls, timers and reactions without an end, connections that stay."""
    begun: set[str] = set()
    work, all_at_work = {"call", "timer", "reaction"}, asyncio.Event()

    async def hangs(name: str, *_: object) -> Any:
        begun.add(name)
        if begun == work:
            all_at_work.set()
        await never()

    def build(runtime: Any) -> Service:
        made = PROBE.build(runtime)
        return replace(
            made,
            add_servicers=Probe(unary=functools.partial(hangs, "call")).register,
            subscriptions={"probe": [on(ThingMade, str, functools.partial(hangs, "reaction"))]},
            timers={"remind": functools.partial(hangs, "timer")},
            drain=functools.partial(hangs, "drain"),
            close=functools.partial(hangs, "close"),
        )

    async def begin(tx: Transaction) -> None:
        tx.schedule("remind", "lamp", clock.now())
        tx.record("lamp")

    definition = replace(PROBE, build=build)
    async with running(definition, backends, clock=clock, shutdown_seconds=1.0) as probe:
        database = probe.host.database
        await database.transact(begin)
        reading = asyncio.ensure_future(ProbeStub(probe.channel(ANA)).Mine(ReadRequest(name="x")))
        await asyncio.wait_for(all_at_work.wait(), 20)
        # Half a minute, were the steps only limited one by one.
        await asyncio.wait_for(probe.host.stop(), 10)
        with pytest.raises(grpc.aio.AioRpcError):
            await reading
        # What there was no time to close ends with a process; this one goes on.
        await probe.host.bus.close()
        await database.close()
    assert begun == work | {"drain", "close"}
