"""The gate as buyers and sellers meet it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from stack.demo.api import Api, Json, Party
from stack.demo.terms import instant_of
from tests.e2e.shop import (
    Shop,
    accept,
    fresh,
    in_state,
    offer,
    offered,
    open_shop,
    order_body,
    paid,
    refusal,
    request,
    seen,
    terms,
)
from tests.e2e.target import Target

ALL_DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


async def decide(buyer: Party, package: str) -> Json:
    found: Json = (await buyer.post(f"{package}:evaluateGate"))["decision"]
    return found


def window(local_time: str, *, hours: tuple[int, int]) -> Json:
    """A daily window around a moment of the seller's wall clock; it may wrap midnight."""
    local = datetime.fromisoformat(local_time)
    start, end = (f"{local + timedelta(hours=offset):%H:%M}" for offset in hours)
    return {"days": ALL_DAYS, "start": start, "end": end}


@pytest.mark.covers("G01", "G02", "G03", "G14")
async def test_switching_to_manual_review_turns_orders_into_requests_and_back(shop: Shop, ana: Party) -> None:
    order = (await ana.post("orders", order_body(shop.basic)))["order"]
    assert order["state"] == "STATE_CONFIRMED"
    assert order["gateDecision"]["reason"] == "REASON_SWITCHED_OFF"

    await shop.gate()
    refused = await refusal(ana.post("orders", order_body(shop.basic)), "ORDER_REQUEST_REQUIRED", 400)
    assert refused.metadata["outcome"] == "REQUEST_REQUIRED"
    assert refused.metadata["reason"] == "ALWAYS"
    assert refused.metadata["explanation"]
    # All that the one call takes which turns the order into a request.
    path = refused.metadata["create_order_request"].removeprefix("/v1/")
    body = {"package": refused.metadata["package"], "needs": {"text": "As above."}}
    assert (await ana.post(path, body))["orderRequest"]["state"] == "STATE_PENDING"

    await shop.gate(enabled=False)
    assert (await ana.post("orders", order_body(shop.basic)))["order"]["state"] == "STATE_CONFIRMED"


@pytest.mark.covers("G05", "G11")
async def test_seller_reviews_the_needs_before_any_order_exists(gated: Shop, ana: Party) -> None:
    needs = {
        "text": "A sign for a bakery.",
        "answers": [{"question": "How large?", "answer": "Two metres."}],
        "attachments": ["conversations/0190/attachments/plan"],
    }
    asked = (await ana.post("orderRequests", {"package": gated.basic, "needs": needs}))["orderRequest"]
    found = (await gated.owner.get(asked["name"]))["orderRequest"]
    assert found["needs"] == needs
    assert found["packageSnapshot"]["price"] == {"currencyCode": "EUR", "units": "100", "nanos": 0}
    assert found["order"] == ""
    assert (await ana.get("orders"))["orders"] == []
    assert (await gated.owner.get("orders", seller=gated.name))["orders"] == []
    await refusal(request(ana, gated.basic), "OPEN_REQUEST_EXISTS", 409)


@pytest.mark.covers("G12")
async def test_holder_of_an_open_offer_orders_that_package_without_a_request(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)

    async def lets_pass() -> Json | None:
        decision = await decide(ana, gated.basic)
        return decision if decision["outcome"] == "OUTCOME_ALLOWED" else None

    decision = await seen(lets_pass, "the gate knows of the offer")
    assert (decision["reason"], decision["offer"]) == ("REASON_OPEN_OFFER", found["name"])
    assert (await decide(ana, gated.plus))["outcome"] == "OUTCOME_REQUEST_REQUIRED"
    assert (await ana.post("orders", order_body(gated.basic)))["order"]["state"] == "STATE_CONFIRMED"

    await gated.gate(bypassPolicy="BYPASS_POLICY_NEVER")
    assert (await decide(ana, gated.basic))["outcome"] == "OUTCOME_REQUEST_REQUIRED"


