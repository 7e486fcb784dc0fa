"""Offers: who sees what, whose turn it is, and what time does to them."""

from __future__ import annotations

import asyncio

import pytest

from stack.demo.api import Api, Json, Party
from stack.demo.marketplace import money, money_json
from stack.demo.terms import instant_of
from tests.e2e.shop import (
    Shop,
    accept,
    in_state,
    listing_body,
    offer,
    offered,
    paid,
    refusal,
    request,
    seen,
    terms,
)

SOON_SECONDS = 1.0
# Enough to accept an offer on a machine that has much else to do.
IN_TIME_SECONDS = 3.0
LATER_SECONDS = 3_600.0


async def move(party: Party, found: Json, verb: str, **body: object) -> Json:
    moved: Json = (await party.post(f"{found['name']}:{verb}", body))["offer"]
    return moved


async def expired(party: Party, found: Json) -> Json:
    return await in_state(party, found["name"], "EXPIRED", key="offer")


@pytest.mark.covers("X03")
async def test_both_sides_consent_to_every_change(gated: Shop, ana: Party) -> None:
    first = await offered(gated, ana)
    cheaper, dearer = terms(gated.basic, "110.00 EUR"), terms(gated.basic, "115.00 EUR")
    countered = await move(ana, first, "counter", revision=1, terms=cheaper)
    assert (countered["currentRevision"]["number"], countered["currentRevision"]["author"]) == (
        2,
        "AUTHOR_BUYER",
    )
    # The buyer accepts neither the revision that is gone nor a proposal of her own.
    stale = await refusal(accept(ana, first), "REVISION_STALE", 409)
    assert stale.metadata["current_revision"] == "2"
    await refusal(accept(ana, countered), "NOT_YOUR_TURN", 400)
    await refusal(move(ana, first, "counter", revision=2, terms=dearer), "NOT_YOUR_TURN", 400)

    revised = await move(gated.owner, first, "revise", revision=2, terms=dearer)
    await refusal(accept(ana, countered), "REVISION_STALE", 409)
    order = (await accept(ana, revised))["order"]
    assert (await paid(ana, order))["total"] == money_json(money("115.00 EUR"))

    revisions = (await gated.owner.get(f"{first['name']}/revisions"))["revisions"]
    assert [revision["author"] for revision in revisions] == [
        "AUTHOR_SELLER",
        "AUTHOR_BUYER",
        "AUTHOR_SELLER",
    ]
    assert revisions[0] == first["currentRevision"]
    foreign = terms(gated.basic, "110.00 USD")
    again = await offered(gated, gated.api.buyer(f"{ana.name}-2"))
    await refusal(
        move(gated.api.buyer(f"{ana.name}-2"), again, "counter", revision=1, terms=foreign),
        "CURRENCY_MISMATCH",
        400,
    )


@pytest.mark.covers("G38", "G39", "X02")
async def test_an_offer_is_refused_from_the_moment_at_which_it_ends(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana, terms(gated.basic, expire_seconds=SOON_SECONDS))

    swept = await expired(ana, found)
    end = instant_of(found["currentRevision"]["terms"]["expireTime"])
    assert instant_of(swept["closeTime"]) >= end
    late = await refusal(accept(ana, found), "OFFER_EXPIRED", 400)
    assert late.metadata["expire_time"]
    assert (await ana.get("orders"))["orders"] == []
    # The request waits for the seller again, who revives the offer without an end.
    await in_state(ana, found["orderRequest"], "PENDING", key="orderRequest")
    revived = await move(gated.owner, found, "revive")
    assert "expireTime" not in revived["currentRevision"]["terms"]
    order = (await accept(ana, revived))["order"]
    await paid(ana, order)


@pytest.mark.covers("X02")
async def test_time_never_touches_an_offer_that_has_ended_otherwise(
    gated: Shop, api: Api, ana: Party
) -> None:
    ben = api.buyer(f"{ana.name}-ben")
    taken = await offered(gated, ana, terms(gated.basic, expire_seconds=IN_TIME_SECONDS))
    order = (await accept(ana, taken))["order"]
    # It ends later: once it was swept, the sweeper has been past both.
    witness = await offered(gated, ben, terms(gated.basic, expire_seconds=IN_TIME_SECONDS))
    await expired(ben, witness)
    assert (await ana.get(taken["name"]))["offer"]["state"] == "STATE_ACCEPTED"
    await paid(ana, order)


