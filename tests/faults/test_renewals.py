"""36 months of 500 subscriptions by two replicas, a month of standstill in them."""

from __future__ import annotations

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends
from tests.component.orders.test_renewals import simulate

pytestmark = pytest.mark.faults


@pytest.mark.timeout(3600)
async def test_three_years_of_renewals(backends: Backends, clock: ManualClock) -> None:
    charged = await simulate(backends, clock, subscriptions=500, months=36)
    assert charged >= 500 * 34
