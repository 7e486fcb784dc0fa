"""Packages that are not sold any more are not ordered."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import listing_pb2
from services.orders.adapters.listing_catalog import MAX_AGE
from tests.component.orders.market import Market, euro, listing_event
from tests.unit.orders.purchases import PACKAGE


@pytest.mark.parametrize("whole", [True, False])
async def test_a_retired_package_is_not_ordered(market: Market, whole: bool) -> None:
    await market.publish_and_settle(listing_event(version=2, units=100), version=2)
    await market.place()
    changed = listing_event(version=3, units=100).listing
    message: Any
    if whole:
        changed.state, changed.published = listing_pb2.Listing.STATE_RETIRED, False
        message = offers_events.ListingRetired(listing=changed, version=3)
    else:
        gone = changed.packages.pop()
        changed.packages.add(package_id="plus", title="Plus", price=euro(9), delivery_days=7)
        changed.retired_packages.append(gone)
        message = offers_events.ListingUpdated(listing=changed, version=3)
    await market.publish_and_settle(message, version=3)
    before = await market.counts()
    for _ in range(2):
        refusal = await refused(market.place())
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PACKAGE_RETIRED")
        assert refusal.metadata == {"package": PACKAGE}
        # The same again from the stored projection.
        market.service.clock.advance(MAX_AGE * 2)
    assert await market.counts() == before
    if not whole:
        assert (await market.place(package=PACKAGE.replace("basic", "plus"))).total == euro(9)
        hidden = listing_event(version=4, units=100, published=False)
        hidden.listing.retired_packages.add(package_id="old", title="Old", price=euro(1), delivery_days=7)
        await market.publish_and_settle(hidden, version=4)
        refusal = await refused(market.place(package=PACKAGE.replace("basic", "old")))
        assert refusal.kind is Kind.NOT_FOUND