@pytest.mark.covers("G13")
async def test_settings_are_one_versioned_resource(shop: Shop, api: Api, ana: Party) -> None:
    agent = api.seller(shop.id, role="agent")
    assert (await agent.get(f"{shop.name}/orderSettings"))["orderSettings"]["settingsVersion"] == "0"
    saved = (await shop.gate(requestTtl="7200s"))["orderSettings"]
    assert saved["settingsVersion"] == "1"
    assert (await shop.gate(requestTtl="7200s"))["orderSettings"]["settingsVersion"] == "1"
    assert (await agent.get(f"{shop.name}/orderSettings"))["orderSettings"]["requestTtl"] == "7200s"

    stale = {"enabled": False, "etag": "v99"}
    await refusal(shop.owner.patch(f"{shop.name}/orderSettings", stale), "ETAG_MISMATCH", 409)
    await refusal(agent.patch(f"{shop.name}/orderSettings", {"enabled": False}), "PERMISSION_DENIED", 403)
    await refusal(ana.get(f"{shop.name}/orderSettings"), "NOT_FOUND", 404)
    # What was read is sent back as a whole, with one change: false counts like any other value.
    whole = (await agent.get(f"{shop.name}/orderSettings"))["orderSettings"]
    off = await shop.owner.patch(f"{shop.name}/orderSettings", {**whole, "enabled": False})
    assert (off["orderSettings"]["enabled"], off["orderSettings"]["settingsVersion"]) == (False, "2")


@pytest.mark.covers("G15")
async def test_audience_of_new_buyers_lets_returning_ones_order_at_once(shop: Shop, ana: Party) -> None:
    await shop.gate(audience="AUDIENCE_NEW_BUYERS", scope={"packages": [shop.plus]})
    assert (await decide(ana, shop.plus))["outcome"] == "OUTCOME_REQUEST_REQUIRED"
    await ana.post("orders", order_body(shop.basic))

    async def returning() -> bool:
        return bool((await decide(ana, shop.plus))["reason"] == "REASON_RETURNING_BUYER")

    await seen(returning, "the gate knows of the confirmed order")
    await shop.gate(scope={"packages": [shop.plus]})
    assert (await decide(ana, shop.plus))["outcome"] == "OUTCOME_REQUEST_REQUIRED"


@pytest.mark.covers("G16")
async def test_exactly_the_chosen_packages_are_gated(shop: Shop, ana: Party) -> None:
    await shop.gate(scope={"packages": [shop.plus]})
    assert (await decide(ana, shop.basic))["reason"] == "REASON_OUT_OF_SCOPE"
    assert (await decide(ana, shop.plus))["outcome"] == "OUTCOME_REQUEST_REQUIRED"
    empty = (await shop.gate(scope={}))["orderSettings"]
    assert empty["inactiveReason"] == "INACTIVE_REASON_EMPTY_SCOPE"
    assert (await decide(ana, shop.plus))["outcome"] == "OUTCOME_ALLOWED"
    foreign = {"packages": ["sellers/somebody-else/listings/work/packages/basic"]}
    await refusal(shop.gate(scope=foreign), "SCOPE_FOREIGN", 400)


@pytest.mark.covers("G17")
async def test_weekly_windows_decide_by_the_local_time(shop: Shop, ana: Party) -> None:
    await shop.gate()
    now = (await decide(ana, shop.basic))["localTime"]
    inside = await shop.gate(windows=[window(now, hours=(-2, 2))])
    decision = await decide(ana, shop.basic)
    assert (decision["outcome"], decision["reason"]) == ("OUTCOME_REQUEST_REQUIRED", "REASON_INSIDE_WINDOW")
    assert decision["matchedWindow"]
    assert instant_of(decision["nextChangeTime"]) > instant_of(decision["evaluateTime"])
    # A window that wraps midnight is split, and the answer says so.
    wraps = len(inside["orderSettings"]["windows"]) > 1
    assert bool(inside["splitWindows"]) is wraps

    await shop.gate(windows=[window(now, hours=(3, 5))])
    assert (await decide(ana, shop.basic))["reason"] == "REASON_OUTSIDE_WINDOWS"


