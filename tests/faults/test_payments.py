"""The proof that the money survives faults, in full: `make test-faults`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends
from tests.component.orders.crashing import ACTION_TOKENS, REFUND_TOKENS, STEPS, World, opened
from tests.component.orders.lossy import WAYS, charge_many, crash_actions, crash_everywhere, crash_refunds

pytestmark = pytest.mark.faults
CALLS, LOST_PERCENT, CRASHES_OF_A_STEP = 5_000, 30, 50
ROUNDS = 6


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


async def test_crashes_at_every_step_of_what_waits_for_the_buyer(world: World) -> None:
    """Resumed, given up, expired or cancelled: taken once where the buyer did what was wanted of him."""
    report = await crash_actions(world, times=ROUNDS)
    charges = ROUNDS * len(STEPS) * len(WAYS) * len(ACTION_TOKENS)
    # Where the charge itself was cut off, the provider is asked later, and by then the buyer has acted.
    assert report.pop("waits") > charges / 2
    assert report.pop("crashes") > charges
    taken = charges // len(ACTION_TOKENS)
    assert report == {"charges": charges, "taken": taken, "disagreements": 0, "unbalanced": 0}


async def test_two_crashes_at_every_step_of_two_refunds(world: World) -> None:
    """What goes back is what was asked for, once, or nothing where the provider refuses."""
    report = await crash_refunds(world, times=ROUNDS)
    payments = ROUNDS * len(STEPS) ** 2 * (1 + len(REFUND_TOKENS))
    assert report.pop("crashes") > payments
    refused = payments // (1 + len(REFUND_TOKENS))
    assert report == {
        "refunds": 2 * payments,
        "given back": payments - refused,
        "refused": refused,
        "disagreements": 0,
        "unbalanced": 0,
    }
