"""Order settings over HTTP: their history, the capacity gate fed by real orders, and the simulation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stack.demo.api import Api, Json, Party
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
