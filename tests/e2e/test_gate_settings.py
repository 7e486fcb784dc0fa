"""Over HTTP: the history of order settings, the capacity gate, the simulation, absences, verified buyers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stack.demo.api import Api, Json, Party
from stack.demo.terms import wire_time
from tests.e2e.shop import Shop, order_body, refusal, seen


async def simulate(api: Api, party: Party, shop: Shop, **body: Any) -> list[Json]:
    """Everything that the stream says."""
    headers = {"authorization": f"Bearer {party.token}"}
    path = f"/v1/{shop.name}/orderSettings:simulate"
    async with api.http.stream("POST", path, headers=headers, json=body) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in response.aiter_lines()]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.covers("X17", "X04", "G27", "G19")
async def test_a_real_order_fills_the_capacity_and_is_replayed(shop: Shop, ana: Party, api: Api) -> None:
    await shop.gate(maxOpenOrders=1, capacityOnly=True)
    first = (await ana.post("orders", order_body(shop.basic)))["order"]
    assert first["gateDecision"]["reason"] == "REASON_BELOW_CAPACITY"

    async def full() -> bool:
        found = (await ana.post(f"{shop.basic}:evaluateGate"))["decision"]
        return bool(found["reason"] == "REASON_AT_CAPACITY")

    await seen(full, "the seller is at capacity")
    refused = await refusal(ana.post("orders", order_body(shop.basic)), "ORDER_REQUEST_REQUIRED", 400)
    assert refused.metadata["reason"] == "AT_CAPACITY"

    always = {"enabled": True, "scope": {"allPackages": True}, "timeZone": "Europe/Berlin"}
    progress, last = await simulate(api, shop.owner, shop, proposed=always)
    assert progress["progress"]["total"] == "1"
    found = last["simulation"]
    assert (found["sampleSize"], found["newlyGated"]) == ("1", "1")
    (rule,) = found["rules"]
    assert (rule["reason"], rule["orders"]) == ("REASON_ALWAYS", "1")
    assert found["examples"][0]["placement"] == first["name"]

    history = (await shop.owner.get(f"{shop.name}/orderSettings/versions"))["versions"]
    assert history[0]["author"] == f"users/{shop.id}-owner"
    assert "max_open_orders" in history[0]["changedPaths"]


@pytest.mark.covers("X10", "X17", "G29")
async def test_a_vacation_is_planned_and_called_off_and_verified_buyers_pass(
    api: Api, gated: Shop, ana: Party
) -> None:
    begin = datetime.now(UTC) + timedelta(minutes=5)
    span = {"startTime": wire_time(begin), "endTime": wire_time(begin + timedelta(days=9))}
    listed: list[Json] = []
    for parent in (gated.name, gated.listing):
        made = (await gated.owner.post(f"{parent}/absences", {**span, "label": "Holidays"}))["absence"]
        assert made["name"].startswith(f"{parent}/absences/")
        listed.append(made)
    found = await gated.owner.get(f"{gated.name}/absences", includeListings="true")
    assert found["absences"] == listed
    decision = (await ana.post(f"{gated.basic}:evaluateGate"))["decision"]
    assert decision["nextChangeTime"] == span["startTime"]
    for absence in listed:
        await refusal(ana.call("DELETE", absence["name"]), "NOT_FOUND", 404)
        await gated.owner.call("DELETE", absence["name"])
        await refusal(gated.owner.call("DELETE", absence["name"]), "NOT_FOUND", 404)
    assert (await gated.owner.get(f"{gated.name}/absences", includeListings="true"))["absences"] == []

    await gated.gate(audience="AUDIENCE_UNVERIFIED_BUYERS")
    await refusal(ana.post("orders", order_body(gated.basic)), "ORDER_REQUEST_REQUIRED", 400)
    user = f"users/{ana.name}"
    said = (await api.operator().post(f"{user}:setVerification", {"verified": True}))["buyerVerification"]
    assert said["effective"]

    async def passes() -> bool:
        verdict = (await ana.post(f"{gated.basic}:evaluateGate"))["decision"]
        return bool(verdict["reason"] == "REASON_VERIFIED_BUYER")

    await seen(passes, "the gate knows that the buyer is verified")
    assert (await ana.post("orders", order_body(gated.basic)))["order"]["state"] == "STATE_CONFIRMED"
    (version,) = (await api.operator().get(f"{user}/verifications"))["buyerVerifications"]
    assert version["author"] == "users/operator"
