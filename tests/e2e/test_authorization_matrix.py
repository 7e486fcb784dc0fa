"""A stranger's token opens nothing: every RPC of the contract against callers who are no party."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor import MethodDescriptor

from stack.demo.api import Api, Party, Refused
from tests.e2e.calling import http_call, methods
from tests.e2e.matrix import MATRIX
from tests.e2e.rows import OK, Foreign
from tests.e2e.shop import PLAN, accept, fresh, listing_body, offer, open_shop, paid, request, seen, terms
from tests.e2e.target import Target

METHODS = {method.full_name: method for method in methods()}


def test_every_method_has_a_row() -> None:
    assert set(MATRIX) == set(METHODS)


@pytest.fixture(scope="module")
def foreign(stack: Target) -> Foreign:
    """What belongs to a buyer and a seller who are not the callers; made once."""

    async def make() -> Foreign:
        async with Api(stack.url, stack.token) as api:
            return await _foreign(api)

    return asyncio.run(make())


async def _foreign(api: Api) -> Foreign:
    shop, buyer = await open_shop(api), api.buyer(fresh("owner"))
    await shop.owner.post(
        f"{shop.name}/listings", {**listing_body("INSTANT"), "published": False}, listingId="secret"
    )
    gated = await shop.add_listing("gated", "INSTANT")
    package = f"{gated}/packages/basic"
    await shop.gate(scope={"packages": [package, f"{gated}/packages/plus"]})
    agreed = await request(buyer, package)
    found = await offer(shop, {"orderRequest": agreed["name"]}, {**terms(package), "plan": PLAN})
    order = await paid(buyer, (await accept(buyer, found))["order"])
    pending = await request(buyer, package)
    opened = await offer(shop, {"orderRequest": pending["name"]}, terms(package))
    conversation = pending["conversation"]
    await seen(lambda: buyer.get(conversation), "the conversation exists")
    message = (await buyer.post(f"{conversation}/messages", {"text": "Hello."}))["message"]
    (payment,) = (await buyer.get(f"{order['name']}/payments"))["payments"]
    return Foreign(
        seller=shop.name,
        listing=shop.listing,
        unpublished=f"{shop.name}/listings/secret",
        package=shop.basic,
        gated_package=package,
        request=pending["name"],
        offer=opened["name"],
        order=order["name"],
        payment=payment["name"],
        subscription=order["subscription"],
        conversation=conversation,
        message=message["name"],
    )


async def reason(party: Party, method: MethodDescriptor, foreign: Foreign) -> str:
    """The reason of the refusal, or OK."""
    call = http_call(method, MATRIX[method.full_name].request(foreign))
    try:
        await party.call(call.method, call.path, body=call.body, query=call.query, headers=call.headers)
    except Refused as refused:
        tells_more = refused.reason == "NOT_FOUND" and set(refused.metadata) != {"resource"}
        return f"{refused.reason} {refused.metadata}" if tells_more else refused.reason
    return OK


@pytest.mark.parametrize("name", METHODS)
async def test_strangers_get_what_the_matrix_says(api: Api, foreign: Foreign, name: str) -> None:
    row, method = MATRIX[name], METHODS[name]
    buyer, seller = api.buyer(fresh("stranger")), api.seller(fresh("stranger"))
    assert {
        "buyer": await reason(buyer, method, foreign),
        "seller": await reason(seller, method, foreign),
        "anonymous": await reason(api.anonymous(), method, foreign),
    } == {"buyer": row.buyer, "seller": row.seller, "anonymous": row.anonymous}


async def test_nothing_was_changed_by_strangers(api: Api, foreign: Foreign) -> None:
    """The refusals above left everything as it was."""
    owner = api.seller(foreign.seller.removeprefix("sellers/"))
    assert (await owner.get(foreign.offer))["offer"]["etag"] == "v1"
    assert (await owner.get(foreign.listing))["listing"]["etag"] == "v1"
    entries = (await owner.get(f"{foreign.conversation}/timeline"))["entries"]
    assert [entry["message"]["text"] for entry in entries if "message" in entry] == ["Hello."]


async def test_a_foreign_and_a_missing_resource_look_the_same(api: Api, foreign: Foreign) -> None:
    stranger = api.buyer(fresh("stranger"))
    missing = "01900000-0000-7000-8000-000000000000"
    for name in (foreign.request, foreign.offer, foreign.order, foreign.conversation):
        documents = []
        for each in (name, f"{name.split('/')[0]}/{missing}"):
            with pytest.raises(Refused) as caught:
                await stranger.get(each)
            document = caught.value.document
            kept = {key: document[key] for key in document if key not in ("traceId", "instance")}
            documents.append(str(kept).replace(each, "it"))
        assert documents[0] == documents[1]


async def test_unpublished_listings_are_in_no_strangers_list(api: Api, foreign: Foreign) -> None:
    for party in (api.anonymous(), api.buyer(fresh("stranger")), api.seller(fresh("stranger"))):
        listings = (await party.get(f"{foreign.seller}/listings"))["listings"]
        assert foreign.unpublished not in {listing["name"] for listing in listings}
