"""The orders service through real gRPC, PostgreSQL and NATS, between make-believe peers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, running
from services.orders.__main__ import DEFINITION, build
from tests.component.orders.crashing import World, opened
from tests.component.orders.market import FakeGate, FakeOffers, Market


@pytest.fixture
async def market(backends: Backends, clock: ManualClock) -> AsyncIterator[Market]:
    """A market that is open for business."""
    gate, offers = FakeGate(), FakeOffers()
    definition = replace(DEFINITION, build=partial(build, gate=gate, offers=offers, zones=gate))
    async with running(definition, backends, clock=clock) as service:
        yield Market(service, gate, offers)


@pytest.fixture
async def world(backends: Backends, clock: ManualClock) -> AsyncIterator[World]:
    """The handlers of payments, without network around them, beside a process that may crash."""
    async with opened(backends, clock) as world:
        yield world
