"""Five months of renewals by two replicas at once, a month of standstill in it: each period exactly once.

`tests/faults/test_renewals.py` does the same with 500 subscriptions over 36 months.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, running
from services.orders.__main__ import DEFINITION, build
from tests.component.orders.market import FakeGate, FakeOffers, Market
from tests.component.orders.renewing import DAY, check, pass_time, subscribe_many


async def simulate(backends: Backends, clock: ManualClock, *, subscriptions: int, months: int) -> int:
    gate, offers = FakeGate(), FakeOffers()
    definition = replace(DEFINITION, build=partial(build, gate=gate, offers=offers))
    dsn = await backends.database(DEFINITION.migrations)
    async with (
        running(definition, backends, clock=clock, dsn=dsn) as first,
        running(definition, backends, clock=clock, dsn=dsn) as second,
    ):
        market = Market(first, gate, offers)
        subscribers = await subscribe_many(market, subscriptions, seed=subscriptions)
        until = clock.now() + timedelta(days=30 * months)
        await pass_time(market, [second], clock, until=until, standstill=clock.now() + 75 * DAY)
        clock.set(until)
        return await check(market, subscribers, until=until)


@pytest.mark.covers("B14", "B22")
async def test_no_period_is_missed_or_charged_twice(backends: Backends, clock: ManualClock) -> None:
    charged = await simulate(backends, clock, subscriptions=8, months=5)
    assert charged >= 8 * 3
