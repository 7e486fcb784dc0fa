"""Over HTTP: comparing revisions, asking for a new quote, templates, approval, retirement and publication."""

from __future__ import annotations

import pytest

from stack.demo.api import Api, Json, Party
from stack.demo.marketplace import money, money_json
from tests.e2e.shop import Shop, accept, in_state, offered, refusal, request, terms

SOON_SECONDS = 1.0


async def move(party: Party, found: Json, verb: str, **body: object) -> Json:
    moved: Json = (await party.post(f"{found['name']}:{verb}", body))["offer"]
    return moved


@pytest.mark.covers("X03", "X11")
async def test_revisions_are_compared_and_an_expired_offer_is_asked_for_again(
    api: Api, gated: Shop, ana: Party
) -> None:
    first = await offered(gated, ana)
    cheaper = terms(gated.basic, "110.00 EUR", expire_seconds=SOON_SECONDS)
    found = await move(gated.owner, first, "revise", terms=cheaper)
    compared = (await ana.get(f"{found['name']}:compareRevisions"))["difference"]
    assert compared["totalChange"] == money_json(money("-10.00 EUR"))
    assert {"line_items", "expire_time"} <= set(compared["changedFields"])
    await refusal(api.buyer("eve").get(f"{found['name']}:compareRevisions"), "NOT_FOUND", 404)

    await in_state(ana, found["name"], "EXPIRED", key="offer")
    asked = await move(ana, found, "requestNewQuote", text="Is this still possible?")
    assert (asked["state"], asked["newQuote"]["revision"]) == ("STATE_EXPIRED", 2)
    assert (await move(gated.owner, found, "revive"))["state"] == "STATE_OPEN"


@pytest.mark.covers("X16", "X18")
async def test_an_agent_offers_by_template_and_needs_approval_above_the_limit(
    api: Api, gated: Shop, ana: Party
) -> None:
    agent = api.seller(gated.id, role="agent")
    settings = {"approvalLimits": [money_json(money("150.00 EUR"))], "timeZone": "Europe/Berlin"}
    await gated.owner.patch(f"{gated.name}/offerSettings", settings, updateMask="*")
    read = (await agent.get(f"{gated.name}/offerSettings"))["offerSettings"]
    assert read["approvalLimits"] == settings["approvalLimits"]
    body: Json = {"title": "Standard", "terms": terms(gated.basic, "200.00 EUR"), "validDays": 14}
    template = (await agent.post(f"{gated.name}/offerTemplates", body))["offerTemplate"]
    free = {**body, "terms": terms(gated.basic, "0.00 EUR")}
    wrong = await refusal(agent.post(f"{gated.name}/offerTemplates", free), "AMOUNT_INVALID", 400)
    assert "offer_template.terms.line_items" in str(wrong)
    changed = await agent.patch(template["name"], {"validDays": 7}, updateMask="validDays")
    assert changed["offerTemplate"]["validDays"] == 7
    listed = (await agent.get(f"{gated.name}/offerTemplates"))["offerTemplates"]
    assert [one["name"] for one in listed] == [template["name"]]

    asked = await request(ana, gated.basic)
    origin = {"orderRequest": asked["name"], "template": template["name"]}
    await refusal(agent.post("offers", {**origin, "send": True}), "APPROVAL_REQUIRED", 400)
    draft = (await agent.post("offers", origin))["offer"]
    assert (await move(agent, draft, "submitForReview", text="A good buyer."))["state"] == "STATE_IN_REVIEW"
    await refusal(agent.post(f"{draft['name']}:approve"), "PERMISSION_DENIED", 403)
    assert (await move(gated.owner, draft, "approve"))["state"] == "STATE_DRAFT"
    sent = await move(agent, draft, "send")
    assert sent["state"] == "STATE_OPEN"

    stale = {"etag": template["etag"]}
    await refusal(agent.call("DELETE", template["name"], query=stale), "ETAG_MISMATCH", 409)
    await refusal(ana.call("DELETE", template["name"]), "NOT_FOUND", 404)
    await agent.call("DELETE", template["name"], query={"etag": changed["offerTemplate"]["etag"]})
    await refusal(agent.get(template["name"]), "NOT_FOUND", 404)
    assert (await agent.get(f"{gated.name}/offerTemplates"))["offerTemplates"] == []
    kept = (await ana.get(draft["name"]))["offer"]
    assert kept["currentRevision"]["terms"] == sent["currentRevision"]["terms"]


@pytest.mark.covers("G40")
async def test_a_retired_listing_is_not_sold_any_more_but_its_open_offer_is(gated: Shop, ana: Party) -> None:
    found = await offered(gated, ana)
    retired = (await gated.owner.post(f"{gated.listing}:retire"))["listing"]
    assert retired["state"] == "STATE_RETIRED"
    assert retired["allowedActions"] == []
    assert await accept(ana, found)
