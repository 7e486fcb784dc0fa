"""`kill -9`, and SIGTERM, of every process while negotiations run. The supervisor is the only help."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from random import Random

import httpx
import pytest

from chassis.telemetry import FLUSH_SECONDS
from stack.demo.api import CALL_SECONDS
from stack.demo.scripts import Kind
from stack.environment import SHUTDOWN_SECONDS
from tests.faults import campaign
from tests.faults.campaign import NEGOTIATIONS, Fault
from tests.faults.report import Report
from tests.faults.rig import PROCESSES, Rig

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]

STOP_BOUND_SECONDS = SHUTDOWN_SECONDS + FLUSH_SECONDS
"""The whole of a stop at its limit."""

LOST_SHARE = 1 / 3

Tell = Callable[[Report], None]


async def _play(rig: Rig, tell: Tell, title: str, faults: list[Fault], **how: object) -> Report:
    async with campaign.opened(rig) as market:
        drawn = market.draw(**how)  # type: ignore[arg-type]
        report = await campaign.run(market, title, drawn, faults)
    tell(report)
    return report


async def test_every_process_is_killed_in_turn(rig: Rig, tell: Tell) -> None:
    faults = [Fault(f"kill -9 {name}", partial(rig.kill, name)) for name in PROCESSES]
    report = await _play(rig, tell, "each service killed", faults, count=NEGOTIATIONS, seed=101)
    assert not report.problems


async def test_the_broker_is_killed_three_times(rig: Rig, tell: Tell) -> None:
    faults = [Fault("kill -9 nats", partial(rig.kill, "nats"))] * 3
    report = await _play(rig, tell, "NATS killed three times", faults, count=NEGOTIATIONS, seed=102)
    assert not report.problems


async def test_the_database_is_killed(rig: Rig, tell: Tell) -> None:
    faults = [Fault("kill -9 postgres", partial(rig.kill, "postgres"))]
    report = await _play(rig, tell, "PostgreSQL killed", faults, count=NEGOTIATIONS, seed=103)
    assert not report.problems


async def test_orders_is_killed_while_it_charges_and_the_provider_loses_its_answers(
    rig: Rig, tell: Tell
) -> None:
    faults = [Fault("kill -9 orders", partial(rig.kill, "orders"))] * 4
    weights = {Kind.LOST_ANSWER: 3, Kind.ACCEPTED: 1}
    report = await _play(
        rig, tell, "provider silent after the charge", faults, count=100, seed=104, weights=weights
    )
    assert not report.problems
    assert report.booked == report.verdict.acknowledged == 100


async def test_every_third_answer_is_lost_on_its_way(rig: Rig, tell: Tell) -> None:
    """The same key brings the same answer: nothing is done twice, and nobody is told anything else."""
    async with campaign.opened(rig) as market:
        drawn = market.draw(100, seed=106)
        lossy = _LossyTransport(Random(107))
        await market.api.http.aclose()
        market.api.http = httpx.AsyncClient(
            base_url=market.api.address, timeout=CALL_SECONDS, transport=lossy
        )
        report = await campaign.run(market, "every third answer lost on its way", drawn)
    report.notes.append(f"{lossy.lost} answers lost")
    tell(report)
    assert lossy.lost > 100
    assert not report.problems


class _LossyTransport(httpx.AsyncBaseTransport):
    """Delivers every request, but loses some answers to those that change something."""

    def __init__(self, chance: Random) -> None:
        self._network = httpx.AsyncHTTPTransport()
        self._chance = chance
        self.lost = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._network.handle_async_request(request)
        if request.method == "GET" or self._chance.random() > LOST_SHARE:
            return response
        await response.aread()
        await response.aclose()
        self.lost += 1
        raise httpx.ReadError("the answer was lost on purpose", request=request)

    async def aclose(self) -> None:
        await self._network.aclose()


async def test_every_process_stops_in_order_under_load(rig: Rig, tell: Tell) -> None:
    stops: dict[str, tuple[float, str]] = {}

    async def stop(name: str) -> float:
        await rig.ready(name)
        started = time.monotonic()
        pid = rig.send(signal.SIGTERM, name)
        await rig.ended(pid)
        seconds = time.monotonic() - started
        await rig.replaced(name, pid)
        stops[name] = (seconds, rig.process(name).last_failure)
        return time.monotonic() - started

    faults = [Fault(f"SIGTERM {name}", partial(stop, name)) for name in PROCESSES]
    async with campaign.opened(rig) as market:
        report = await campaign.run(market, "SIGTERM of each", market.draw(200, seed=105), faults)
    report.notes += [f"{name} {how} after {seconds:.1f} s" for name, (seconds, how) in stops.items()]
    tell(report)
    assert not report.problems
    assert {how for _, how in stops.values()} == {"ended with status 0"}
    assert max(seconds for seconds, _ in stops.values()) < STOP_BOUND_SECONDS
