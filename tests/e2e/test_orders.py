"""Orders from placement to payment."""

from __future__ import annotations

import asyncio

import pytest

from stack.demo.api import Api, Json, Party, Refused
from stack.demo.marketplace import money, money_json
from stack.demo.terms import HARD_CARD, SOFT_CARD, instant_of
from tests.e2e.shop import (
    Shop,
    accept,
    in_state,
    listing_body,
    offer,
    offered,
    open_shop,
    order_body,
    paid,
    refusal,
    seen,
    terms,
)


@pytest.fixture
async def reviewing(api: Api) -> Shop:
    """A seller who decides on every order."""
    return await open_shop(api, intake="SELLER_REVIEW")


async def place(buyer: Party, package: str, **more: object) -> Json:
    order: Json = (await buyer.post("orders", order_body(package, **more)))["order"]  # type: ignore[arg-type]
    return order


async def payments(party: Party, order: str) -> list[Json]:
    found: list[Json] = (await party.get(f"{order}/payments"))["payments"]
    return found


async def folders(shop: Shop, folder: str) -> list[str]:
    query = {"seller": shop.name, "folder": f"FOLDER_{folder}"}
    return [order["name"] for order in (await shop.owner.get("orders", **query))["orders"]]


@pytest.mark.covers("B03", "B11", "B35")
async def test_an_order_that_needs_a_decision_waits_in_the_inbox_uncharged(
    reviewing: Shop, ana: Party
) -> None:
    order = await place(ana, reviewing.basic)
    assert (order["state"], order["paymentState"]) == ("STATE_PENDING", "PAYMENT_STATE_NOT_DUE")
    assert (order["folder"], order["unreadCount"]) == ("FOLDER_UNSPECIFIED", 0)
    assert await folders(reviewing, "INBOX") == [order["name"]]
    assert await payments(ana, order["name"]) == []

    await reviewing.owner.post(f"{order['name']}:markProcessing")
    await reviewing.owner.post(f"{order['name']}:confirm")
    confirmed = await paid(ana, order["name"])
    assert confirmed["state"] == "STATE_CONFIRMED"
    (payment,) = await payments(ana, order["name"])
    assert (payment["state"], len(payment["attempts"])) == ("STATE_CAPTURED", 1)
    assert instant_of(payment["captureTime"]) >= instant_of(confirmed["confirmTime"])
    assert await folders(reviewing, "CONFIRMED") == [order["name"]]
    await refusal(reviewing.owner.post(f"{order['name']}:confirm", key="again"), "TRANSITION_FORBIDDEN", 400)


@pytest.mark.covers("B01")
async def test_orders_arrive_for_products_and_for_services(reviewing: Shop, ana: Party) -> None:
    listings, product = f"{reviewing.name}/listings", "LISTING_KIND_PRODUCT"
    print_ = await reviewing.add_listing("print", "SELLER_REVIEW", kind=product)
    for kind, name in ((product, print_), ("LISTING_KIND_SERVICE", reviewing.listing)):
        found = (await ana.get(listings, kind=kind))["listings"]
        assert [(one["name"], one["kind"]) for one in found] == [(name, kind)]
    ordered = {
        (await place(ana, package))["kind"]: package
        for package in (reviewing.basic, f"{print_}/packages/basic")
    }
    assert ordered == {"LISTING_KIND_SERVICE": reviewing.basic, product: f"{print_}/packages/basic"}
    query = {"seller": reviewing.name, "folder": "FOLDER_INBOX"}
    inbox = (await reviewing.owner.get("orders", **query))["orders"]
    assert {order["kind"]: order["package"] for order in inbox} == ordered
    # What becomes of the listing later changes no order.
    await reviewing.owner.patch(print_, {"kind": "LISTING_KIND_SERVICE"}, updateMask="kind")
    assert len((await ana.get(listings, kind="LISTING_KIND_SERVICE"))["listings"]) == 2
    (kept,) = [order for order in inbox if order["kind"] == product]
    assert (await ana.get(kept["name"]))["order"]["kind"] == product


