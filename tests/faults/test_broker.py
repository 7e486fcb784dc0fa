"""A broker that is away, hangs, or forgets: commands go on, and everything arrives.

The broker is the tests' own and not the stack's, so that nobody starts it again too early.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from chassis.bus import Bus, stream_name
from chassis.envelope import MESSAGE_ID, encode_headers
from chassis.testing import NatsServer
from stack.demo.api import IMPATIENT
from stack.demo.negotiation import Negotiation, Record
from stack.demo.scripts import Kind, Script
from stack.ports import SERVICES, is_free
from tests.faults import books, campaign
from tests.faults.campaign import Market
from tests.faults.conftest import running
from tests.faults.report import Report
from tests.faults.rig import PROCESSES, Rig

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SHUFFLE_SEED = 204
_EVENTS_SINCE = "SELECT * FROM outbox WHERE time >= $1 ORDER BY event_id"
# Below the range of outgoing connections: one of them could take the port while the broker is away.
PORTS = range(30_000, 32_000)

Tell = Callable[[Report], None]


@pytest.fixture(scope="module")
def broker() -> Iterator[NatsServer]:
    folder = Path(tempfile.mkdtemp(prefix="parley-faults-nats-"))
    server = NatsServer(folder, durable=True, port=next(port for port in PORTS if is_free(port)))
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def rig(broker: NatsServer) -> Iterator[Rig]:
    with running({"PARLEY_NATS_URL": broker.url}) as started:
        yield started


# ---------------------------------------------------------------------------------------------- away


async def _agree(market: Market, script: Script, buyer: str) -> Record:
    """Everything up to the acknowledged order, each answered at the first attempt."""
    record = Record(script, buyer)
    async with market.rig.api(IMPATIENT) as api:
        negotiation = Negotiation(api, record, campaign.PACE)
        if script.kind is Kind.INSTANT:
            order = await negotiation._place()
            negotiation._promise(order["name"], script.package.price)
        else:
            await negotiation._request()
            await negotiation._accept(await negotiation._send_offer({"orderRequest": record.request}))
    return record


@pytest.mark.parametrize("how", ["down", "hung"])
async def test_commands_succeed_while_the_broker_is_away(
    rig: Rig, broker: NatsServer, tell: Tell, how: str
) -> None:
    report = Report(f"the broker is {how} while everything is ordered")
    weights = {Kind.ACCEPTED: 3, Kind.INSTANT: 1}
    async with campaign.opened(rig) as market:
        drawn = market.draw(20, seed=201, weights=weights)
        before = await books.captures(rig)
        if how == "down":
            broker.kill()
        else:
            os.kill(broker.pid, signal.SIGSTOP)
        started = time.monotonic()
        try:
            records = [
                await _agree(market, script, f"{how}-{script.number}-{time.time_ns()}") for script in drawn
            ]
            readiness = await rig.readiness()
        finally:
            report.seconds = time.monotonic() - started
            if how == "down":
                broker.start()
            else:
                os.kill(broker.pid, signal.SIGCONT)
        started = time.monotonic()
        await campaign.check(market, report, records, before=before)
        report.faults.append((f"broker {how}, everything arrived", time.monotonic() - started))
    tell(report)
    assert readiness == dict.fromkeys(PROCESSES, 200)
    assert report.verdict.acknowledged == 20
    assert not report.problems


# ---------------------------------------------------------------------------------------------- forgets


async def _wiped_while_stopped(broker: NatsServer, _market: Market, _report: Report) -> list[Record]:
    broker.kill()
    broker.wipe()
    broker.start()
    return []


async def _wiped_while_running(broker: NatsServer, market: Market, report: Report) -> list[Record]:
    """The broker acknowledges on without its files, until it is started again and has nothing."""
    broker.wipe()
    records = await campaign.play(market, report, market.draw(20, seed=203))
    broker.kill()
    broker.start()
    return records


async def _deleted_while_running(_broker: NatsServer, market: Market, _report: Report) -> list[Record]:
    async with market.rig.bus() as bus:
        for service in SERVICES:
            await bus.delete_stream(service)
    return []


Loss = Callable[[NatsServer, Market, Report], Awaitable[list[Record]]]


@pytest.mark.parametrize("loss", [_wiped_while_stopped, _wiped_while_running, _deleted_while_running])
async def test_a_lost_store_is_filled_again_without_a_hand(
    rig: Rig, broker: NatsServer, tell: Tell, loss: Loss
) -> None:
    name = loss.__name__.strip("_").replace("_", " ")
    await _lose(rig, broker, tell, Report(f"NATS' store is {name}, unread by messaging"), loss=loss)


async def test_a_purged_store_is_filled_again_by_hand(rig: Rig, broker: NatsServer, tell: Tell) -> None:
    """The streams stay the same, so nobody can notice; `republish` is for that."""
    moment = datetime.now(UTC)
    report = Report("NATS' streams are purged, unread by messaging; republished by hand")

    async def purge(_broker: NatsServer, market: Market, report: Report) -> list[Record]:
        async with market.rig.bus() as bus:
            await _purge(bus)
        for service in SERVICES:
            done = rig.run(service, "republish", "--since", moment.isoformat())
            assert done.returncode == 0, done.stderr
            report.notes.append(done.stdout.strip())
        return []

    await _lose(rig, broker, tell, report, loss=purge)


async def test_unread_events_come_twice_and_in_any_order(rig: Rig, broker: NatsServer, tell: Tell) -> None:
    """Messaging sees them for the first time, the others once more."""
    moment = datetime.now(UTC)
    report = Report("every event comes twice, shuffled")

    async def shuffle(_broker: NatsServer, market: Market, report: Report) -> list[Record]:
        rows = [row for service in SERVICES for row in await rig.query(service, _EVENTS_SINCE, moment)] * 2
        Random(SHUFFLE_SEED).shuffle(rows)
        async with market.rig.bus() as bus:
            await _purge(bus)
            for number, row in enumerate(rows):
                fields = {
                    name: row[name] for name in ("event_id", "aggregate", "version", "time", "traceparent")
                }
                headers = encode_headers(type_name=row["type"], **fields)
                # Else the broker would keep the second one away.
                headers[MESSAGE_ID] = f"{row['event_id']}+{number}"
                await bus.publish(row["subject"], headers, row["body"])
        report.notes.append(f"{len(rows)} events published, seed {SHUFFLE_SEED}")
        return []

    await _lose(rig, broker, tell, report, loss=shuffle)


async def _purge(bus: Bus) -> None:
    for service in SERVICES:
        await bus.client.jetstream().purge_stream(stream_name(service))


async def _lose(rig: Rig, broker: NatsServer, tell: Tell, report: Report, *, loss: Loss) -> None:
    """Negotiate while messaging is frozen, lose what it has not read, and let it go on."""
    async with campaign.opened(rig) as market:
        before = await books.captures(rig)
        pid = rig.send(signal.SIGSTOP, "messaging")
        try:
            records = await campaign.play(market, report, market.draw(40, seed=202))
            backlog = await rig.backlog("messaging")
            records += await loss(broker, market, report)
        finally:
            os.kill(pid, signal.SIGCONT)
        started = time.monotonic()
        await campaign.check(market, report, records, before=before)
        report.faults.append((f"{backlog} events lost", time.monotonic() - started))
    tell(report)
    assert backlog > 40
    assert not report.problems
