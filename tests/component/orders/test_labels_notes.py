"""Labels and notes: for the seller's team, and for nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.kernel.refusal import Kind
from chassis.testing.service import Identity, operator, refused, service
from parley.offers.v1 import events_pb2 as offers_events
from parley.orders.v1 import audit_pb2, order_pb2
from parley.orders.v1 import desk_methods_pb2 as desk
from parley.orders.v1 import orders_service_pb2 as pb
from services.orders.domain import note as notes
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    MINUTES,
    QUOTED,
    REVIEWED,
    RIVAL,
    STRANGER,
    Market,
    Order,
    fresh_id,
    quote,
)
from tests.unit.orders.purchases import NOW, SELLER

SECRET = "quietly-red"


async def label(market: Market, name: str, *texts: str, who: Identity = ACME, **more: Any) -> Any:
    request = desk.SetLabelsRequest(name=name, labels=texts, **more)
    return (await market.stub(who).SetLabels(request)).order


async def note(market: Market, name: str, text: str, who: Identity = ACME, **more: Any) -> Any:
    return (await market.stub(who).CreateNote(desk.CreateNoteRequest(parent=name, text=text, **more))).note


async def noted(market: Market, name: str, who: Identity = ACME) -> list[str]:
    found: list[str] = []
    request = desk.ListNotesRequest(parent=name, page_size=2)
    while True:
        page = await market.stub(who).ListNotes(request)
        found += [one.text for one in page.notes]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


async def listed(market: Market, who: Identity = ACME, **fields: Any) -> list[str]:
    found: list[str] = []
    request = pb.ListOrdersRequest(**{"seller": SELLER, "page_size": 1, **fields})
    while True:
        page = await market.stub(who).ListOrders(request)
        found += [order.name for order in page.orders]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


@pytest.mark.covers("B06")
async def test_the_team_labels_an_order_and_nothing_else_changes(market: Market) -> None:
    placed = await market.place(package=REVIEWED)
    before = await market.get(placed.name)
    assert (list(before.labels), list(before.system_labels)) == ([], [])
    market.service.clock.advance(MINUTES)
    labelled = await label(market, placed.name, "Rush", " gift  wrap ", "RUSH", who=AGENT)
    assert list(labelled.labels) == ["gift wrap", "rush"]
    assert labelled.labels_etag != before.labels_etag
    assert await market.get(placed.name) == labelled
    for field in ("labels", "labels_etag"):
        labelled.ClearField(field)
        before.ClearField(field)
    # Folder, unread, etag and update time included: labels neither start the processing nor count as a look.
    assert labelled == before
    assert await market.events(placed.name) == ["OrderPlaced"]
    assert (await label(market, placed.name)).labels == []
    assert await market.rows("SELECT * FROM order_label") == []


async def test_labels_stay_through_every_move_and_in_every_state(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    await label(market, order.name, "gift")
    confirmed = (await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=order.name))).order
    assert list(confirmed.labels) == ["gift"]
    reason = order_pb2.Order.DECLINE_REASON_PRICE
    gone = await market.place(package=REVIEWED)
    await market.stub(ACME).DeclineOrder(pb.DeclineOrderRequest(name=gone.name, reason=reason))
    assert list((await label(market, gone.name, "never again")).labels) == ["never again"]


@pytest.mark.covers("B27")
async def test_an_order_that_awaits_an_answer_says_so_by_its_label(market: Market) -> None:
    order = await market.place(package=QUOTED)
    sent = quote(offers_events.OfferSent, order.name, f"offers/{fresh_id()}", state="OPEN", version=1)
    await market.publish_and_settle(sent, version=1)
    assert list((await market.get(order.name)).system_labels) == [Order.SYSTEM_LABEL_AWAITING_ANSWER]
    assert list((await market.get(order.name, ANA)).system_labels) == []


async def test_who_saw_other_labels_does_not_overwrite_them(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    seen = (await market.get(order.name)).labels_etag
    both = await asyncio.gather(
        *(label(market, order.name, text, labels_etag=seen) for text in ("one", "two")),
        return_exceptions=True,
    )
    (lost,) = [one for one in both if isinstance(one, BaseException)]
    (won,) = [one for one in both if not isinstance(one, BaseException)]
    refusal = await refused(_raise(lost))
    assert (refusal.kind, refusal.reason) == (Kind.STALE, "ETAG_MISMATCH")
    assert await market.get(order.name) == won
    again = await label(market, order.name, "three", labels_etag=won.labels_etag, request_id="once")
    await label(market, order.name, "four")
    assert await label(market, order.name, "three", labels_etag=won.labels_etag, request_id="once") == again
    assert list((await market.get(order.name)).labels) == ["four"]


async def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.covers("B07")
async def test_the_team_writes_notes_that_only_it_reads(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    before = await market.get(order.name)
    for number, who in enumerate((ACME, AGENT, ACME)):
        market.service.clock.advance(MINUTES)
        written = await note(market, order.name, f" Note {number} ", who, request_id=f"n{number}")
        assert await note(market, order.name, f" Note {number} ", who, request_id=f"n{number}") == written
        assert written.author == {ACME: "users/acme-owner", AGENT: "users/acme-agent"}[who]
        assert written.create_time.ToDatetime(NOW.tzinfo) == NOW + (number + 1) * MINUTES
        assert written.name.startswith(f"{order.name}/notes/")
    assert await noted(market, order.name, AGENT) == ["Note 0", "Note 1", "Note 2"]
    assert await market.get(order.name) == before
    assert await market.events(order.name) == ["OrderPlaced"]


async def test_orders_are_found_by_labels_and_notes(market: Market) -> None:
    names = []
    for _ in range(4):
        names.append((await market.place(package=REVIEWED)).name)
        market.service.clock.advance(MINUTES)
    first, second, third, fourth = names
    await label(market, first, "rush", "gift")
    await label(market, second, "rush")
    await label(market, fourth, "Rush", "blue")
    await note(market, first, "by the owner")
    market.service.clock.advance(MINUTES)
    await note(market, second, "by the agent", AGENT)
    await note(market, third, "by the owner")
    at = Timestamp()
    at.FromDatetime(market.service.clock.now())
    assert await listed(market, labels=["RUSH"]) == [fourth, second, first]
    assert await listed(market, labels=["gift", "rush"]) == [first]
    assert await listed(market, labels=["green"]) == []
    await market.stub(ACME).MarkProcessing(pb.MarkProcessingRequest(name=second))
    assert await listed(market, labels=["rush"], folder=Order.FOLDER_PROCESSING) == [second]
    assert await listed(market, labels=["rush"], folder=Order.FOLDER_INBOX) == [fourth, first]
    assert await listed(market, note_author="users/acme-owner") == [third, first]
    assert await listed(market, note_start_time=at) == [third, second]
    assert await listed(market, note_end_time=at) == [first]
    assert await listed(market, note_author="users/acme-owner", note_start_time=at) == [third]
    assert await listed(market, note_author="users/acme-owner", labels=["rush"]) == [first]
    assert await listed(market, labels=["rush"], states=[Order.STATE_PENDING, Order.STATE_PROCESSING]) == [
        fourth,
        second,
        first,
    ]


@pytest.mark.covers("B08")
async def test_nobody_outside_the_team_learns_of_labels_and_notes(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    await label(market, order.name, SECRET)
    await note(market, order.name, SECRET)
    for method, request in (
        ("SetLabels", desk.SetLabelsRequest(name=order.name, labels=["x"])),
        ("CreateNote", desk.CreateNoteRequest(parent=order.name, text="x")),
        ("ListNotes", desk.ListNotesRequest(parent=order.name)),
    ):
        for who in (STRANGER, RIVAL, operator(), service("messaging")):
            refusal = await refused(getattr(market.stub(who), method)(request))
            assert (refusal.kind, refusal.metadata) == (Kind.NOT_FOUND, {"resource": order.name})
        assert (await refused(getattr(market.stub(ANA), method)(request))).kind is Kind.DENIED
    for who in (ANA, operator(), service("messaging")):
        assert SECRET not in str(await market.get(order.name, who))
    for who in (ANA, operator()):
        filters = {"labels": [SECRET]}, {"note_author": "users/acme-owner"}
        for found in filters:
            asked = pb.ListOrdersRequest(seller="" if who is ANA else SELLER, **found)
            refusal = await refused(market.stub(who).ListOrders(asked))
            assert (refusal.kind, refusal.metadata["field"]) == (Kind.INVALID, "seller")
    audit = audit_pb2.ListAuditEntriesRequest(parent=order.name)
    assert [one.operation for one in (await market.stub(ANA).ListAuditEntries(audit)).audit_entries] == [
        audit_pb2.AuditEntry.OPERATION_CREATED
    ]
    await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=order.name))
    bodies = await market.rows("SELECT body FROM outbox")
    assert not any(SECRET.encode() in row["body"] for row in bodies)


async def test_there_are_only_so_many_notes(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "NOTES_LIMIT", 3)
    order = await market.place(package=REVIEWED)
    await note(market, order.name, "0")
    results = await asyncio.gather(
        *(note(market, order.name, str(number)) for number in range(1, 5)), return_exceptions=True
    )
    refusals = [await refused(_raise(one)) for one in results if isinstance(one, BaseException)]
    assert [one.reason for one in refusals] == ["TOO_MANY_NOTES"] * 2
    assert refusals[0].metadata == {"order": order.name, "limit": "3"}
    assert len(await noted(market, order.name)) == 3


async def test_what_is_no_label_or_note_changes_nothing(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    await label(market, order.name, "kept")
    for texts in (["  "], ["a" * 51], [""], [str(n) for n in range(21)], ["\u0007"]):
        refusal = await refused(label(market, order.name, *texts))
        assert refusal.kind is Kind.INVALID, texts
    for text in ("", " \n", "a" * 5_001):
        assert (await refused(note(market, order.name, text))).kind is Kind.INVALID
    missing = f"orders/{fresh_id()}"
    assert (await refused(label(market, missing, "x"))).kind is Kind.NOT_FOUND
    assert (await refused(note(market, missing, "x"))).kind is Kind.NOT_FOUND
    assert list((await market.get(order.name)).labels) == ["kept"]
    assert await noted(market, order.name) == []
