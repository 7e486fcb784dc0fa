"""From the confirmation to the end of an order, through the API and by time."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind
from chassis.testing.service import Backends, Identity, observer, operator, refused, running, service
from chassis.wire import timestamp
from parley.orders.v1 import fulfilment_methods_pb2 as pb
from parley.orders.v1 import fulfilment_pb2, order_pb2
from parley.orders.v1.orders_service_pb2 import ConfirmOrderRequest
from services.orders.__main__ import DEFINITION, build
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    REVIEWED,
    RIVAL,
    STRANGER,
    FakeGate,
    FakeOffers,
    Market,
    Order,
)
from tests.unit.orders.purchases import NOW, PATIENCE

NOT_NEEDED = fulfilment_pb2.Cancellation.REASON_NOT_NEEDED
DAY = timedelta(days=1)
REQUESTS: dict[str, Any] = {
    "StartOrder": pb.StartOrderRequest,
    "DeliverOrder": pb.DeliverOrderRequest,
    "RequestChanges": partial(pb.RequestChangesRequest, text="Bigger"),
    "CompleteOrder": pb.CompleteOrderRequest,
    "CancelOrder": partial(pb.CancelOrderRequest, reason=NOT_NEEDED),
}
DOER = {
    "StartOrder": ACME,
    "DeliverOrder": AGENT,
    "RequestChanges": ANA,
    "CompleteOrder": ANA,
    "CancelOrder": ANA,
}
LEADING_TO = {
    "StartOrder": (),
    "DeliverOrder": ("StartOrder",),
    "RequestChanges": ("StartOrder", "DeliverOrder"),
    "CompleteOrder": ("StartOrder", "DeliverOrder"),
    "CancelOrder": (),
}


async def do(
    market: Market, method: str, name: str, who: Identity | None = None, **more: Any
) -> order_pb2.Order:
    stub = market.stub(who or DOER[method])
    order: order_pb2.Order = (await getattr(stub, method)(REQUESTS[method](name=name, **more))).order
    return order


async def ready_for(market: Market, method: str) -> str:
    """A confirmed order, carried on to where `method` is next."""
    name = (await market.place()).name
    for step in LEADING_TO[method]:
        await do(market, step, name)
    return name


async def test_the_work_is_started_delivered_changed_and_accepted(market: Market) -> None:
    name = (await market.place()).name
    assert list((await market.get(name)).allowed_actions) == ["start", "cancel", "markPaid"]
    begun = await do(market, "StartOrder", name)
    assert (begun.state, begun.folder) == (Order.STATE_IN_PROGRESS, Order.FOLDER_CONFIRMED)
    assert begun.begin_time.ToDatetime(NOW.tzinfo) == NOW
    await market.service.advance(DAY)
    delivered = await do(market, "DeliverOrder", name, text="Here it is")
    assert (delivered.state, delivered.folder) == (Order.STATE_DELIVERED, Order.FOLDER_CONFIRMED)
    assert delivered.auto_complete_time == timestamp(NOW + DAY + PATIENCE)
    assert list((await market.get(name, ANA)).allowed_actions) == ["requestChanges", "complete", "cancel"]
    again = await do(market, "RequestChanges", name, text="Bigger, please")
    assert (again.state, again.HasField("auto_complete_time")) == (Order.STATE_IN_PROGRESS, False)
    await market.service.advance(PATIENCE)
    assert (await market.get(name)).state == Order.STATE_IN_PROGRESS
    await do(market, "DeliverOrder", name, text="Bigger")
    done = await do(market, "CompleteOrder", name)
    assert (done.state, list(done.allowed_actions)) == (Order.STATE_COMPLETED, [])
    for who in (ANA, ACME):
        seen = await market.get(name, who)
        assert [(one.number, one.text, one.changes_text) for one in seen.deliveries] == [
            (1, "Here it is", "Bigger, please"),
            (2, "Bigger", ""),
        ]
        assert seen.complete_time == timestamp(NOW + DAY + PATIENCE)
        assert seen.delivery_due_time == timestamp(NOW + 7 * DAY)
    assert (await market.get(name)).folder == Order.FOLDER_CLOSED
    await market.service.advance(10 * DAY)
    assert await market.events(name) == [
        "OrderPlaced",
        "OrderStarted",
        "OrderDelivered",
        "OrderChangesRequested",
        "OrderDelivered",
        "OrderCompleted",
    ]
    assert (await market.counts())["timer"] == 0
    for row in await market.rows("SELECT body FROM outbox"):
        assert b"igger" not in row["body"]
        assert b"Here" not in row["body"]


@pytest.mark.covers("G09")
async def test_the_agreed_start_begins_the_work_and_the_clock(market: Market) -> None:
    agreed = NOW + 2 * DAY
    order = await market.place(package=REVIEWED, start_time=timestamp(agreed))
    await market.service.advance(DAY)
    assert (await market.get(order.name)).state == Order.STATE_PENDING
    await market.stub(ACME).ConfirmOrder(ConfirmOrderRequest(name=order.name))
    await market.service.advance(DAY - timedelta(seconds=1))
    assert (await market.get(order.name)).state == Order.STATE_CONFIRMED
    await market.service.advance(timedelta(seconds=1))
    begun = await market.get(order.name)
    assert (begun.state, begun.begin_time) == (Order.STATE_IN_PROGRESS, timestamp(agreed))
    assert begun.delivery_due_time == timestamp(agreed + 7 * DAY)
    assert await market.events(order.name) == ["OrderPlaced", "OrderConfirmed", "OrderStarted"]


@pytest.mark.covers("G09")
async def test_a_seller_who_begins_early_moves_no_clock(market: Market) -> None:
    agreed = NOW + 2 * DAY
    order = await market.place(start_time=timestamp(agreed))
    begun = await do(market, "StartOrder", order.name)
    assert begun.delivery_due_time == order.delivery_due_time == timestamp(agreed + 7 * DAY)
    await market.service.advance(3 * DAY)
    assert (await market.counts())["timer"] == 0
    assert await market.events(order.name) == ["OrderPlaced", "OrderStarted"]


async def test_a_delivery_without_an_answer_counts_as_accepted(market: Market) -> None:
    name = await ready_for(market, "CompleteOrder")
    await market.service.advance(PATIENCE - timedelta(seconds=1))
    assert (await market.get(name)).state == Order.STATE_DELIVERED
    await market.service.advance(timedelta(seconds=1))
    done = await market.get(name)
    assert (done.state, done.complete_time) == (Order.STATE_COMPLETED, timestamp(NOW + PATIENCE))
    await market.service.advance(10 * DAY)
    assert (await market.events(name))[-1:] == ["OrderCompleted"]


async def test_what_came_due_while_everything_was_down_happens_once(
    backends: Backends, clock: ManualClock
) -> None:
    dsn = await backends.database(DEFINITION.migrations)
    gate, offers = FakeGate(), FakeOffers()
    definition = replace(DEFINITION, build=partial(build, gate=gate, offers=offers))
    async with running(definition, backends, clock=clock, dsn=dsn) as first:
        market = Market(first, gate, offers)
        agreed = (await market.place(start_time=timestamp(NOW + DAY))).name
        delivered = await ready_for(market, "CompleteOrder")
    clock.advance(5 * DAY)
    async with (
        running(definition, backends, clock=clock, dsn=dsn) as second,
        running(definition, backends, clock=clock, dsn=dsn) as third,
    ):
        market = Market(second, gate, offers)
        await second.settle()
        await third.settle()
        begun, done = await market.get(agreed), await market.get(delivered)
        assert (begun.state, done.state) == (Order.STATE_IN_PROGRESS, Order.STATE_COMPLETED)
        assert begun.delivery_due_time == timestamp(NOW + 8 * DAY)
        assert await market.events(agreed) == ["OrderPlaced", "OrderStarted"]
        assert (await market.events(delivered))[2:] == ["OrderDelivered", "OrderCompleted"]


@pytest.mark.covers("X06")
async def test_who_may_do_what(market: Market) -> None:
    name = (await market.place()).name
    before = await market.counts()
    outsiders = (STRANGER, RIVAL, observer("bosch"), service("offers"))
    for who, method in itertools.product(outsiders, REQUESTS):
        refusal = await refused(do(market, method, name, who))
        assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "NOT_FOUND"), (who, method)
    for method in set(REQUESTS) - {"CancelOrder"}:
        refusal = await refused(do(market, method, name, operator()))
        assert refusal.kind is Kind.NOT_FOUND, method
        other = ACME if DOER[method] == ANA else ANA
        assert (await refused(do(market, method, name, other))).reason == "PERMISSION_DENIED"
    assert await market.counts() == before


async def test_a_step_out_of_turn_names_what_is_possible(market: Market) -> None:
    name = (await market.place()).name
    refusal = await refused(do(market, "DeliverOrder", name))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
    assert refusal.metadata == {
        "resource": name,
        "state": "CONFIRMED",
        "action": "deliver",
        "allowed_actions": "start,cancel,markPaid",
    }


@pytest.mark.covers("X01")
@pytest.mark.parametrize("method", REQUESTS)
async def test_every_step_answers_the_same_key_with_the_first_answer(market: Market, method: str) -> None:
    name = await ready_for(market, method)
    etag = (await market.get(name)).etag
    refusal = await refused(do(market, method, name, etag="v99"))
    assert (refusal.kind, refusal.reason) == (Kind.STALE, "ETAG_MISMATCH")
    calls = (do(market, method, name, request_id="k", etag=etag) for _ in range(10))
    answers = await asyncio.gather(*calls)
    answers.append(await do(market, method, name, request_id="k", etag=etag))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    refusal = await refused(do(market, method, name, request_id="k", etag="v1000"))
    assert refusal.reason == "REQUEST_ID_REUSED"
    assert len(await market.events(name)) == len(LEADING_TO[method]) + 2


async def test_of_accepting_sending_back_cancelling_and_time_exactly_one_wins(market: Market) -> None:
    for _ in range(5):
        name = await ready_for(market, "CompleteOrder")
        market.service.clock.advance(PATIENCE)
        rivals = (
            do(market, "CompleteOrder", name),
            do(market, "RequestChanges", name),
            do(market, "CancelOrder", name, ACME),
            market.service.settle(),
        )
        results = await asyncio.gather(*rivals, return_exceptions=True)
        await market.service.settle()
        happened = (await market.events(name))[3:]
        # Only what was sent back can be cancelled afterwards.
        assert happened in (
            ["OrderCompleted"],
            ["OrderCancelled"],
            ["OrderChangesRequested"],
            ["OrderChangesRequested", "OrderCancelled"],
        )
        by_callers = sum(isinstance(result, order_pb2.Order) for result in results)
        assert len(happened) - by_callers == (1 if by_callers == 0 else 0)
