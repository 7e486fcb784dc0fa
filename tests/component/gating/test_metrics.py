"""The figures that a seller is shown, and what they are made from."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from chassis.testing.service import buyer, refused
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.gate_metrics_pb2 import GateFigures, GateMetrics, ResponseRate
from parley.messaging.v1 import events_pb2 as messaging_events
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1.fulfilment_pb2 import Cancellation
from parley.orders.v1.order_pb2 import Order
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BEN,
    BUYER,
    LISTING,
    ONE_DAY,
    OPERATOR,
    OTHER_PACKAGE,
    OWNER,
    PACKAGE,
    SELLER,
    STRANGER,
    World,
)
from tests.component.gating.moves import ask, close, decline, withdraw
from tests.component.gating.test_visits import visit

HOUR = timedelta(hours=1)
METRICS = f"{SELLER}/gateMetrics"


async def metrics(
    world: World,
    who: Any = OWNER,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    **fields: Any,
) -> GateMetrics:
    request = pb.GetGateMetricsRequest(name=fields.pop("name", METRICS), **fields)
    if start is not None:
        request.start_time.CopyFrom(timestamp(start))
    if end is not None:
        request.end_time.CopyFrom(timestamp(end))
    response: pb.GetGateMetricsResponse = await world.stub(who).GetGateMetrics(request)
    return response.gate_metrics


async def later(world: World, by: timedelta = HOUR) -> None:
    await world.service.advance(by)


async def order(world: World, number: int, *, request: str = "", state: Any = Order.STATE_CONFIRMED) -> str:
    """An order was placed."""
    facts = orders_events.OrderFacts(
        name=f"orders/{number}",
        version=1,
        seller=SELLER,
        buyer=BUYER,
        package=PACKAGE,
        state=state,
        order_request=request,
    )
    if state == Order.STATE_CONFIRMED:
        facts.confirm_time.CopyFrom(timestamp(world.clock.now()))
    await world.publish(orders_events.OrderPlaced(order=facts), aggregate=facts.name, version=1)
    await world.service.settle()
    return facts.name


async def convert(world: World, request: str, number: int) -> None:
    """The seller offers, the buyer accepts, the order is placed."""
    await world.tell_offer(offers_events.OfferSent, request=request, number=number)
    await world.tell_offer(
        offers_events.OfferAccepted, request=request, number=number, version=3, state=Offer.STATE_ACCEPTED
    )
    await order(world, 100 + number, request=request)


async def unavailable(world: World, *, messages_closed: bool, hours: int) -> None:
    end = timestamp(world.clock.now() + hours * HOUR)
    await world.stub(OWNER).SetAvailability(
        pb.SetAvailabilityRequest(name=SELLER, available=False, end_time=end, messages_closed=messages_closed)
    )


def excluded(rate: ResponseRate) -> dict[str, int]:
    names = ResponseRate.ExclusionReason
    return {
        names.Name(each.reason).removeprefix("EXCLUSION_REASON_"): each.count.value
        for each in rate.exclusions
    }


def funnel(figures: GateFigures) -> tuple[int, int, int, int]:
    found = figures.funnel
    return found.visits.value, found.requests.value, found.offers.value, found.orders.value


@pytest.mark.covers("G32", "G11")
async def test_the_funnel_from_visits_to_orders_with_the_ids_behind_it(world: World) -> None:
    await world.close_gate()
    await later(world)
    for who in (ANA, BEN, buyer("cleo"), buyer("dora")):
        await visit(world, who)
    won, lost = await world.submit(), await world.submit(BEN)
    await later(world)
    await convert(world, won.name, 1)
    await decline(world, lost.name)
    direct = await order(world, 7, state=Order.STATE_PENDING)
    await later(world)
    found = await metrics(world, include_ids=True)
    period = found.period
    assert funnel(period) == (4, 2, 1, 1)
    assert [*period.funnel.requests.ids] == [lost.name, won.name]
    assert [*period.funnel.orders.ids] == [*period.funnel.offers.ids] == [won.name]
    assert [*period.declined_requests.ids] == [lost.name]
    assert period.orders.value == 2
    assert [*period.direct_orders.ids] == [direct]
    assert (period.visit_conversion.value, period.request_conversion.value) == (0.5, 0.5)
    assert period.visit_conversion.sample.value == 4
    ids = [*period.funnel.visits.ids]
    assert len({*ids}) == 4
    # Who came is not told.
    assert all(each.startswith(f"{LISTING}/visits/") and "ana" not in each for each in ids)
    bare = await metrics(world)
    assert (funnel(bare.period), [*bare.period.funnel.requests.ids]) == (funnel(period), [])
    assert not period.funnel.requests.ids_truncated
    (listing,) = bare.listings
    assert (listing.listing, listing.visits.value, listing.orders.value) == (LISTING, 4, 2)


async def test_a_listing_and_a_period_narrow_everything(world: World) -> None:
    await world.close_gate()
    await later(world)
    first = await world.submit()
    await visit(world)
    await later(world)
    middle = world.clock.now()
    await world.submit(package=OTHER_PACKAGE)
    await order(world, 1)
    await later(world)
    end = world.clock.now()
    assert funnel((await metrics(world, end=middle)).period) == (1, 1, 0, 0)
    assert funnel((await metrics(world, start=middle)).period) == (0, 1, 0, 0)
    found = await metrics(world, start=middle - HOUR, end=middle, include_ids=True)
    assert [*found.period.funnel.requests.ids] == [first.name]
    assert (await metrics(world, end=end + ONE_DAY)).period.end_time == timestamp(end)
    assert funnel((await metrics(world, listing=LISTING)).period) == (1, 2, 0, 0)
    other = await metrics(world, listing=f"{LISTING}-two")
    assert (funnel(other.period), other.period.orders.value) == ((0, 0, 0, 0), 0)
    assert not other.period.visit_conversion.HasField("value")


async def test_who_may_see_figures_and_of_which_period(world: World) -> None:
    for who in (OWNER, AGENT, OPERATOR):
        assert (await metrics(world, who)).name == METRICS
    for who in (STRANGER, ANA):
        assert (await refused(metrics(world, who))).reason == "NOT_FOUND"
    now = world.clock.now()
    for start, end in ((now, None), (now, now - HOUR), (now - 401 * ONE_DAY, None)):
        assert (await refused(metrics(world, start=start, end=end))).reason == "VALIDATION_FAILED"
    foreign = await refused(metrics(world, listing="sellers/other/listings/logo"))
    assert foreign.reason == "SCOPE_FOREIGN"


@pytest.mark.covers("G28")
async def test_response_times_are_measured_from_the_request_to_the_first_response(world: World) -> None:
    await world.close_gate()
    for hour, who in enumerate((ANA, BEN, buyer("cleo"), buyer("dora")), start=1):
        created = await world.submit(who)
        await later(world, hour * HOUR)
        await (decline if hour % 2 else ask)(world, created.name)
    await world.submit(buyer("emma"))
    found = (await metrics(world, start=world.clock.now() - ONE_DAY)).period.response_time
    assert found.sample.value == 4
    assert found.median.ToTimedelta() == 2.5 * HOUR
    assert found.percentile_90.ToTimedelta() == 4 * HOUR


@pytest.mark.covers("G30", "X22")
async def test_the_response_rate_needs_three_and_counts_declines_as_answers(world: World) -> None:
    await world.close_gate()
    requests = [await world.submit(who) for who in (ANA, BEN, buyer("cleo"))]
    await later(world, 24 * HOUR)
    await decline(world, requests[0].name)
    await later(world, timedelta(microseconds=1))
    rate = (await metrics(world)).response_rate
    # One was answered at the last instant; two were not.
    assert (rate.share.part.value, rate.share.sample.value) == (1, 3)
    assert rate.share.value == pytest.approx(1 / 3)
    await later(world, HOUR)
    await decline(world, requests[1].name)
    late = (await metrics(world)).response_rate
    assert (late.share.part.value, late.share.sample.value) == (1, 3)
    small = (await metrics(world, end=world.clock.now() + HOUR, listing=f"{LISTING}-two")).response_rate
    assert (small.share.sample.value, small.share.HasField("value")) == (0, False)


@pytest.mark.covers("G30", "V10")
async def test_closed_messages_stop_the_clock_and_open_ones_do_not(world: World) -> None:
    await world.close_gate()
    first = await world.submit()
    await later(world, 2 * HOUR)
    await unavailable(world, messages_closed=True, hours=48)
    await later(world, 48 * HOUR + 22 * HOUR)
    await decline(world, first.name)
    rate = (await metrics(world)).response_rate
    assert (rate.share.part.value, rate.share.sample.value, excluded(rate)) == (1, 1, {})
    second = await world.submit(BEN)
    await unavailable(world, messages_closed=False, hours=48)
    await later(world, 25 * HOUR)
    await decline(world, second.name)
    rate = (await metrics(world)).response_rate
    assert (rate.share.part.value, rate.share.sample.value) == (1, 2)
    # Two are too few to say anything of.
    assert not rate.share.HasField("value")


@pytest.mark.covers("G30", "X22")
async def test_what_is_left_out_of_the_response_rate_says_why(world: World) -> None:
    await world.close_gate()
    names = [(await world.submit(buyer(f"buyer{n}"))).name for n in range(2)]
    taken_back = (await world.submit()).name
    await withdraw(world, taken_back)
    await close(world, names[0])
    await later(world, HOUR)
    found = await metrics(world, include_ids=True)
    rate = found.response_rate
    assert excluded(rate) == {"WITHDRAWN": 1, "CLOSED": 1, "NOT_DUE": 1}
    assert {name for each in rate.exclusions for name in each.count.ids} == {*names, taken_back}
    await unavailable(world, messages_closed=True, hours=24 * 30)
    await later(world, 8 * ONE_DAY)
    rate = (await metrics(world)).response_rate
    assert excluded(rate) == {"WITHDRAWN": 1, "CLOSED": 1, "SELLER_UNAVAILABLE": 1}
    assert not rate.share.HasField("value")


async def test_inquiries_are_in_the_rate_and_not_in_the_funnel(world: World) -> None:
    await world.tell_listing()
    for number in range(3):
        name = f"conversations/01900000-0000-7000-8000-{number:012d}"
        facts = messaging_events.ConversationFacts(name=name, version=1, seller=SELLER, buyer=BUYER)
        started = messaging_events.ConversationStarted(conversation=facts)
        await world.publish(started, aggregate=name, version=1)
    await later(world, 25 * HOUR)
    found = await metrics(world)
    assert found.response_rate.share.sample.value == 3
    assert found.response_rate.share.value == 0
    assert funnel(found.period) == (0, 0, 0, 0)


@pytest.mark.covers("G31")
async def test_declines_never_touch_the_cancellation_rate(world: World) -> None:
    await world.close_gate()
    declined = await world.submit()
    await decline(world, declined.name)
    await order(world, 1)
    await order(world, 2, state=Order.STATE_PENDING)
    facts = orders_events.OrderFacts(
        name="orders/2", version=2, seller=SELLER, buyer=BUYER, package=PACKAGE, state=Order.STATE_DECLINED
    )
    await world.publish(orders_events.OrderDeclined(order=facts), aggregate=facts.name, version=2)
    await world.service.settle()
    await later(world)
    rate = (await metrics(world)).period.cancellation_rate
    assert (rate.part.value, rate.sample.value, rate.value) == (0, 1, 0)


async def cancel(world: World, name: str) -> None:
    """A confirmed order was cancelled."""
    facts = orders_events.OrderFacts(
        name=name, version=2, seller=SELLER, buyer=BUYER, package=PACKAGE, state=Order.STATE_CANCELLED
    )
    facts.confirm_time.CopyFrom(timestamp(world.clock.now()))
    message = orders_events.OrderCancelled(
        order=facts, cancelled_by=Cancellation.PARTY_SELLER, reason=Cancellation.REASON_OTHER
    )
    await world.publish(message, aggregate=name, version=2)
    await world.service.settle()


@pytest.mark.covers("G41", "X12")
async def test_conversion_response_and_cancellations_before_and_after_the_gate(world: World) -> None:
    await world.make_premium()
    await world.tell_listing()
    for number in range(4):
        await visit(world, buyer(f"buyer{number}"))
        await order(world, number)
    await cancel(world, "orders/0")
    await cancel(world, "orders/1")
    # A repeated or late word of the same cancellation counts once.
    await cancel(world, "orders/1")
    await later(world, ONE_DAY)
    await world.close_gate()
    won, lost = await world.submit(), await world.submit(BEN)
    await visit(world)
    await later(world, HOUR)
    await convert(world, won.name, 50)
    await decline(world, lost.name)
    await cancel(world, "orders/150")
    await later(world, ONE_DAY)
    (impact,) = (await metrics(world, include_ids=True)).impacts
    before, after = impact.before, impact.after
    assert (before.cancellation_rate.value, before.cancellation_rate.sample.value) == (0.5, 4)
    assert sorted(before.cancellation_rate.part.ids) == ["orders/0", "orders/1"]
    assert not before.rules
    (rule,) = after.rules
    assert rule.reason == GateDecision.REASON_ALWAYS
    assert (rule.requests.value, rule.conversion.value) == (2, 0.5)
    assert rule.response_time.median.ToTimedelta() == HOUR
    assert (rule.cancellation_rate.value, [*rule.cancellation_rate.part.ids]) == (1.0, ["orders/150"])


@pytest.mark.covers("G27")
async def test_the_impact_of_a_save_compares_equal_spans_by_rule(world: World) -> None:
    await world.make_premium()
    await world.tell_listing()
    for number in range(3):
        await order(world, number)
        await visit(world, buyer(f"buyer{number}"))
        await later(world, ONE_DAY)
    saved = world.clock.now()
    await world.close_gate()
    won, lost = await world.submit(), await world.submit(BEN)
    await visit(world)
    await later(world, HOUR)
    await convert(world, won.name, 50)
    await decline(world, lost.name)
    await later(world, 10 * ONE_DAY)
    found = await metrics(world, include_ids=True)
    (impact,) = found.impacts
    assert (impact.settings_version, impact.change_time) == (1, timestamp(saved))
    before, after = impact.before, impact.after
    assert before.end_time == after.start_time == timestamp(saved)
    spans = [each.end_time.seconds - each.start_time.seconds for each in (before, after)]
    assert spans == [int((10 * ONE_DAY + HOUR).total_seconds())] * 2
    assert (before.orders.value, funnel(before)) == (3, (3, 0, 0, 0))
    assert (after.orders.value, funnel(after)) == (1, (1, 2, 1, 1))
    assert after.response_time.median.ToTimedelta() == HOUR
    (rule,) = after.rules
    assert rule.reason == GateDecision.REASON_ALWAYS
    assert (rule.requests.value, rule.offers.value, rule.conversion.value) == (2, 1, 0.5)
    assert (rule.cancellation_rate.sample.value, [*rule.conversion.part.ids]) == (1, [won.name])
    await world.save("enabled")
    await later(world, ONE_DAY)
    newest, older = (await metrics(world)).impacts
    assert (newest.settings_version, older.settings_version) == (2, 1)
    assert newest.after.end_time.seconds - newest.before.start_time.seconds == 2 * 86400
    assert older.after.end_time == newest.change_time
