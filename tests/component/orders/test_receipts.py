"""Receipts through the running service: for the buyer and the seller's team, and nobody else."""

from __future__ import annotations

from typing import Any

from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind
from chassis.testing.service import Identity, operator, refused
from parley.orders.v1 import payment_methods_pb2 as money
from parley.orders.v1 import payment_pb2, refund_pb2
from parley.orders.v1 import receipt_pb2 as pb
from parley.type.v1.download_pb2 import Download
from services.orders.domain.commerce import Interval, Plan
from tests.component.orders.market import ACME, AGENT, ANA, RIVAL, STRANGER, Market, euro
from tests.component.orders.subscribers import payments, subscribe
from tests.component.orders.test_refunds import paid, refund


async def receipt(market: Market, payment: str, who: Identity = ANA) -> Any:
    request = pb.GetReceiptRequest(name=f"{payment}/receipt")
    return (await market.stub(who).GetReceipt(request)).receipt


async def document(market: Market, payment: str, who: Identity = ANA) -> Any:
    return await market.stub(who).DownloadReceipt(pb.DownloadReceiptRequest(name=f"{payment}/receipt"))


async def test_both_sides_read_what_was_paid_and_what_came_back(market: Market) -> None:
    order, payment = await paid(market)
    first = await receipt(market, payment.name)
    assert (first.total, first.net_total, first.refunded_total.units) == (euro(100), euro(100), 0)
    assert (first.order, first.buyer, first.seller) == (order, "users/ana", "sellers/acme")
    assert (first.purpose, first.provider) == (payment_pb2.Payment.PURPOSE_ORDER_TOTAL, "sandbox")
    assert [(item.quantity, item.unit_price) for item in first.line_items] == [(1, euro(100))]
    assert first.pay_time == payment.capture_time
    await refund(market, payment.name, 30)
    assert not (await receipt(market, payment.name)).refunds
    await market.service.settle()
    for who in (ANA, ACME, AGENT):
        later = await receipt(market, payment.name, who)
        assert (later.number, later.net_total, later.refunded_total) == (first.number, euro(70), euro(30))
        assert [(one.amount, one.reason) for one in later.refunds] == [
            (euro(30), refund_pb2.Refund.REASON_NOT_AS_AGREED)
        ]
        page = await document(market, payment.name, who)
        assert page.content_type == "text/html; charset=utf-8"
        assert b"70.00 EUR" in page.data
        # Why it went back is between the parties, in their own words: it is not printed.
        assert b"Scratched" not in page.data
        named = Download()
        assert page.extensions[0].Unpack(named)
        assert named.filename == f"receipt-{first.number}.html"
    for read in (receipt, document):
        for who in (RIVAL, STRANGER):
            assert (await refused(read(market, payment.name, who))).kind is Kind.NOT_FOUND
        assert (await refused(read(market, payment.name, operator()))).kind in (Kind.DENIED, Kind.NOT_FOUND)
        assert (await refused(read(market, f"{order}/payments/none"))).kind is Kind.NOT_FOUND
    declined = (await paid(market, "sandbox_decline_soft"))[1]
    for read in (receipt, document):
        refusal = await refused(read(market, declined.name))
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PAYMENT_NOT_RECEIVED")


async def test_a_receipt_of_what_the_seller_received_himself(market: Market) -> None:
    order = (await market.place()).name
    means = payment_pb2.Payment.MEANS_BANK_TRANSFER
    await market.stub(ACME).MarkPaid(money.MarkPaidRequest(name=order, means=means))
    payment = (await market.payment(order)).name
    found = await receipt(market, payment)
    assert (found.provider, found.means, found.total) == ("offline", means, euro(100))
    assert b"the seller (bank transfer)" in (await document(market, payment)).data
    await market.stub(ACME).UnmarkPaid(money.UnmarkPaidRequest(name=order))
    assert (await refused(receipt(market, payment))).reason == "PAYMENT_NOT_RECEIVED"


async def test_a_receipt_of_a_period(market: Market) -> None:
    name = (await subscribe(market, Plan(Money("KWD", 1_500), Interval.MONTH, 1))).name
    (payment,) = await payments(market, name)
    found = await receipt(market, payment.name)
    assert found.name == f"{payment.name}/receipt"
    assert (found.order, found.sequence) == (name.replace("subscriptions", "orders"), 1)
    assert (found.total.currency_code, found.total.units, found.total.nanos) == ("KWD", 1, 500_000_000)
    assert b"1.500 KWD" in (await document(market, payment.name, ACME)).data