@pytest.mark.covers("B11")
async def test_a_declined_order_is_never_charged(reviewing: Shop, ana: Party) -> None:
    order = await place(ana, reviewing.basic)
    body = {"reason": "DECLINE_REASON_NO_CAPACITY", "text": "Full until spring."}
    await reviewing.owner.post(f"{order['name']}:decline", body)
    declined = (await ana.get(order["name"]))["order"]
    assert (declined["state"], declined["declineText"]) == ("STATE_DECLINED", "Full until spring.")
    await refusal(reviewing.owner.post(f"{order['name']}:confirm"), "TRANSITION_FORBIDDEN", 400)
    assert await payments(ana, order["name"]) == []


@pytest.mark.covers("B35")
async def test_offline_orders_are_never_charged(reviewing: Shop, gated: Shop, ana: Party) -> None:
    order = (await ana.post("orders", order_body(reviewing.basic, online=False)))["order"]
    await reviewing.owner.post(f"{order['name']}:confirm")
    agreed = await offered(gated, ana, terms(gated.basic, online=False))
    made = (await ana.post(f"{agreed['name']}:accept", {"revision": 1}))["order"]
    for name in (order["name"], made):
        assert (await paid(ana, name, "OFFLINE"))["state"] == "STATE_CONFIRMED"
        assert await payments(ana, name) == []


@pytest.mark.covers("B35")
async def test_the_price_of_an_accepted_quote_is_charged_after_confirmation_only(
    api: Api, ana: Party
) -> None:
    shop = await open_shop(api, intake="BY_QUOTE")
    order = await place(ana, shop.basic)
    assert order["state"] == "STATE_PENDING"
    quote = await offer(shop, {"order": order["name"]}, terms(shop.basic, "140.00 EUR"))
    await in_state(ana, order["name"], "AWAITING_ANSWER")
    assert (await accept(ana, quote))["order"] == order["name"]
    processing = await in_state(ana, order["name"], "PROCESSING")
    assert processing["total"] == money_json(money("140.00 EUR"))
    assert await folders(shop, "INBOX") == [order["name"]]
    assert await payments(ana, order["name"]) == []

    answer = await shop.owner.post(f"{order['name']}:confirm")
    assert answer["warnings"] == []
    await paid(ana, order["name"])
    (payment,) = await payments(ana, order["name"])
    assert payment["amount"] == money_json(money("140.00 EUR"))