@pytest.mark.covers("G18")
async def test_the_sellers_zone_is_what_counts_and_rewrites_no_past_decision(shop: Shop, ana: Party) -> None:
    await shop.gate(timeZone="Asia/Tokyo")
    now = (await decide(ana, shop.basic))["localTime"]
    windows = [window(now, hours=(-2, 2))]
    await shop.gate(timeZone="Asia/Tokyo", windows=windows)
    asked = await request(ana, shop.basic)

    await shop.gate(timeZone="America/New_York", windows=windows)
    decision = await decide(ana, shop.basic)
    assert (decision["timeZone"], decision["outcome"]) == ("America/New_York", "OUTCOME_ALLOWED")
    kept = (await ana.get(asked["name"]))["orderRequest"]["gateDecision"]
    assert kept == asked["gateDecision"]
    assert kept["timeZone"] == "Asia/Tokyo"
    await refusal(shop.gate(timeZone="Mars/Olympus"), "UNKNOWN_TIME_ZONE", 400)


@pytest.mark.covers("G33")
async def test_declining_a_request_needs_a_reason_that_the_buyer_sees(gated: Shop, ana: Party) -> None:
    asked = await request(ana, gated.basic)
    await refusal(gated.owner.post(f"{asked['name']}:decline"), "VALIDATION_FAILED", 400)
    body = {"reason": "DECLINE_REASON_DEADLINE", "text": "Not before August."}
    await gated.owner.post(f"{asked['name']}:decline", body)
    found = (await ana.get(asked["name"]))["orderRequest"]
    assert (found["state"], found["declineReason"]) == ("STATE_DECLINED", "DECLINE_REASON_DEADLINE")
    assert found["declineText"] == "Not before August."
    assert found["allowedActions"] == []
    closed = await refusal(
        offer(gated, {"orderRequest": asked["name"]}, terms(gated.basic)), "ORIGIN_CLOSED", 400
    )
    assert closed.metadata["state"] == "DECLINED"


@pytest.mark.covers("G11", "G34")
async def test_the_only_approval_is_an_offer(gated: Shop, ana: Party) -> None:
    asked = await request(ana, gated.basic)
    await refusal(gated.owner.post(f"{asked['name']}:approve"), "ROUTE_NOT_FOUND", 404)
    found = await offer(gated, {"orderRequest": asked["name"]}, terms(gated.basic))
    approved = await in_state(ana, asked["name"], "OFFERED", key="orderRequest")
    assert approved["offer"] == found["name"]
    assert (await ana.get("orders"))["orders"] == []

    order = (await accept(ana, found))["order"]
    assert (await paid(ana, order))["orderRequest"] == asked["name"]
    converted = await in_state(ana, asked["name"], "CONVERTED", key="orderRequest")
    assert converted["order"] == order


@pytest.mark.covers("G10", "G29")
async def test_a_seller_who_is_away_takes_no_orders_and_flags_what_arrives(api: Api, ana: Party) -> None:
    shop = await open_shop(api)
    away = {"available": False, "messagesClosed": True}
    await shop.owner.post(f"{shop.name}:setAvailability", away)
    assert (await decide(ana, shop.basic))["outcome"] == "OUTCOME_UNAVAILABLE"
    await refusal(ana.post("orders", order_body(shop.basic)), "UNAVAILABLE", 400)
    await refusal(request(ana, shop.basic), "UNAVAILABLE", 400)
    await shop.owner.post(f"{shop.name}:setAvailability", {"available": False})
    await refusal(ana.post("orders", order_body(shop.basic)), "UNAVAILABLE", 400)
    asked = await request(ana, shop.basic)
    assert asked["arrivedWhileUnavailable"] is True
    await ana.post(f"{asked['name']}:withdraw")
    await shop.owner.post(f"{shop.name}:setAvailability", {"available": True})
    await refusal(request(ana, shop.basic), "REQUEST_NOT_REQUIRED", 400)


@pytest.mark.covers("G06")
async def test_the_seller_answers_with_another_package_than_the_one_asked_for(
    gated: Shop, ana: Party
) -> None:
    asked = await request(ana, gated.basic)
    found = await offer(gated, {"orderRequest": asked["name"]}, terms(gated.plus))
    await in_state(ana, asked["name"], "OFFERED", key="orderRequest")
    placed = await paid(ana, (await accept(ana, found))["order"])
    assert (placed["package"], placed["orderRequest"]) == (gated.plus, asked["name"])
    converted = await in_state(ana, asked["name"], "CONVERTED", key="orderRequest")
    assert (converted["package"], converted["order"]) == (gated.basic, placed["name"])


