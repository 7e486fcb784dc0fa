"""One limit for a whole stop: steps share it, and what kills a process waits longer."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from chassis.config import ServiceConfig
from chassis.stop_budget import StopBudget
from chassis.telemetry import FLUSH_SECONDS
from gateway.config import GatewayConfig
from stack.environment import SHUTDOWN_SECONDS, STOP_SPARE_SECONDS


class Watch:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_each_step_gets_the_smaller_of_its_limit_and_what_remains() -> None:
    watch = Watch()
    budget = StopBudget(25.0, watch)
    watch.seconds += 100
    assert budget.of(5.0) == 5.0
    budget.begin()
    assert budget.for_calls() == 15.0
    watch.seconds += 15
    assert (budget.of(5.0), budget.of(60.0), budget.for_calls()) == (5.0, 10.0, 0.0)
    watch.seconds += 8
    budget.begin()
    assert (budget.of(5.0), budget.of(5.0, share=0.5)) == (2.0, 1.0)
    watch.seconds += 60
    assert budget.of(5.0) == 0.0


@pytest.mark.parametrize(("seconds", "for_calls"), [(0.0, 0.0), (1.0, 0.5), (12.0, 6.0), (60.0, 50.0)])
def test_calls_leave_time_for_what_comes_after(seconds: float, for_calls: float) -> None:
    budget = StopBudget(seconds, Watch())
    budget.begin()
    assert budget.for_calls() == for_calls


async def test_a_step_for_which_nothing_remains_is_not_waited_for() -> None:
    budget, done = StopBudget(0.0), []

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def has_nothing_to_wait_for() -> None:
        done.append("once")

    budget.begin()
    assert not await asyncio.wait_for(budget.step(hangs, 600.0), 10)
    assert await budget.step(has_nothing_to_wait_for, 5.0)
    assert done == ["once"]


def test_whoever_kills_waits_longer_than_a_stop_takes(repository: Path) -> None:
    assert STOP_SPARE_SECONDS > FLUSH_SECONDS
    fields = [config.__dataclass_fields__["shutdown_seconds"] for config in (ServiceConfig, GatewayConfig)]
    longest = max(float(str(field.default)) for field in fields)
    compose = (repository / "docker-compose.yml").read_text("utf-8")
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", compose)
    assert longest + STOP_SPARE_SECONDS < int(grace)
    # What a supervisor waits for anything else.
    assert SHUTDOWN_SECONDS + STOP_SPARE_SECONDS <= 15
