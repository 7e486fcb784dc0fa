"""What a seller sees of the buyer who sends him a request."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.testing.service import service
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_request_pb2 import OrderRequest
from parley.orders.v1.order_pb2 import Order
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BEN,
    ONE_DAY,
    OPERATOR,
    OTHER_PACKAGE,
    OWNER,
    SELLER,
    World,
)
from tests.component.gating.moves import decline, withdraw
from tests.component.gating.test_order_requests import paused_timers

History = OrderRequest.BuyerHistory


def counts(history: History) -> dict[str, int]:
    return {OrderRequest.State.Name(found.state): found.count for found in history.requests}


@pytest.mark.covers("G05")
async def test_a_new_buyer_has_no_history(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    history = (await world.read(created.name, OWNER)).buyer_history
    assert history == History(first_seen_time=created.create_time)


async def test_earlier_dealings_are_counted(world: World) -> None:
    await world.close_gate()
    start = timestamp(world.clock.now())
    await decline(world, (await world.submit()).name)
    for _ in range(2):
        world.clock.advance(ONE_DAY)
        await withdraw(world, (await world.submit()).name)
    waiting = await world.submit(package=OTHER_PACKAGE)
    await world.tell_order(number=1)
    await world.tell_order(number=2)
    await world.tell_order(number=3, state=Order.STATE_PENDING)
    await world.submit(BEN)
    world.clock.advance(timedelta(seconds=1))
    last = await world.submit()
    for who in (OWNER, AGENT):
        history = (await world.read(last.name, who)).buyer_history
        assert (history.confirmed_orders, history.first_seen_time) == (2, start)
        assert counts(history) == {"STATE_PENDING": 1, "STATE_DECLINED": 1, "STATE_WITHDRAWN": 2}
    # Each request is shown with what came before it.
    earlier = (await world.read(waiting.name, OWNER)).buyer_history
    assert counts(earlier) == {"STATE_DECLINED": 1, "STATE_WITHDRAWN": 2}


async def test_an_order_may_be_what_the_buyer_is_known_from(world: World) -> None:
    await world.close_gate()
    await world.tell_order()
    confirmed = timestamp(world.clock.now())
    world.clock.advance(ONE_DAY)
    history = (await world.read((await world.submit()).name, OWNER)).buyer_history
    assert (history.confirmed_orders, history.first_seen_time) == (1, confirmed)


async def test_a_request_that_is_over_by_its_time_counts_as_expired(world: World) -> None:
    await world.close_gate()
    await world.submit(package=OTHER_PACKAGE)
    async with paused_timers(world):
        world.clock.advance(7 * ONE_DAY)
        history = (await world.read((await world.submit()).name, OWNER)).buyer_history
        assert counts(history) == {"STATE_EXPIRED": 1}


async def test_what_happened_with_another_seller_is_not_told(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    moved = "UPDATE order_request SET seller = 'sellers/other' RETURNING 1"
    await world.rows(moved)
    await world.tell_order()
    await world.rows("UPDATE confirmed_order SET seller = 'sellers/other' RETURNING 1")
    world.clock.advance(ONE_DAY)
    later = await world.submit(package=OTHER_PACKAGE)
    assert later.create_time != created.create_time
    history = (await world.read(later.name, OWNER)).buyer_history
    assert history == History(first_seen_time=later.create_time)


async def test_only_the_sellers_team_sees_it_and_no_event_carries_it(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    for who in (ANA, OPERATOR, service("offers")):
        assert not (await world.read(name, who)).HasField("buyer_history")
    declined = await decline(world, name)
    assert not declined.HasField("buyer_history")
    page = await world.stub(OWNER).ListOrderRequests(pb.ListOrderRequestsRequest(seller=SELLER))
    assert not page.order_requests[0].HasField("buyer_history")
    for event in await world.events(name):
        assert "buyer_history" not in str(event)
        assert "dismissed" not in str(event)
