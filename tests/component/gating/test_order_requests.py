"""Order requests through the API, and how they follow what happens elsewhere."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.service import buyer, refused, seller, service
from chassis.wire import instant, timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.order_request_pb2 import Needs, OrderRequest
from parley.gating.v1.order_settings_pb2 import OrderSettings
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from parley.orders.v1.order_pb2 import Order
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BEN,
    BUYER,
    LISTING,
    NIGHTS,
    ONE_DAY,
    OPERATOR,
    OTHER_PACKAGE,
    OWNER,
    PACKAGE,
    SELLER,
    STRANGER,
    Seconds,
    World,
    hours,
    listing_message,
    windows,
    world_of,
)

ENDED = {
    "OfferDeclined": Offer.STATE_DECLINED,
    "OfferWithdrawn": Offer.STATE_WITHDRAWN,
    "OfferExpired": Offer.STATE_EXPIRED,
}


async def ask(world: World, name: str, who: Any = OWNER, **fields: Any) -> OrderRequest:
    request = pb.AskInformationRequest(name=name, question="Which colour?", **fields)
    found: OrderRequest = (await world.stub(who).AskInformation(request)).order_request
    return found


async def answer(world: World, name: str, **fields: Any) -> OrderRequest:
    request = pb.AnswerInformationRequest(name=name, answer="Blue", **fields)
    found: OrderRequest = (await world.stub(ANA).AnswerInformation(request)).order_request
    return found


async def decline(world: World, name: str, **fields: Any) -> OrderRequest:
    request = pb.DeclineOrderRequestRequest(
        name=name, reason=OrderRequest.DECLINE_REASON_NO_CAPACITY, text="Fully booked", **fields
    )
    found: OrderRequest = (await world.stub(AGENT).DeclineOrderRequest(request)).order_request
    return found


async def withdraw(world: World, name: str, **fields: Any) -> OrderRequest:
    request = pb.WithdrawOrderRequestRequest(name=name, **fields)
    found: OrderRequest = (await world.stub(ANA).WithdrawOrderRequest(request)).order_request
    return found


async def close(world: World, name: str) -> OrderRequest:
    response = await world.stub(OPERATOR).CloseOrderRequest(pb.CloseOrderRequestRequest(name=name))
    found: OrderRequest = response.order_request
    return found


async def timers(world: World) -> list[str]:
    return [row.key for row in await world.rows("SELECT key FROM timer WHERE kind = 'order_request_expiry'")]


@pytest.mark.covers("G02", "G05", "G11")
async def test_a_request_carries_what_the_seller_needs_to_judge(world: World) -> None:
    await world.close_gate()
    needs = Needs(
        text="A logo for a bakery",
        answers=[Needs.Answer(question="Colours?", answer="Warm")],
        attachments=["conversations/1/attachments/2"],
        preferred_start_time=timestamp(world.clock.now() + ONE_DAY),
    )
    request = pb.CreateOrderRequestRequest(package=PACKAGE, needs=needs)
    created = (await world.stub(ANA).CreateOrderRequest(request)).order_request
    assert created == await world.read(created.name)
    assert created.state == OrderRequest.STATE_PENDING
    assert (created.buyer, created.seller, created.package) == (BUYER, SELLER, PACKAGE)
    assert created.needs == needs
    snapshot = created.package_snapshot
    assert (snapshot.listing_title, snapshot.title, snapshot.delivery_days) == (
        "Logo design",
        "Basic logo",
        5,
    )
    assert (snapshot.price.units, snapshot.price.currency_code) == (100, "EUR")
    assert created.gate_decision.outcome == GateDecision.OUTCOME_REQUEST_REQUIRED
    assert created.gate_decision.buyer == BUYER
    assert created.conversation == f"conversations/{created.name.partition('/')[2]}"
    assert created.expire_time == timestamp(world.clock.now() + 7 * ONE_DAY)
    assert (created.order, created.offer, created.etag) == ("", "", "v1")
    (event,) = await world.events(created.name)
    assert isinstance(event, gating_events.OrderRequestSubmitted)
    assert event.order_request.gate_reason == GateDecision.REASON_ALWAYS
    assert event.order_request.settings_version == 1
    assert b"bakery" not in event.SerializeToString()
    seen = await world.read(created.name, OWNER)
    assert seen.needs == needs


@pytest.mark.covers("G02", "G37")
async def test_the_decision_is_kept_as_it_was(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    await world.tell_listing(listing_message(version=2), version=2)
    await world.save("enabled", "request_ttl", request_ttl=hours(1))
    kept = await world.read(created.name)
    assert (kept.gate_decision, kept.package_snapshot) == (created.gate_decision, created.package_snapshot)
    assert kept.expire_time == created.expire_time


async def test_a_request_is_refused_where_none_is_needed(world: World) -> None:
    await world.close_gate(windows=windows(*NIGHTS))
    before = await world.contents()
    found = await refused(world.submit())
    assert (found.kind, found.reason) == ("precondition", "REQUEST_NOT_REQUIRED")
    assert found.metadata == {
        "package": PACKAGE,
        "outcome": "ALLOWED",
        "reason": "OUTSIDE_WINDOWS",
        "next_change_time": "2026-06-01T19:00:00Z",
    }
    await world.stub(OWNER).SetAvailability(pb.SetAvailabilityRequest(name=SELLER, available=False))
    found = await refused(world.submit())
    assert (found.kind, found.reason) == ("precondition", "UNAVAILABLE")
    assert found.metadata["reason"] == "SELLER_UNAVAILABLE"
    assert (await world.contents())["order_request"] == before["order_request"] == []


async def test_a_team_does_not_ask_itself(world: World) -> None:
    await world.close_gate()
    both = type(ANA)("users/ana", ("buyer", "seller:acme:agent"))
    found = await refused(world.submit(both))
    assert (found.reason, found.metadata["seller"]) == ("OWN_LISTING", SELLER)


async def test_one_open_request_for_each_package_and_buyer(world: World) -> None:
    await world.close_gate()
    first = await world.submit()
    found = await refused(world.submit())
    assert (found.kind, found.reason) == ("exists", "OPEN_REQUEST_EXISTS")
    assert found.metadata == {"order_request": first.name}
    await world.submit(BEN)
    await world.submit(package=OTHER_PACKAGE)
    await withdraw(world, first.name)
    assert (await world.submit()).name != first.name


@pytest.mark.covers("G11", "X01")
async def test_of_a_hundred_concurrent_requests_one_is_made(world: World) -> None:
    await world.close_gate()
    results = await asyncio.gather(*(world.submit() for _ in range(100)), return_exceptions=True)
    made = [result for result in results if not isinstance(result, BaseException)]
    assert len(made) == 1
    for result in results:
        if isinstance(result, BaseException):
            found = await refused(_raised(result))
            assert (found.reason, found.metadata) == ("OPEN_REQUEST_EXISTS", {"order_request": made[0].name})
    assert len(await world.rows("SELECT id FROM order_request")) == 1
    assert len(await world.events(made[0].name)) == 1
    assert len(await timers(world)) == 1


async def _raised(error: BaseException) -> Any:
    raise error


@pytest.mark.covers("X01")
async def test_a_hundred_repetitions_are_answered_alike(world: World) -> None:
    await world.close_gate()
    request = pb.CreateOrderRequestRequest(
        package=PACKAGE, needs=Needs(text="A logo"), request_id=world.key()
    )
    stub = world.stub(ANA)
    answers = await asyncio.gather(*(stub.CreateOrderRequest(request) for _ in range(100)))
    assert all(given == answers[0] for given in answers)
    assert len(await world.rows("SELECT id FROM order_request")) == 1
    await world.save("enabled")
    assert await stub.CreateOrderRequest(request) == answers[0]
    request.needs.text = "A flyer"
    assert (await refused(stub.CreateOrderRequest(request))).reason == "REQUEST_ID_REUSED"


@pytest.mark.covers("X21", "X06")
async def test_asking_and_answering_rests_the_deadline(world: World) -> None:
    await world.close_gate(request_ttl=hours(10))
    created = await world.submit()
    assert len(await timers(world)) == 1
    world.clock.advance(timedelta(hours=4))
    asked = await ask(world, created.name, etag="v1")
    assert asked.state == OrderRequest.STATE_INFO_REQUESTED
    assert not asked.HasField("expire_time")
    assert asked.first_response_time == timestamp(world.clock.now())
    assert [*asked.allowed_actions] == ["sendOffer", "decline"]
    assert await timers(world) == []
    await world.service.advance(timedelta(hours=100))
    waiting = await world.read(created.name)
    assert waiting.state == OrderRequest.STATE_INFO_REQUESTED
    assert [*waiting.allowed_actions] == ["answerInformation", "withdraw"]
    answered = await answer(world, created.name)
    assert answered.expire_time == timestamp(world.clock.now() + timedelta(hours=6))
    assert answered.inquiries[0].answer == "Blue"
    assert answered.first_response_time == asked.first_response_time
    await world.service.advance(timedelta(hours=6))
    assert (await world.read(created.name)).state == OrderRequest.STATE_EXPIRED
    names = [type(event).__name__ for event in await world.events(created.name)]
    assert names == [
        "OrderRequestSubmitted",
        "OrderRequestInformationAsked",
        "OrderRequestInformationAnswered",
        "OrderRequestExpired",
    ]


@pytest.mark.covers("G33", "G31")
async def test_a_decline_says_why(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    declined = await decline(world, created.name)
    assert declined.state == OrderRequest.STATE_DECLINED
    seen = await world.read(created.name)
    assert (seen.decline_reason, seen.decline_text) == (
        OrderRequest.DECLINE_REASON_NO_CAPACITY,
        "Fully booked",
    )
    assert not seen.HasField("expire_time")
    event: Any = (await world.events(created.name))[-1]
    assert event.order_request.decline_reason == OrderRequest.DECLINE_REASON_NO_CAPACITY
    assert b"booked" not in event.SerializeToString()
    assert await timers(world) == []


@pytest.mark.covers("X05")
async def test_a_request_can_always_be_dismissed(world: World) -> None:
    await world.close_gate()
    first = await world.submit()
    assert (await close(world, first.name)).state == OrderRequest.STATE_CLOSED
    second = await world.submit()
    assert (await withdraw(world, second.name)).state == OrderRequest.STATE_WITHDRAWN
    third = await world.submit()
    await world.service.advance(7 * ONE_DAY - timedelta(microseconds=1))
    assert (await world.read(third.name)).state == OrderRequest.STATE_PENDING
    await world.service.advance(timedelta(microseconds=1))
    assert (await world.read(third.name)).state == OrderRequest.STATE_EXPIRED


async def test_a_request_is_over_at_its_time_although_no_timer_ran(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    async with paused_timers(world):
        world.clock.advance(7 * ONE_DAY)
        seen = await world.read(created.name)
        assert (seen.state, [*seen.allowed_actions]) == (OrderRequest.STATE_EXPIRED, [])
        found = await refused(decline(world, created.name))
        assert (found.reason, found.metadata["state"]) == ("TRANSITION_FORBIDDEN", "EXPIRED")
        again = await world.submit()
    states = await world.rows("SELECT id, state FROM order_request ORDER BY create_time")
    assert [row.state for row in states] == ["expired", "pending"]
    assert await timers(world) == [again.name.partition("/")[2]]


class paused_timers:  # noqa: N801
    """Keeps the timers of a service from running by themselves."""

    def __init__(self, world: World) -> None:
        self.runner = world.service.host.timers

    async def __aenter__(self) -> None:
        self.kinds, self.runner._kinds = self.runner._kinds, []

    async def __aexit__(self, *_: object) -> None:
        self.runner._kinds = self.kinds


@pytest.mark.covers("G34", "G11")
async def test_an_offer_is_the_approval_and_its_acceptance_the_order(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    offered = await world.read(created.name)
    assert (offered.state, offered.order) == (OrderRequest.STATE_OFFERED, "")
    assert offered.offer == "offers/01900000-0000-7000-8000-000000000001"
    assert offered.first_response_time == timestamp(world.clock.now())
    assert not offered.HasField("expire_time")
    assert [*offered.allowed_actions] == ["withdraw"]
    assert await timers(world) == []
    await world.tell_offer(
        offers_events.OfferAccepted, request=created.name, version=3, state=Offer.STATE_ACCEPTED
    )
    converted = await world.read(created.name)
    assert converted.state == OrderRequest.STATE_CONVERTED
    assert converted.order == "orders/01900000-0000-7000-8000-000000000001"
    assert not converted.allowed_actions
    event: Any = (await world.events(created.name))[-1]
    assert isinstance(event, gating_events.OrderRequestConverted)
    assert event.order_request.order == converted.order


@pytest.mark.parametrize("ending", list(ENDED))
async def test_an_offer_that_ends_gives_the_seller_new_time(world: World, ending: str) -> None:
    await world.close_gate(request_ttl=hours(10))
    created = await world.submit()
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    world.clock.advance(30 * ONE_DAY)
    kind = getattr(offers_events, ending)
    await world.tell_offer(kind, request=created.name, version=3, state=ENDED[ending])
    reopened = await world.read(created.name)
    assert reopened.state == OrderRequest.STATE_PENDING
    assert reopened.expire_time == timestamp(world.clock.now() + timedelta(hours=10))
    await world.tell_offer(offers_events.OfferRevived, request=created.name, version=4)
    assert (await world.read(created.name)).state == OrderRequest.STATE_OFFERED
    await world.tell_offer(offers_events.OfferSent, request=created.name, number=2)
    assert (await world.read(created.name)).offer.endswith("2")


async def test_facts_of_offers_may_come_late_twice_and_in_disorder(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    facts: dict[str, Any] = {"request": created.name, "settle": False}
    await world.tell_offer(offers_events.OfferAccepted, version=4, state=Offer.STATE_ACCEPTED, **facts)
    await world.tell_offer(offers_events.OfferSent, version=2, **facts)
    await world.tell_offer(offers_events.OfferRevised, version=3, **facts)
    await world.tell_offer(offers_events.OfferAccepted, version=4, state=Offer.STATE_ACCEPTED, **facts)
    await world.service.settle()
    converted = await world.read(created.name)
    assert (converted.state, converted.etag) == (OrderRequest.STATE_CONVERTED, "v2")


@pytest.mark.parametrize("end", [withdraw, decline, close])
async def test_an_accepted_offer_wins_over_an_end(world: World, end: Any) -> None:
    await world.close_gate()
    created = await world.submit()
    await end(world, created.name)
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    assert (await world.read(created.name)).state != OrderRequest.STATE_OFFERED
    await world.tell_offer(
        offers_events.OfferAccepted, request=created.name, version=3, state=Offer.STATE_ACCEPTED
    )
    assert (await world.read(created.name)).state == OrderRequest.STATE_CONVERTED


async def test_foreign_and_unknown_facts_change_nothing(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    unknown = "orderRequests/01900000-0000-7000-8000-0000000000ff"
    await world.tell_offer(offers_events.OfferSent, request=created.name, who="users/ben")
    await world.tell_offer(offers_events.OfferSent, request=unknown, number=2)
    await world.tell_offer(offers_events.OfferOpened, number=3)
    assert (await world.read(created.name)).state == OrderRequest.STATE_PENDING
    assert await world.rows("SELECT 1 FROM dead_letter") == []


async def test_withdrawing_an_offered_request_tells_offers(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    await withdraw(world, created.name)
    event: Any = (await world.events(created.name))[-1]
    assert isinstance(event, gating_events.OrderRequestWithdrawn)
    assert event.order_request.offer == "offers/01900000-0000-7000-8000-000000000001"


@pytest.mark.covers("G12")
async def test_a_holder_of_an_open_offer_needs_no_request(world: World) -> None:
    await world.close_gate()
    await world.tell_offer(offers_events.OfferSent)
    found = await refused(world.submit())
    assert (found.reason, found.metadata["reason"]) == ("REQUEST_NOT_REQUIRED", "OPEN_OFFER")


@pytest.mark.covers("G15")
async def test_a_returning_buyer_needs_no_request(world: World) -> None:
    await world.close_gate(audience=OrderSettings.AUDIENCE_NEW_BUYERS)
    await world.tell_order(state=Order.STATE_CONFIRMED)
    found = await refused(world.submit())
    assert (found.reason, found.metadata["reason"]) == ("REQUEST_NOT_REQUIRED", "RETURNING_BUYER")
    await world.submit(BEN)


async def test_twenty_questions_and_no_more(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    for _ in range(20):
        await ask(world, name)
        await answer(world, name)
    found = await refused(ask(world, name))
    assert (found.kind, found.reason) == ("precondition", "TOO_MANY_QUESTIONS")
    assert found.metadata == {"resource": name, "limit": "20"}


@pytest.mark.covers("X06")
async def test_each_party_sees_its_own_actions_with_the_reason_for_what_is_missing(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    expected = {
        ANA: (["withdraw"], ["answerInformation"]),
        OWNER: (["sendOffer", "askInformation", "decline"], []),
        OPERATOR: (["close"], []),
        service("offers"): ([], []),
    }
    for who, (allowed, missing) in expected.items():
        seen = await world.read(name, who)
        assert [*seen.allowed_actions] == allowed
        assert [action.action for action in seen.unavailable_actions] == missing
        assert all(action.reason == "TRANSITION_FORBIDDEN" for action in seen.unavailable_actions)
        assert all(action.explanation for action in seen.unavailable_actions)


MOVES: dict[str, Any] = {
    "AskInformation": lambda name: pb.AskInformationRequest(name=name, question="?"),
    "AnswerInformation": lambda name: pb.AnswerInformationRequest(name=name, answer="!"),
    "DeclineOrderRequest": lambda name: pb.DeclineOrderRequestRequest(
        name=name, reason=OrderRequest.DECLINE_REASON_BUDGET
    ),
    "WithdrawOrderRequest": lambda name: pb.WithdrawOrderRequestRequest(name=name),
    "CloseOrderRequest": lambda name: pb.CloseOrderRequestRequest(name=name),
}
BY = {
    "AskInformation": OWNER,
    "AnswerInformation": ANA,
    "DeclineOrderRequest": OWNER,
    "WithdrawOrderRequest": ANA,
    "CloseOrderRequest": OPERATOR,
}


@pytest.mark.parametrize("method", [*MOVES, "GetOrderRequest"])
async def test_who_sees_and_who_acts(world: World, method: str) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    make = MOVES.get(method, lambda n: pb.GetOrderRequestRequest(name=n))
    before = await world.contents()
    for who in (BEN, STRANGER):
        assert (await refused(getattr(world.stub(who), method)(make(name)))).reason == "NOT_FOUND"
    if method in BY:
        for who in (ANA, AGENT):
            if who is not BY[method] and not (who is AGENT and BY[method] is OWNER):
                found = await refused(getattr(world.stub(who), method)(make(name)))
                assert found.reason == "PERMISSION_DENIED"
    missing = "orderRequests/01900000-0000-7000-8000-0000000000ff"
    for unknown in (missing, "orderRequests/1"):
        found = await refused(getattr(world.stub(BY.get(method, ANA)), method)(make(unknown)))
        assert (found.reason, found.metadata["resource"]) == ("NOT_FOUND", unknown)
    assert await world.contents() == before


@pytest.mark.covers("X06", "X01")
@pytest.mark.parametrize("method", list(MOVES))
async def test_a_move_is_refused_after_the_end_and_repeated_by_its_key(world: World, method: str) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    if method == "AnswerInformation":
        await ask(world, name)
    stub, request = world.stub(BY[method]), MOVES[method](name)
    request.request_id = world.key()
    request.etag = "v9"
    stale = await refused(getattr(stub, method)(request))
    assert (stale.kind, stale.reason, stale.metadata["expected"]) == ("stale", "ETAG_MISMATCH", "v9")
    request.etag = ""
    first = await getattr(stub, method)(request)
    assert await getattr(stub, method)(request) == first
    before = await world.contents()
    found = await refused(getattr(stub, method)(MOVES[method](name)))
    assert (found.kind, found.reason) == ("precondition", "TRANSITION_FORBIDDEN")
    assert found.metadata["resource"] == name
    assert found.metadata["state"] == OrderRequest.State.Name(first.order_request.state).removeprefix(
        "STATE_"
    )
    assert await world.contents() == before


async def test_lists_are_newest_first_and_page_without_gap(world: World) -> None:
    await world.close_gate()
    made = []
    for number in range(5):
        made.append((await world.submit(buyer(f"user-{number}"))).name)
        world.clock.advance(timedelta(seconds=1))
    await world.submit(package=OTHER_PACKAGE)
    request = pb.ListOrderRequestsRequest(seller=SELLER, page_size=2)
    found: list[str] = []
    while True:
        page = await world.stub(AGENT).ListOrderRequests(request)
        found.extend(listed.name for listed in page.order_requests)
        assert len(page.order_requests) == 2
        assert [*page.order_requests[0].allowed_actions] == ["sendOffer", "askInformation", "decline"]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found[1:] == made[::-1]
    assert len(found) == 6


async def test_lists_hold_what_the_caller_may_see(world: World) -> None:
    await world.close_gate()
    mine = await world.submit()
    other = await world.submit(package=OTHER_PACKAGE)
    await world.submit(BEN)
    await withdraw(world, other.name)
    names = [found.name for found in (await world.stub(ANA).ListOrderRequests(request())).order_requests]
    assert sorted(names) == sorted([mine.name, other.name])
    pending = request(states=[OrderRequest.STATE_PENDING])
    listed = (await world.stub(ANA).ListOrderRequests(pending)).order_requests
    assert [found.name for found in listed] == [mine.name]
    for who in (OWNER, OPERATOR):
        assert len((await world.stub(who).ListOrderRequests(request(seller=SELLER))).order_requests) == 3
    for who in (ANA, STRANGER):
        refusal = await refused(world.stub(who).ListOrderRequests(request(seller=SELLER)))
        assert (refusal.reason, refusal.metadata["resource"]) == ("NOT_FOUND", SELLER)
    assert not (await world.stub(OWNER).ListOrderRequests(request())).order_requests


def request(**fields: Any) -> pb.ListOrderRequestsRequest:
    return pb.ListOrderRequestsRequest(**fields)


async def test_a_page_token_belongs_to_its_list(world: World) -> None:
    await world.close_gate()
    await world.submit()
    await world.submit(package=OTHER_PACKAGE)
    token = (await world.stub(ANA).ListOrderRequests(request(page_size=1))).next_page_token
    for who, fields in (
        (ANA, {"states": [OrderRequest.STATE_PENDING]}),
        (BEN, {}),
        (OWNER, {"seller": SELLER}),
    ):
        found = await refused(world.stub(who).ListOrderRequests(request(page_token=token, **fields)))
        assert found.reason == "PAGE_TOKEN_INVALID"
    found = await refused(world.stub(ANA).ListOrderRequests(request(page_token="x")))
    assert found.reason == "PAGE_TOKEN_INVALID"


async def test_moves_race_and_one_wins(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    results = await asyncio.gather(
        withdraw(world, name), decline(world, name), close(world, name), return_exceptions=True
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert (await world.read(name)).state == won[0].state
    assert len(await world.events(name)) == 2


async def test_a_request_survives_the_process(world: World, seconds: Seconds) -> None:
    await world.close_gate()
    created = await world.submit()
    dsn = world.service.host.config.dsn.reveal()
    async with world_of(world.backends, world.clock, seconds, dsn=dsn) as later:
        assert await later.read(created.name) == created
        assert instant(created.create_time) == later.clock.now()
        other = await later.read(created.name, seller("acme", "agent", user="second"))
        assert other.buyer == BUYER
        assert LISTING in other.package