@pytest.mark.covers("X05", "G05")
async def test_a_team_knows_its_buyer_and_clears_its_list(gated: Shop, ana: Party) -> None:
    await gated.gate(reminderPoints={"elapsedPercents": [30]}, reofferPolicy="REOFFER_POLICY_CLOSE")
    first = await request(ana, gated.basic)
    assert instant_of(first["nextReminderTime"]) < instant_of(first["expireTime"])
    await ana.post(f"{first['name']}:withdraw")
    second = await request(ana, gated.basic)
    seen = (await gated.owner.get(second["name"]))["orderRequest"]
    assert seen["buyerHistory"]["requests"] == [{"state": "STATE_WITHDRAWN", "count": 1}]
    assert seen["buyerHistory"]["firstSeenTime"] == first["createTime"]
    assert "buyerHistory" not in (await ana.get(second["name"]))["orderRequest"]

    await refusal(gated.owner.post(f"{second['name']}:dismiss"), "TRANSITION_FORBIDDEN", 400)
    dismissed = (await gated.owner.post(f"{first['name']}:dismiss"))["orderRequest"]
    assert (dismissed["dismissed"], dismissed["state"]) == (True, "STATE_WITHDRAWN")
    listed = await gated.owner.get("orderRequests", seller=gated.name)
    assert [found["name"] for found in listed["orderRequests"]] == [second["name"]]
    everything = await gated.owner.get("orderRequests", seller=gated.name, showDismissed="true")
    assert [found["name"] for found in everything["orderRequests"]] == [second["name"], first["name"]]
    assert len((await ana.get("orderRequests"))["orderRequests"]) == 2

    found = await offer(gated, {"orderRequest": second["name"]}, terms(gated.basic))
    await in_state(ana, second["name"], "OFFERED", key="orderRequest")
    await ana.post(f"{found['name']}:decline")
    await in_state(ana, second["name"], "CLOSED", key="orderRequest")


async def test_a_team_cannot_buy_from_itself(stack: Target, api: Api, gated: Shop) -> None:
    insider = Party(api, "insider", stack.token_of(fresh("insider"), "buyer", f"seller:{gated.id}:agent"))
    await refusal(request(insider, gated.basic), "OWN_LISTING", 400)
    await refusal(insider.post("orders", order_body(gated.basic)), "OWN_LISTING", 400)


@pytest.mark.covers("G27", "G32")
async def test_a_seller_sees_what_the_gate_does(api: Api) -> None:
    shop, ana, ben = await open_shop(api), api.buyer(fresh("ana")), api.buyer(fresh("ben"))
    gated = await shop.add_listing("gated", "INSTANT")
    package = f"{gated}/packages/basic"
    saved = await shop.gate(scope={"packages": [package]})
    for party, counted in ((ana, True), (ana, False), (ben, True)):
        assert (await party.post(f"{gated}:recordVisit")).get("counted", False) is counted
    asked = await request(ana, package)
    found = await offer(shop, {"orderRequest": asked["name"]}, terms(package))
    order = await paid(ana, (await accept(ana, found))["order"])

    async def told() -> Json | None:
        since = saved["orderSettings"]["updateTime"]
        answer = await shop.owner.get(f"{shop.name}/gateMetrics", startTime=since, includeIds="true")
        figures: Json = answer["gateMetrics"]
        orders = figures["period"]["orders"]
        return figures if order["name"] in orders.get("ids", ()) else None

    metrics = await seen(told, "the order is in the figures")
    funnel = metrics["period"]["funnel"]
    steps = ("visits", "requests", "offers", "orders")
    assert [funnel[step]["value"] for step in steps] == ["2", "1", "1", "1"]
    assert funnel["requests"]["ids"] == [asked["name"]]
    assert metrics["period"]["visitConversion"]["value"] == 0.5
    (rule,) = metrics["period"]["rules"]
    assert rule["reason"] == "REASON_ALWAYS"
    assert [impact["settingsVersion"] for impact in metrics["impacts"]] == ["1"]
