"""The scene that every test of offers plays in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing import Backends
from tests.component.offers.scene import Scene, offers_scene


@pytest.fixture
async def scene(backends: Backends, clock: ManualClock) -> AsyncIterator[Scene]:
    """A running offers service, empty."""
    async with offers_scene(backends, clock) as made:
        yield made
