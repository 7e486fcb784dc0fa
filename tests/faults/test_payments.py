"""The proof that the money survives faults, in full: `make test-faults`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends
from tests.component.orders.crashing import STEPS, World, opened
from tests.component.orders.lossy import charge_many, crash_everywhere

pytestmark = pytest.mark.faults
CALLS, LOST_PERCENT, CRASHES_OF_A_STEP = 5_000, 30, 50


@pytest.fixture
async def world(backends: Backends, clock: ManualClock) -> AsyncIterator[World]:
    async with opened(backends, clock) as world:
        yield world


async def test_five_thousand_calls_of_which_three_in_ten_lose_their_answer(world: World) -> None:
    report = await charge_many(world, calls=CALLS, lost_percent=LOST_PERCENT)
    lost = CALLS * LOST_PERCENT // 100
    assert report == {"calls": CALLS, "lost": lost, "charges": CALLS, "paid": CALLS, "unbalanced": 0}


async def test_fifty_crashes_at_every_step_of_charging_and_refunding(world: World) -> None:
    report = await crash_everywhere(world, times=CRASHES_OF_A_STEP)
    crashes = 2 * CRASHES_OF_A_STEP * len(STEPS)
    assert report == {"crashes": crashes, "disagreements": 0, "unbalanced": 0}
