"""What each side has not read: told to this side only, and reset by it only."""

from __future__ import annotations

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import operator, refused, service
from parley.offers.v1 import events_pb2 as offers_events
from parley.orders.v1 import audit_pb2
from parley.orders.v1 import desk_methods_pb2 as desk
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import orders_service_pb2 as pb
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
from tests.unit.orders.purchases import SELLER


async def unread(market: Market, name: str) -> tuple[int, int]:
    """The team's and the buyer's; each is told to nobody else."""
    team, buyer = await market.get(name), await market.get(name, ANA)
    assert (team.buyer_unread_count, buyer.unread_count) == (0, 0)
    return team.unread_count, buyer.buyer_unread_count


async def test_each_side_reads_what_the_other_does(market: Market) -> None:
    name = (await market.place(package=REVIEWED)).name
    assert await unread(market, name) == (1, 0)
    await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=name))
    assert await unread(market, name) == (0, 1)
    await market.stub(ACME).StartOrder(work.StartOrderRequest(name=name))
    await market.stub(ACME).DeliverOrder(work.DeliverOrderRequest(name=name))
    assert await unread(market, name) == (0, 3)
    await market.stub(ANA).RequestChanges(work.RequestChangesRequest(name=name, text="Bigger"))
    assert await unread(market, name) == (1, 0)
    assert (await market.get(name)).folder == Order.FOLDER_CONFIRMED
    await market.stub(AGENT).DeliverOrder(work.DeliverOrderRequest(name=name))
    await market.stub(ANA).CompleteOrder(work.CompleteOrderRequest(name=name))
    assert await unread(market, name) == (1, 0)


@pytest.mark.covers("B31")
async def test_marking_it_read_is_each_sides_own_affair(market: Market) -> None:
    name = (await market.place(package=QUOTED)).name
    await market.stub(ACME).MarkProcessing(pb.MarkProcessingRequest(name=name))
    offer = f"offers/{fresh_id()}"
    sent = quote(offers_events.OfferSent, name, offer, state="OPEN", version=1)
    await market.publish_and_settle(sent, version=1)
    assert await unread(market, name) == (0, 1)
    expired = quote(offers_events.OfferExpired, name, offer, state="EXPIRED", version=2)
    await market.publish_and_settle(expired, version=2)
    assert await unread(market, name) == (1, 1)
    assert (await market.get(name)).folder == Order.FOLDER_INBOX
    events, before = await market.events(name), await market.get(name)
    market.service.clock.advance(MINUTES)
    request = desk.MarkOrderReadRequest(name=name)
    seen = (await market.stub(ANA).MarkOrderRead(request)).order
    assert (seen.buyer_unread_count, seen.unread_count, seen.folder) == (0, 0, 0)
    # The team is not told that the buyer looked: nothing that it can see has changed.
    assert await market.get(name) == before
    assert await unread(market, name) == (1, 0)
    looked = (await market.stub(AGENT).MarkOrderRead(request)).order
    assert (looked.unread_count, looked.folder) == (0, Order.FOLDER_PROCESSING)
    assert (looked.etag, looked.update_time) == (before.etag, before.update_time)
    assert await market.stub(ACME).MarkOrderRead(request) == await market.stub(AGENT).MarkOrderRead(request)
    assert await market.events(name) == events
    counts = await market.stub(ACME).GetFolderCounts(desk.GetFolderCountsRequest(seller=SELLER))
    assert [(one.order_count, one.unread_count) for one in counts.folders] == [
        (0, 0), (1, 0), (0, 0), (0, 0), (0, 0), (1, 0),
    ]  # fmt: skip
    record = await market.stub(ACME).ListAuditEntries(audit_pb2.ListAuditEntriesRequest(parent=name))
    fields = {change.field for entry in record.audit_entries for change in entry.changes}
    assert "unread" in fields
    assert "buyer_unread" not in fields


async def test_only_the_parties_mark_it_read(market: Market) -> None:
    name = (await market.place(package=REVIEWED)).name
    request = desk.MarkOrderReadRequest(name=name)
    for who in (STRANGER, RIVAL, operator(), service("messaging")):
        assert (await refused(market.stub(who).MarkOrderRead(request))).kind is Kind.NOT_FOUND
    assert await unread(market, name) == (1, 0)
    # In any state, and a pending order stays in the inbox: it still waits.
    looked = (await market.stub(ACME).MarkOrderRead(request)).order
    assert (looked.unread_count, looked.folder, looked.state) == (
        0,
        Order.FOLDER_INBOX,
        Order.STATE_PENDING,
    )
    missing = desk.MarkOrderReadRequest(name=f"orders/{fresh_id()}")
    assert (await refused(market.stub(ACME).MarkOrderRead(missing))).kind is Kind.NOT_FOUND


async def test_the_buyer_has_a_state_of_his_own(market: Market) -> None:
    name = (await market.place(package=REVIEWED)).name
    await market.stub(ACME).MarkProcessing(pb.MarkProcessingRequest(name=name))
    seen = await market.get(name, ANA)
    assert seen.buyer_state == Order.BUYER_STATE_WAITING
    assert (seen.folder, list(seen.labels), list(seen.system_labels)) == (0, [], [])
    await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=name))
    for who in (ANA, ACME):
        assert (await market.get(name, who)).buyer_state == Order.BUYER_STATE_CONFIRMED