@pytest.mark.covers("B35")
async def test_a_declined_card_leaves_the_order_confirmed_and_can_be_retried(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    order = (await accept(ana, found, paymentToken=SOFT_CARD))["order"]
    assert (await paid(ana, order, "FAILED"))["state"] == "STATE_CONFIRMED"
    (payment,) = await payments(ana, order)
    await ana.post(f"{payment['name']}:retry", {"paymentToken": "sandbox_success"})
    await paid(ana, order)
    (payment,) = await payments(ana, order)
    outcomes = [attempt["outcome"] for attempt in payment["attempts"]]
    assert outcomes == ["OUTCOME_SOFT_DECLINE", "OUTCOME_CAPTURED"]


async def test_a_refused_card_cannot_be_tried_again(shop: Shop, ana: Party) -> None:
    order = await place(ana, shop.basic, paymentToken=HARD_CARD)
    await paid(ana, order["name"], "FAILED")
    (payment,) = await payments(ana, order["name"])
    await refusal(ana.post(f"{payment['name']}:retry"), "PAYMENT_MEANS_REFUSED", 400)


async def test_the_first_public_message_of_the_seller_begins_processing(reviewing: Shop, ana: Party) -> None:
    order = await place(ana, reviewing.basic)
    conversation = order["conversation"]
    await seen(lambda: reviewing.owner.get(conversation), f"{conversation} exists")
    note = {"text": "Looks good to me.", "kind": "KIND_INTERNAL_NOTE"}
    await reviewing.owner.post(f"{conversation}/messages", note)
    await ana.post(f"{conversation}/messages", {"text": "Any news?"})
    await reviewing.owner.post(f"{conversation}/messages", {"text": "We are looking at it."})
    await in_state(ana, order["name"], "PROCESSING")


@pytest.mark.covers("X01")
async def test_the_same_key_places_one_order(shop: Shop, ana: Party) -> None:
    body, key = order_body(shop.basic), "place-once"
    answers = await asyncio.gather(*(ana.post("orders", body, key=key) for _ in range(8)))
    assert len({answer["order"]["name"] for answer in answers}) == 1
    assert len((await ana.get("orders"))["orders"]) == 1
    await refusal(ana.post("orders", {**body, "package": shop.plus}, key=key), "REQUEST_ID_REUSED", 400)
    # The key is the caller's own: somebody else may use the same.
    other = await shop.api.buyer(f"{ana.name}-2").post("orders", body, key=key)
    assert other["order"]["name"] != answers[0]["order"]["name"]


async def test_an_order_at_another_price_than_the_buyer_saw_is_refused(shop: Shop, ana: Party) -> None:
    body = {**order_body(shop.basic), "expectedTotal": money_json(money("80.00 EUR"))}
    changed = await refusal(ana.post("orders", body), "PRICE_CHANGED", 409)
    assert changed.metadata["actual"] == "100.00 EUR"
    assert (await ana.get("orders"))["orders"] == []


@pytest.mark.covers("B23", "B24", "B25", "B26", "B27", "B29", "B33", "B34", "B36")
async def test_a_customised_order_is_quoted_twice_and_confirmed_at_the_approved_price(
    api: Api, ana: Party
) -> None:
    shop = await open_shop(api, intake="BY_QUOTE")
    colours = [
        {"valueId": "red", "title": "Red"},
        {"valueId": "gold", "title": "Gold", "priceDifference": money_json(money("5.00 EUR"))},
    ]
    engraved = {
        **listing_body("BY_QUOTE")["packages"][0],
        "packageId": "engraved",
        "options": [
            {"optionId": "colour", "title": "Colour", "required": True, "values": {"values": colours}},
            {"optionId": "words", "title": "Words", "text": {"maxCharacters": 40}},
        ],
    }
    body = {"packages": [*listing_body("BY_QUOTE")["packages"], engraved]}
    await shop.owner.patch(shop.listing, body, updateMask="packages")
    choices = [
        {"optionId": "colour", "valueIds": ["gold"]},
        {"optionId": "words", "text": "For Bo"},
    ]

    async def placed() -> Json | None:
        try:
            return await place(ana, f"{shop.listing}/packages/engraved", options=choices)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    order = await seen(placed, "orders knows the package")
    shown = (await shop.owner.get(order["name"]))["order"]
    assert [option["title"] for option in shown["options"]] == ["Colour", "Words"]
    assert shown["options"][1]["text"] == "For Bo"
    assert shown["total"] == money_json(money("105.00 EUR"))
    await refusal(place(ana, f"{shop.listing}/packages/engraved"), "OPTION_REQUIRED", 400)

    # The positions of the order are those of the quote; the seller enters the price.
    positions = [dict(item) for item in shown["lineItems"]]
    assert [item["title"] for item in positions] == ["Work: Basic", "Colour: Gold"]
    proposal = {**terms(shown["package"]), "lineItems": positions}
    first = await offer(shop, {"order": order["name"]}, proposal)
    await in_state(ana, order["name"], "AWAITING_ANSWER")
    second = {"order": order["name"], "terms": proposal, "send": True}
    await refusal(shop.owner.post("offers", second), "OPEN_OFFER_EXISTS", 409)
    await ana.post(f"{first['name']}:decline", {"reason": "Too much."})
    unchanged = await in_state(shop.owner, order["name"], "PROCESSING")
    assert (unchanged["total"], unchanged["folder"], unchanged["unreadCount"]) == (
        shown["total"],
        "FOLDER_INBOX",
        1,
    )

    positions[0]["unitPrice"] = money_json(money("90.00 EUR"))
    again = await offer(shop, {"order": order["name"]}, {**proposal, "lineItems": positions})
    await in_state(ana, order["name"], "AWAITING_ANSWER")
    await accept(ana, again)
    approved = await in_state(ana, order["name"], "PROCESSING")
    assert approved["total"] == money_json(money("95.00 EUR"))
    assert approved["options"] == shown["options"]
    await shop.owner.post(f"{order['name']}:confirm")
    await paid(ana, order["name"])
