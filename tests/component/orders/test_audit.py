"""The record of changes: what is in it, who may see what, and that nobody can rewrite it."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from chassis.testing.service import Identity, operator, refused
from parley.orders.v1 import audit_pb2, fulfilment_pb2
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import orders_service_pb2 as pb
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    MINUTES,
    OFFLINE,
    ONLINE,
    QUOTED,
    REVIEWED,
    RIVAL,
    STRANGER,
    Market,
    accepted,
    fresh_id,
    message_sent,
)

Cancellation = fulfilment_pb2.Cancellation
Entry, Cause = audit_pb2.AuditEntry, audit_pb2.AuditCause


async def entries(market: Market, order: str, who: Identity = ACME, **paging: Any) -> list[Any]:
    request = audit_pb2.ListAuditEntriesRequest(parent=order, **paging)
    return list((await market.stub(who).ListAuditEntries(request)).audit_entries)


def changes(entry: Any) -> dict[str, tuple[str | None, str | None]]:
    return {
        one.field: (
            one.before if one.HasField("before") else None,
            one.after if one.HasField("after") else None,
        )
        for one in entry.changes
        if not one.concealed
    }


def concealed(entry: Any) -> list[str]:
    return [one.field for one in entry.changes if one.concealed]


@pytest.mark.covers("X24")
async def test_every_move_has_an_actor_a_cause_and_what_was_before_and_after(market: Market) -> None:
    key = "place-once"
    placed = await market.place(
        payment_method=ONLINE, payment_token="sandbox_decline_soft", request_id=key, requirements="Mine alone"
    )
    name, clock = placed.name, market.service.clock
    clock.advance(MINUTES)
    await market.service.settle()
    clock.advance(MINUTES)
    payment = await market.payment(name)
    retry = pb.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success")
    await market.stub(ANA).RetryPayment(retry)
    await market.service.settle()
    clock.advance(MINUTES)
    await market.stub(AGENT).StartOrder(work.StartOrderRequest(name=name))
    await market.stub(AGENT).DeliverOrder(work.DeliverOrderRequest(name=name, text="Here it is"))
    await market.service.advance(4_320 * MINUTES)

    found = await entries(market, name)
    placing = found[0]
    assert (placing.resource, placing.operation, placing.version) == (name, Entry.OPERATION_CREATED, 1)
    assert changes(placing)["state"] == (None, "CONFIRMED")
    assert changes(placing)["total"] == (None, "100.00 EUR")
    assert changes(placing)["delivery_due_time"] == (None, "2026-06-08T12:00:00Z")
    assert placing.create_time == placed.create_time
    cause = placing.cause
    assert (cause.kind, cause.party, cause.action) == (Cause.KIND_CALL, Cause.PARTY_BUYER, "PlaceOrder")
    # Whose request id it was is told to its own side.
    assert (cause.principal, cause.request_id) == ("users/ana", "")
    assert_told(found, name, payment.name)
    everything = str(await market.rows("SELECT * FROM audit_entry"))
    assert not any(text in everything for text in ("Here it is", "Mine alone", "sandbox_success"))


def assert_told(found: list[Any], order: str, payment: str) -> None:
    told = [
        (one.cause.action, one.resource.removeprefix(order), {f: c for f, c in changes(one).items() if c[0]})
        for one in found[1:]
    ]
    paid = payment.removeprefix(order)
    declined = {"payment_state": ("PENDING", "FAILED"), "unread": ("1", "2")}
    assert ("payment.charge", paid, {"state": ("CREATED", "SUBMITTING")}) in told
    assert ("payment.charge", paid, {"state": ("SUBMITTING", "DECLINED")}) in told
    assert ("payment.charge", "", declined) in told
    assert ("RetryPayment", "", {"payment_state": ("FAILED", "PENDING")}) in told
    assert ("StartOrder", "", {"state": ("CONFIRMED", "IN_PROGRESS"), "unread": ("2", "0")}) in told
    assert told[-1][:2] == ("order.accept", "")
    assert found[-1].cause.kind == Cause.KIND_TIMER
    assert found[-1].cause.party == Cause.PARTY_SYSTEM
    assert changes(found[-1])["state"] == ("DELIVERED", "COMPLETED")
    delivered = next(one for one in found if one.cause.action == "DeliverOrder")
    assert (delivered.cause.principal, delivered.cause.party) == (AGENT.subject, Cause.PARTY_SELLER)
    assert concealed(delivered) == ["deliveries"]
    assert len(delivered.cause.trace_id) == 32


async def test_the_buyer_sees_his_own_and_what_concerns_him(market: Market) -> None:
    name = (await market.place(package=REVIEWED, request_id="it's-mine")).name
    await market.stub(AGENT).MarkProcessing(pb.MarkProcessingRequest(name=name, request_id="it's-theirs"))
    # A change inside the team alone.
    await market.rows("UPDATE orders SET unread = 7 RETURNING id")
    await market.stub(AGENT).ConfirmOrder(pb.ConfirmOrderRequest(name=name))

    placing, processing, confirming = await entries(market, name, ANA)
    assert (placing.cause.principal, placing.cause.request_id) == ("users/ana", "it's-mine")
    for one in (processing, confirming):
        assert one.cause == Cause(kind=Cause.KIND_CALL, party=Cause.PARTY_SELLER, action=one.cause.action), (
            "the buyer learns the side, and nobody of the team"
        )
    assert changes(processing) == {"state": ("PENDING", "PROCESSING")}
    assert not any("unread" in changes(one) for one in (placing, processing, confirming))

    team = await entries(market, name, ACME)
    by_hand = next(one for one in team if changes(one) == {"unread": ("0", "7")})
    assert by_hand.cause == Cause()
    assert changes(team[0])["unread"] == (None, "1")
    seen = next(one for one in team if one.cause.action == "MarkProcessing")
    assert (seen.cause.principal, seen.cause.request_id) == (AGENT.subject, "it's-theirs")
    assert [one.name for one in await entries(market, name, operator())] == [one.name for one in team]
    for who in (STRANGER, RIVAL):
        assert (await refused(entries(market, name, who))).reason == "NOT_FOUND"


async def test_the_operator_is_named_to_himself_only(market: Market) -> None:
    name = (await market.place()).name
    await market.stub(operator()).CancelOrder(
        work.CancelOrderRequest(name=name, reason=Cancellation.REASON_POLICY, text="Fraud")
    )
    for who, principal in ((ANA, ""), (ACME, ""), (operator(), "users/operator")):
        last = (await entries(market, name, who))[-1]
        assert (last.cause.party, last.cause.principal) == (Cause.PARTY_OPERATOR, principal)
        assert changes(last)["cancelled_by"] == (None, "OPERATOR")


async def test_events_of_other_services_are_causes_too(market: Market) -> None:
    offer = f"offers/{fresh_id()}"
    await market.publish_and_settle(accepted(offer), version=5)
    name = f"orders/{offer.removeprefix('offers/')}"
    (made,) = await entries(market, name)
    assert (made.cause.kind, made.cause.party) == (Cause.KIND_EVENT, Cause.PARTY_SYSTEM)
    assert made.cause.action == "parley.offers.v1.OfferAccepted"
    assert made.cause.event_id
    assert (await entries(market, name, ANA))[0].cause.event_id == ""
    waiting = (await market.place(package=REVIEWED)).name
    await market.publish_and_settle(message_sent(waiting), version=1)
    assert (await entries(market, waiting))[-1].cause.action == "parley.messaging.v1.MessageSent"


async def test_pages_follow_each_other(market: Market) -> None:
    name = (await market.place(payment_method=ONLINE, payment_token="sandbox_success")).name
    await market.service.settle()
    whole = [one.name for one in await entries(market, name)]
    assert len(whole) > 5
    paged, token = [], ""
    while True:
        request = audit_pb2.ListAuditEntriesRequest(parent=name, page_size=2, page_token=token)
        answer = await market.stub(ACME).ListAuditEntries(request)
        paged += [one.name for one in answer.audit_entries]
        token = answer.next_page_token
        if not token:
            break
    assert paged == whole


async def test_what_changes_nothing_or_fails_leaves_no_entry(market: Market) -> None:
    name = (await market.place(package=QUOTED)).name
    before = len(await entries(market, name))
    await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=name))
    once = len(await entries(market, name))
    assert once > before
    await refused(market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=name)))
    change = pb.ChangePaymentMethodRequest(name=name, payment_method=OFFLINE)
    await refused(market.stub(ACME).ChangePaymentMethod(change))
    assert len(await entries(market, name)) == once


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET cause = '{}'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
    ],
)
async def test_the_record_cannot_be_rewritten(market: Market, statement: str) -> None:
    name = (await market.place()).name
    with pytest.raises(asyncpg.PostgresError, match="never changed or removed"):
        await market.rows(statement)
    assert len(await entries(market, name)) == 1
