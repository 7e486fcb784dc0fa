"""What the gate answers about packages that are not sold any more."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing import refused
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.listing_pb2 import Listing
from tests.component.gating.conftest import LISTING, PACKAGE, World, listing_message


@pytest.mark.parametrize("whole", [True, False])
async def test_a_retired_package_is_neither_ordered_nor_requested(world: World, whole: bool) -> None:
    await world.tell_listing()
    await world.make_premium()
    await world.close_gate()
    assert (await world.evaluate()).outcome == GateDecision.OUTCOME_REQUEST_REQUIRED
    changed = listing_message(version=2)
    if whole:
        changed.state, changed.published = Listing.STATE_RETIRED, False
        changed.retire_time.FromDatetime(world.clock.now())
        message: Any = offers_events.ListingRetired(listing=changed, version=2)
    else:
        gone = changed.packages.pop(0)
        gone.retire_time.FromDatetime(world.clock.now())
        changed.retired_packages.append(gone)
        message = offers_events.ListingUpdated(listing=changed, version=2)
    await world.publish(message, aggregate=LISTING, version=2)
    await world.service.settle()
    before = await world.contents()
    for call in (world.evaluate(), world.submit()):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PACKAGE_RETIRED")
        assert refusal.metadata == {"package": PACKAGE}
    assert await world.contents() == before
    if not whole:
        other = PACKAGE.replace("basic", "premium")
        assert (await world.evaluate(package=other)).outcome == GateDecision.OUTCOME_REQUEST_REQUIRED
    # What nobody sees is not told about either.
    changed.published, changed.state = False, Listing.STATE_UNPUBLISHED
    await world.tell_listing(changed, version=3)
    assert (await refused(world.evaluate())).kind is Kind.NOT_FOUND