@pytest.mark.covers("G38", "G39")
async def test_an_offer_without_an_end_stays_open(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    assert "expireTime" not in found["currentRevision"]["terms"]
    past = terms(gated.plus, expire_seconds=-1.0)
    asked = await request(gated.api.buyer(f"{ana.name}-2"), gated.plus)
    await refusal(offer(gated, {"orderRequest": asked["name"]}, past), "TIME_OUT_OF_RANGE", 400)
    await paid(ana, (await accept(ana, found))["order"])


@pytest.mark.covers("G40")
async def test_an_open_offer_keeps_its_price_whatever_happens_around_it(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana, terms(gated.basic, "120.00 EUR", expire_seconds=LATER_SECONDS))
    dear = listing_body("SELLER_REVIEW", price=money("999.00 EUR"))
    await gated.owner.patch(
        gated.listing, {**dear, "published": False}, updateMask="packages,intake,published"
    )
    await gated.gate(bypassPolicy="BYPASS_POLICY_NEVER")
    await gated.owner.post(f"{gated.name}:setAvailability", {"available": False})
    await gated.api.operator().post(f"{gated.name}:setPlan", {"tier": "TIER_BASIC"})

    unchanged = (await ana.get(found["name"]))["offer"]["currentRevision"]
    assert unchanged == found["currentRevision"]
    order = await paid(ana, (await accept(ana, found))["order"])
    assert (order["state"], order["total"]) == ("STATE_CONFIRMED", money_json(money("120.00 EUR")))


@pytest.mark.covers("V07")
async def test_the_seller_sees_when_the_buyer_opened_the_offer(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    await ana.get(found["name"])
    await gated.owner.get(found["name"])
    assert "firstOpenTime" not in (await gated.owner.get(found["name"]))["offer"]
    await refusal(move(gated.owner, found, "open"), "PERMISSION_DENIED", 403)

    first = (await move(ana, found, "open"))["firstOpenTime"]
    assert (await move(ana, found, "open"))["firstOpenTime"] == first
    assert (await gated.owner.get(found["name"]))["offer"]["firstOpenTime"] == first


@pytest.mark.covers("V06")
async def test_an_offer_with_online_payment_is_charged_by_being_accepted(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana, terms(gated.basic, "120.00 EUR"))
    assert found["currentRevision"]["terms"]["paymentMethod"] == "PAYMENT_METHOD_ONLINE"
    missing = {"revision": 1}
    await refusal(ana.post(f"{found['name']}:accept", missing), "PAYMENT_TOKEN_REQUIRED", 400)
    order = await paid(ana, (await accept(ana, found))["order"])
    assert order["paymentMethod"] == "PAYMENT_METHOD_ONLINE"
    (payment,) = (await ana.get(f"{order['name']}/payments"))["payments"]
    assert payment["amount"] == order["total"] == money_json(money("120.00 EUR"))
    assert payment["state"] == "STATE_CAPTURED"
    again = (await gated.owner.get(f"{order['name']}/payments"))["payments"]
    assert [held["name"] for held in again] == [payment["name"]]


@pytest.mark.covers("X01")
async def test_one_key_is_one_acceptance_however_often_it_is_sent(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    body = {"revision": 1, "paymentToken": "sandbox_success"}
    path, key = f"{found['name']}:accept", f"accept-{found['name'][-12:]}"
    answers = await asyncio.gather(*(ana.post(path, body, key=key) for _ in range(10)))
    assert all(answer == answers[0] for answer in answers)
    other = {**body, "paymentToken": "sandbox_decline_hard"}
    reused = await refusal(ana.post(path, other, key=key), "REQUEST_ID_REUSED", 400)
    assert reused.metadata["request_id"] == key
    await refusal(ana.post(path, body, key=f"{key}-2"), "TRANSITION_FORBIDDEN", 400)

    await paid(ana, answers[0]["order"])
    (order,) = (await ana.get("orders"))["orders"]
    (payment,) = (await ana.get(f"{order['name']}/payments"))["payments"]
    assert len(payment["attempts"]) == 1


@pytest.mark.covers("X06")
async def test_every_side_is_told_what_it_can_do_and_why_not_more(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    theirs = (await gated.owner.get(found["name"]))["offer"]
    mine = (await ana.get(found["name"]))["offer"]
    assert {"accept", "counter", "decline", "open"} == set(mine["allowedActions"])
    assert {"revise", "withdraw"} == set(theirs["allowedActions"])
    reasons = {action["action"]: action["reason"] for action in theirs["unavailableActions"]}
    assert reasons["counter"] == "NOT_YOUR_TURN"
    # The reason is the one that the call itself would be refused with.
    body = {"revision": 1, "terms": terms(gated.basic)}
    await refusal(gated.owner.post(f"{found['name']}:counter", body), reasons["counter"], 400)

    order = await paid(ana, (await accept(ana, found))["order"])
    assert order["allowedActions"] == ["cancel"]
    assert {action["reason"] for action in order["unavailableActions"]} == {"TRANSITION_FORBIDDEN"}
    ended = (await ana.get(found["name"]))["offer"]
    assert "accept" in {action["action"] for action in ended["unavailableActions"]}
    for name, key in (
        (found["orderRequest"], "orderRequest"),
        (order["conversation"], "conversation"),
        (gated.listing, "listing"),
    ):
        resource = (await seen(lambda name=name: ana.get(name), name))[key]  # type: ignore[misc]
        assert {"allowedActions", "unavailableActions", "etag"} <= set(resource), name


async def test_withdrawing_the_request_withdraws_the_open_offer(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    await in_state(ana, found["orderRequest"], "OFFERED", key="orderRequest")
    await ana.post(f"{found['orderRequest']}:withdraw")
    await in_state(ana, found["name"], "WITHDRAWN", key="offer")
    await refusal(accept(ana, found), "TRANSITION_FORBIDDEN", 400)


async def test_declining_an_offer_lets_the_seller_try_again(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    await refusal(
        offer(gated, {"orderRequest": found["orderRequest"]}, terms(gated.basic)), "OPEN_OFFER_EXISTS", 409
    )
    await ana.post(f"{found['name']}:decline", {"reason": "Too dear."})
    await in_state(ana, found["orderRequest"], "PENDING", key="orderRequest")
    better = await offer(gated, {"orderRequest": found["orderRequest"]}, terms(gated.basic, "90.00 EUR"))
    await paid(ana, (await accept(ana, better))["order"])
