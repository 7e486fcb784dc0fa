"""Who sees a request, who acts on it, and what lists hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.service import buyer, refused, service
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_request_pb2 import OrderRequest
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    BEN,
    OPERATOR,
    OTHER_PACKAGE,
    OWNER,
    SELLER,
    STRANGER,
    World,
)
from tests.component.gating.moves import ask, withdraw


@pytest.mark.covers("X06")
async def test_each_party_sees_its_own_actions_with_the_reason_for_what_is_missing(world: World) -> None:
    await world.close_gate()
    name = (await world.submit()).name
    expected = {
        ANA: (["withdraw"], ["answerInformation"]),
        OWNER: (["sendOffer", "askInformation", "decline"], ["dismiss"]),
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
