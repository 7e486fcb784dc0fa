"""What else the record of changes tells: subscriptions, refunds, and what the team writes for itself."""

from __future__ import annotations

import pytest

from chassis.testing.service import refused
from parley.orders.v1 import audit_pb2
from parley.orders.v1 import desk_methods_pb2 as desk
from parley.orders.v1.payment_methods_pb2 import RefundPaymentRequest
from parley.orders.v1.refund_pb2 import Refund
from tests.component.orders.market import ACME, AGENT, ANA, MINUTES, ONLINE, RIVAL, STRANGER, Market, euro
from tests.component.orders.subscribers import cancel, subscribe
from tests.component.orders.test_audit import changes, concealed, entries

Cause = audit_pb2.AuditCause


@pytest.mark.covers("X24")
async def test_a_subscription_has_a_record_of_its_own(market: Market) -> None:
    name = (await subscribe(market)).name
    market.service.clock.advance(MINUTES)
    ended = await cancel(market, name, who=ACME)
    found = await entries(market, name)
    assert (found[0].resource, found[0].name.split("/auditEntries/")[0]) == (name, name)
    assert changes(found[0])["price"] == (None, "30.00 EUR")
    last = found[-1]
    assert (last.cause.action, last.cause.principal) == ("CancelSubscription", ACME.subject)
    assert changes(last)["end_reason"] == (None, "CANCELLED")
    assert changes(last)["ended_at"][1] == ended.update_time.ToJsonString()
    paid = [one for one in found if changes(one).get("state") == ("SUBMITTING", "CAPTURED")]
    assert [one.resource.startswith(f"{name}/payments/") for one in paid] == [True]
    assert all(one.resource.startswith("subscriptions/") for one in found)

    seen = await entries(market, name, ANA)
    assert seen[-1].cause == Cause(
        kind=Cause.KIND_CALL, party=Cause.PARTY_SELLER, action="CancelSubscription"
    )
    for who in (STRANGER, RIVAL):
        assert (await refused(entries(market, name, who))).reason == "NOT_FOUND"
    plain = (await market.place()).name.replace("orders/", "subscriptions/")
    assert (await refused(entries(market, plain, ANA))).reason == "NOT_FOUND"


async def test_labels_notes_and_refunds_are_recorded_for_whom_they_concern(market: Market) -> None:
    name = (await market.place(payment_method=ONLINE, payment_token="sandbox_success")).name
    await market.service.settle()
    await market.stub(AGENT).SetLabels(desk.SetLabelsRequest(name=name, labels=["rush"]))
    await market.stub(AGENT).CreateNote(desk.CreateNoteRequest(parent=name, text="Hidden thought"))
    payment = (await market.payment(name)).name
    refund = RefundPaymentRequest(
        name=payment, amount=euro(30), reason=Refund.REASON_GOODWILL, text="Because we like you"
    )
    await market.stub(ACME).RefundPayment(refund)
    await market.service.settle()

    team = await entries(market, name)
    by_action = {one.cause.action: one for one in team}
    assert changes(by_action["SetLabels"]) == {"labels": (None, "rush")}
    assert by_action["CreateNote"].resource.startswith(f"{name}/notes/")
    assert changes(by_action["CreateNote"]) == {"author": (None, AGENT.subject)}
    assert any(changes(one).get("refunded") == (None, "30.00 EUR") for one in team)
    everything = str(await market.rows("SELECT * FROM audit_entry"))
    assert not any(text in everything for text in ("Hidden thought", "Because we like you"))

    seen = await entries(market, name, ANA)
    assert not {"SetLabels", "CreateNote"} & {one.cause.action for one in seen}
    assert "rush" not in str(seen)
    assert any(changes(one).get("refunded") == (None, "30.00 EUR") for one in seen)
    refunds = {one.operation: one for one in seen if one.resource == f"{payment}/refunds/1"}
    assert changes(refunds[audit_pb2.AuditEntry.OPERATION_CREATED])["amount"] == (None, "30.00 EUR")
    assert not any(concealed(one) for one in refunds.values())
