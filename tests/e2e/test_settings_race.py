"""Settings that are saved again and again while many buyers order: a thousand in `make test-faults`."""

from __future__ import annotations

import asyncio

import pytest

from stack.demo.api import Api, Json, Party, Refused
from tests.e2e.shop import Shop, fresh, order_body, request

AT_ONCE = 16
PLACED_PER_SAVE = 20
TRIES = 50


@pytest.mark.covers("G37")
@pytest.mark.parametrize("buyers", [200, pytest.param(1_000, marks=pytest.mark.faults)])
async def test_every_stored_decision_names_the_settings_that_it_used(
    api: Api, shop: Shop, buyers: int
) -> None:
    turns, limit = asyncio.Semaphore(0), asyncio.Semaphore(AT_ONCE)
    saving = asyncio.create_task(_switch_on_and_off(shop, turns))

    async def one(number: int) -> Json:
        async with limit:
            decision = await _place_or_ask(api.buyer(fresh("crowd")), shop.basic)
        if number % PLACED_PER_SAVE == 0:
            turns.release()
        return decision

    decisions = await asyncio.gather(*(one(number) for number in range(buyers)))
    saving.cancel()
    await asyncio.wait([saving])
    enabled = await _versions(shop)
    outcomes = set()
    for decision in decisions:
        outcomes.add(decision["outcome"])
        used = enabled[int(decision["settingsVersion"])]
        assert decision["outcome"] == ("OUTCOME_REQUEST_REQUIRED" if used else "OUTCOME_ALLOWED")
        assert decision["reason"] == ("REASON_ALWAYS" if used else "REASON_SWITCHED_OFF")
    assert outcomes == {"OUTCOME_REQUEST_REQUIRED", "OUTCOME_ALLOWED"}
    assert len({decision["settingsVersion"] for decision in decisions}) > 2


async def _switch_on_and_off(shop: Shop, turns: asyncio.Semaphore) -> None:
    enabled = True
    while True:
        await turns.acquire()
        await shop.gate(enabled=enabled)
        enabled = not enabled


async def _place_or_ask(buyer: Party, package: str) -> Json:
    """The decision as it is stored with the order, or with the request where one had to be sent."""
    for _ in range(TRIES):
        try:
            made = (await buyer.post("orders", order_body(package, online=False)))["order"]
            kept: Json = (await buyer.get(made["name"]))["order"]["gateDecision"]
        except Refused as refused:
            if refused.reason != "ORDER_REQUEST_REQUIRED":
                raise
        else:
            return kept
        try:
            asked = await request(buyer, package)
            kept = (await buyer.get(asked["name"]))["orderRequest"]["gateDecision"]
        except Refused as refused:
            # The gate was opened in between: the order is tried again.
            if refused.reason != "REQUEST_NOT_REQUIRED":
                raise
        else:
            return kept
    raise AssertionError(f"neither an order nor a request in {TRIES} tries")


async def _versions(shop: Shop) -> dict[int, bool]:
    """Whether the gate was switched on, by the number of the version."""
    found, token = {0: False}, ""
    while True:
        path = f"{shop.name}/orderSettings/versions"
        page = await shop.owner.get(path, pageSize="1000", pageToken=token)
        for version in page["versions"]:
            found[int(version["settingsVersion"])] = version["orderSettings"]["enabled"]
        token = page["nextPageToken"]
        if not token:
            return found
