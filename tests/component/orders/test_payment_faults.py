"""A small part of the proof that money survives faults; the whole is in tests/faults/test_payments.py."""

from __future__ import annotations

import pytest

from tests.component.orders.crashing import STEPS, World
from tests.component.orders.lossy import charge_many, crash_everywhere


@pytest.mark.covers("B35")
async def test_lost_answers_double_no_charge_and_leave_nothing_open(world: World) -> None:
    report = await charge_many(world, calls=40, lost_percent=30)
    assert report == {"calls": 40, "lost": 12, "charges": 40, "paid": 40, "unbalanced": 0}


async def test_crashes_at_every_step_leave_books_that_balance(world: World) -> None:
    report = await crash_everywhere(world, times=1)
    assert report == {"crashes": 2 * len(STEPS), "disagreements": 0, "unbalanced": 0}
