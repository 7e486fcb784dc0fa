"""What the parties say to each other, and what happened beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from stack.demo.api import Api, Json, Party
from tests.component.messaging import documents
from tests.e2e.shop import FACT_SECONDS, Shop, accept, offer, paid, refusal, request, seen, terms


async def timeline(party: Party, conversation: str, **query: object) -> list[Json]:
    found: list[Json] = (await party.get(f"{conversation}/timeline", **query))["entries"]
    return found


def kinds(entries: list[Json]) -> list[str]:
    return [
        entry["event"]["type"].removeprefix("TYPE_") if "event" in entry else entry["message"]["text"]
        for entry in entries
    ]


async def complete(party: Party, conversation: str, *events: str) -> list[Json]:
    """The timeline once it shows events. Those of different services come in any order."""

    async def shown() -> list[Json] | None:
        entries = await timeline(party, conversation)
        return entries if set(events) <= set(kinds(entries)) else None

    return await seen(shown, f"{conversation} shows {', '.join(events)}")


async def begun(buyer: Party, shop: Shop) -> str:
    """The conversation of a fresh request."""
    name = str((await request(buyer, shop.basic))["conversation"])
    await complete(buyer, name, "REQUEST_SUBMITTED")
    return name


@pytest.mark.covers("V24")
async def test_one_timeline_holds_messages_and_events(gated: Shop, ana: Party) -> None:
    name = await begun(ana, gated)
    await ana.post(f"{name}/messages", {"text": "Is May possible?"})
    found = await _offer_for(gated, ana, name)
    await accept(ana, found)
    entries = await complete(gated.owner, name, "REQUEST_CONVERTED", "OFFER_OPENED", "OFFER_ACCEPTED")
    assert kinds(entries)[:3] == ["REQUEST_SUBMITTED", "Is May possible?", "OFFER_SENT"]
    sent = entries[2]["event"]
    assert (sent["side"], sent["revision"], sent["resource"]) == ("SIDE_SELLER", 1, found["name"])
    assert await timeline(ana, name) == entries
    newest_first = await timeline(ana, name, orderBy="TIMELINE_ORDER_NEWEST_FIRST")
    assert newest_first == entries[::-1]


async def _offer_for(shop: Shop, buyer: Party, conversation: str) -> Json:
    asked = f"orderRequests/{conversation.rsplit('/', 1)[-1]}"
    found = await offer(shop, {"orderRequest": asked}, terms(shop.basic))
    await buyer.post(f"{found['name']}:open")
    return found


@pytest.mark.covers("V24")
async def test_pages_of_a_timeline_neither_repeat_nor_skip(gated: Shop, ana: Party) -> None:
    name = await begun(ana, gated)
    for number in range(5):
        await ana.post(f"{name}/messages", {"text": f"{number}"})
    pages: list[Json] = []
    token = ""
    while True:
        page = await gated.owner.get(
            f"{name}/timeline", pageSize=2, **({"pageToken": token} if token else {})
        )
        pages += page["entries"]
        token = page["nextPageToken"]
        if not token:
            break
    assert pages == await timeline(ana, name)
    await refusal(ana.get(f"{name}/timeline", pageToken="nonsense"), "PAGE_TOKEN_INVALID", 400)


@pytest.mark.covers("V05")
async def test_the_seller_sees_when_the_buyer_read_a_message(gated: Shop, ana: Party) -> None:
    name = await begun(ana, gated)
    message = (await gated.owner.post(f"{name}/messages", {"text": "May it be June?"}))["message"]
    # Looking at the list is not reading; only the interface says so.
    await timeline(ana, name)
    unread = (await ana.get(name))["conversation"]
    assert (unread["unreadCount"], unread["readReceipts"]) == (1, [])

    await ana.post(f"{name}:markRead", {"message": message["name"]})
    (receipt,) = (await gated.owner.get(name))["conversation"]["readReceipts"]
    assert (receipt["user"], receipt["message"]) == (f"users/{ana.name}", message["name"])
    shown = (await timeline(gated.owner, name))[-2]["message"]
    assert shown["readTime"] == receipt["readTime"]
    again = (await ana.post(f"{name}:markRead", {"message": message["name"]}))["conversation"]
    assert (again["unreadCount"], again["readReceipts"]) == (0, [receipt])


async def test_internal_notes_never_reach_the_buyer(gated: Shop, ana: Party) -> None:
    name = await begun(ana, gated)
    note = {"text": "She seems nice.", "kind": "KIND_INTERNAL_NOTE"}
    await gated.owner.post(f"{name}/messages", note)
    assert "She seems nice." in kinds(await timeline(gated.owner, name))
    assert "She seems nice." not in kinds(await timeline(ana, name))
    assert (await ana.get(name))["conversation"]["unreadCount"] == 0
    await refusal(ana.post(f"{name}/messages", note), "INTERNAL_NOTE_FORBIDDEN", 403)
    await refusal(ana.post(f"{name}/messages", {"text": "  "}), "EMPTY_BODY", 400)


async def test_an_inquiry_comes_before_any_request(shop: Shop, ana: Party) -> None:
    body = {"seller": shop.name, "title": "A question", "text": "Do you work in Porto?"}
    found = (await ana.post("inquiries", body))["conversation"]
    (listed,) = (await shop.owner.get("conversations", seller=shop.name, unreadOnly="true"))["conversations"]
    assert listed["name"] == found["name"]
    answer = (await shop.owner.post(f"{found['name']}/messages", {"text": "We do."}))["message"]
    assert kinds(await timeline(ana, found["name"]))[-1] == answer["text"]


async def test_watching_streams_what_happens_and_resumes(gated: Shop, ana: Party, api: Api) -> None:
    name = await begun(ana, gated)
    first = (await timeline(ana, name))[-1]["name"]
    async with asyncio.timeout(FACT_SECONDS), _watched(api, ana, name, after=first) as events:
        await gated.owner.post(f"{name}/messages", {"text": "one"})
        assert (await anext(events))["message"]["text"] == "one"
        found = await _offer_for(gated, ana, name)
        assert (await anext(events))["event"]["type"] == "TYPE_OFFER_SENT"
        assert (await anext(events))["event"]["type"] == "TYPE_OFFER_OPENED"
        await paid(ana, (await accept(ana, found))["order"])
    # A reader who comes back names the last entry he saw and gets everything since.
    async with asyncio.timeout(FACT_SECONDS), _watched(api, ana, name, after=first) as events:
        assert (await anext(events))["message"]["text"] == "one"


async def test_strangers_cannot_watch(gated: Shop, ana: Party, api: Api) -> None:
    name = await begun(ana, gated)
    await refusal(api.buyer(f"{ana.name}-2").get(f"{name}:watch"), "NOT_FOUND", 404)


@asynccontextmanager
async def _watched(api: Api, party: Party, name: str, *, after: str) -> AsyncIterator[AsyncIterator[Json]]:
    """The entries of a conversation as they come."""
    headers = {"authorization": f"Bearer {party.token}", "last-event-id": after}
    async with api.http.stream("GET", f"/v1/{name}:watch", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _entries(response)


async def _entries(response: httpx.Response) -> AsyncIterator[Json]:
    identity = ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            identity = value
        elif field == "data":
            entry = json.loads(value)
            assert entry["entry"]["name"] == identity
            yield entry["entry"]


@pytest.mark.covers("V14", "V15", "V39")
async def test_a_document_goes_over_http_as_it_is(gated: Shop, ana: Party, api: Api) -> None:
    name = await begun(ana, gated)
    content = documents.of_size(3_000_000)

    async def post(data: bytes, **query: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {gated.owner.token}", "content-type": "application/pdf"}
        return await api.http.post(f"/v1/{name}/attachments", params=query, content=data, headers=headers)

    answer = await post(content, kind="KIND_OFFER", filename="Angebot Öl.pdf")
    held = answer.json()["attachment"]
    assert (held["kind"], held["filename"], held["sizeBytes"]) == (
        "KIND_OFFER",
        "Angebot Öl.pdf",
        str(len(content)),
    )
    await gated.owner.post(f"{name}/messages", {"text": "", "attachments": [held["name"]]})
    entries = await timeline(ana, name)
    assert entries[-1]["message"]["attachments"][0]["name"] == held["name"]

    path, headers = f"/v1/{held['name']}:download", {"authorization": f"Bearer {ana.token}"}
    got = await api.http.get(path, headers=headers)
    assert (got.status_code, got.content == content) == (200, True)
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["content-disposition"].startswith("attachment; filename=")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert (await api.http.get(path)).status_code == 401
    await complete(gated.owner, name, "ATTACHMENT_DOWNLOADED")

    for data, filename, reason in (
        (documents.of_size(documents.LIMIT_BYTES) + b"\n", "a.pdf", "ATTACHMENT_TOO_LARGE"),
        (b"x" * 20_000_000, "a.pdf", "ATTACHMENT_NOT_PDF"),
        (b"Hello", "a.pdf", "ATTACHMENT_NOT_PDF"),
        (documents.pdf(), "a.exe", "ATTACHMENT_NOT_PDF"),
    ):
        refused = await post(data, filename=filename)
        assert (refused.status_code, refused.json()["reason"]) == (400, reason)
