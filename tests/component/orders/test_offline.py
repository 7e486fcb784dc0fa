"""Payments that the seller receives himself, and what an operator decides where a provider never tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.kernel.clock import ManualClock
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind
from chassis.testing.service import Backends, Identity, operator, refused, running
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import fulfilment_pb2, ledger_pb2, payment_pb2, refund_pb2
from parley.orders.v1 import orders_service_pb2 as orders
from parley.orders.v1 import payment_methods_pb2 as pb
from services.orders.__main__ import DEFINITION, build
from services.orders.domain.attempt import Charge, Outcome
from services.orders.domain.refund import ChargeReference, RefundAnswer
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    OFFLINE,
    ONLINE,
    RIVAL,
    FakeGate,
    FakeOffers,
    Market,
    Order,
    euro,
)
from tests.component.orders.test_refunds import books, refund

Payment, Entry, Settle = payment_pb2.Payment, ledger_pb2.LedgerEntry, pb.SettlePaymentRequest
DAYS = timedelta(days=1)


async def mark(market: Market, name: str, who: Identity = AGENT, **more: Any) -> Any:
    request = pb.MarkPaidRequest(name=name, means=Payment.MEANS_BANK_TRANSFER, **more)
    return (await market.stub(who).MarkPaid(request)).order


async def unmark(market: Market, name: str, who: Identity = ACME, **more: Any) -> Any:
    return (await market.stub(who).UnmarkPaid(pb.UnmarkPaidRequest(name=name, **more))).order


async def test_the_seller_says_that_he_was_paid_and_may_take_it_back(market: Market) -> None:
    name = (await market.place()).name
    before = await market.get(name)
    assert "markPaid" in before.allowed_actions
    paid = await mark(market, name)
    assert paid.payment_state == Order.PAYMENT_STATE_PAID
    assert "unmarkPaid" in paid.allowed_actions
    payment = await market.payment(name)
    assert (payment.provider, payment.means, payment.state) == (
        "offline",
        Payment.MEANS_BANK_TRANSFER,
        Payment.STATE_CAPTURED,
    )
    assert (await refused(mark(market, name))).reason == "TRANSITION_FORBIDDEN"
    market.service.clock.advance(DAYS)
    back = await unmark(market, name)
    assert back.payment_state == Order.PAYMENT_STATE_OFFLINE
    assert (await refused(unmark(market, name))).reason == "TRANSITION_FORBIDDEN"
    market.service.clock.advance(DAYS)
    await mark(market, name)
    assert [(line.kind, line.account, line.side) for line in await books(market)][:4] == [
        (Entry.KIND_OFFLINE_PAYMENT, Entry.ACCOUNT_SELLER_PAYABLE, Entry.SIDE_CREDIT),
        (Entry.KIND_OFFLINE_PAYMENT, Entry.ACCOUNT_OFFLINE_RECEIPTS, Entry.SIDE_DEBIT),
        (Entry.KIND_OFFLINE_REVERSAL, Entry.ACCOUNT_OFFLINE_RECEIPTS, Entry.SIDE_CREDIT),
        (Entry.KIND_OFFLINE_REVERSAL, Entry.ACCOUNT_SELLER_PAYABLE, Entry.SIDE_DEBIT),
    ]
    assert await market.events(name) == ["OrderPlaced", "OrderPaid", "OrderPaymentUnmarked", "OrderPaid"]
    assert await market.charges() == []


async def test_ten_marks_at_once_are_booked_once(market: Market) -> None:
    name = (await market.place()).name
    answers = await asyncio.gather(*(mark(market, name) for _ in range(10)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in answers) == 1
    assert len(await books(market)) == 2


async def test_what_is_paid_online_is_never_marked(market: Market) -> None:
    name = (await market.place(payment_method=ONLINE, payment_token="sandbox_success")).name
    assert (await refused(mark(market, name))).reason == "TRANSITION_FORBIDDEN"
    await market.service.settle()
    for act in (mark, unmark):
        assert (await refused(act(market, name))).reason == "TRANSITION_FORBIDDEN"
        assert (await refused(act(market, name, who=ANA))).kind is Kind.DENIED
        assert (await refused(act(market, name, who=RIVAL))).kind is Kind.NOT_FOUND


async def test_after_a_declined_charge_the_buyer_may_pay_the_seller_himself(market: Market) -> None:
    name = (await market.place(payment_method=ONLINE, payment_token="sandbox_decline_hard")).name
    await market.service.settle()
    change = orders.ChangePaymentMethodRequest(name=name, payment_method=OFFLINE)
    await market.stub().ChangePaymentMethod(change)
    await mark(market, name)
    payment = await market.payment(name, ACME)
    assert (payment.provider, len(payment.attempts), list(payment.allowed_actions)) == ("offline", 1, [])
    assert (await refused(refund(market, payment.name))).reason == "TRANSITION_FORBIDDEN"
    reason = fulfilment_pb2.Cancellation.REASON_NOT_NEEDED
    ended = (await market.stub().CancelOrder(work.CancelOrderRequest(name=name, reason=reason))).order
    assert not ended.HasField("refund_due")
    assert (await unmark(market, name)).payment_state == Order.PAYMENT_STATE_OFFLINE
    assert (await refused(mark(market, name))).reason == "TRANSITION_FORBIDDEN"


@dataclass
class Silent:
    """A payment provider whose answers are lost, about everything that is named in `lost`."""

    name: str = "sandbox"
    lost: set[str] = field(default_factory=lambda: {"charge", "refund"})

    async def charge(
        self, key: str, amount: Money, token: str, *, attended: bool, payment: str = ""
    ) -> Charge:
        self._lose("charge")
        return Charge(Outcome.CAPTURED)

    async def lookup(self, key: str, reference: str = "") -> Charge | None:
        self._lose("charge")
        return Charge(Outcome.CAPTURED)

    async def call_off(self, key: str, reference: str) -> Charge:
        raise AssertionError("nothing waits")

    async def refund(self, key: str, charge: ChargeReference, amount: Money) -> RefundAnswer:
        self._lose("refund")
        return RefundAnswer(True)

    async def lookup_refund(self, key: str, charge: ChargeReference) -> RefundAnswer | None:
        self._lose("refund")
        return RefundAnswer(True)

    def _lose(self, what: str) -> None:
        if what in self.lost:
            raise TimeoutError


@pytest.fixture
def silent() -> Silent:
    return Silent()


@pytest.fixture
async def quiet(backends: Backends, clock: ManualClock, silent: Silent) -> AsyncIterator[Market]:
    gate, offers = FakeGate(), FakeOffers()
    built = partial(build, gate=gate, offers=offers, provider=silent)
    async with running(replace(DEFINITION, build=built), backends, clock=clock) as service:
        yield Market(service, gate, offers)


async def settle(market: Market, payment: str, moved: bool, who: Identity | None = None, **more: Any) -> Any:
    outcome = Settle.OUTCOME_MOVED if moved else Settle.OUTCOME_NOT_MOVED
    request = Settle(name=payment, outcome=outcome, note="The statement of the bank.", **more)
    return (await market.stub(who or operator()).SettlePayment(request)).payment


@pytest.mark.parametrize("moved", [True, False])
async def test_an_operator_decides_about_a_charge_after_the_last_enquiry(quiet: Market, moved: bool) -> None:
    name = (await quiet.place(payment_method=ONLINE, payment_token="t")).name
    await quiet.service.settle()
    payment = (await quiet.payment(name)).name
    for who in (ANA, ACME):
        assert (await refused(settle(quiet, payment, moved, who))).kind is Kind.DENIED
    assert (await refused(settle(quiet, payment, moved))).reason == "TRANSITION_FORBIDDEN"
    for _ in range(6):
        await quiet.service.advance(DAYS)
    decided = await settle(quiet, payment, moved)
    assert decided.state == (Payment.STATE_CAPTURED if moved else Payment.STATE_DECLINED)
    assert decided.attempts[0].note == "The statement of the bank."
    assert (await quiet.payment(name, ACME)).attempts[0].note == "The statement of the bank."
    assert (await quiet.payment(name, ANA)).attempts[0].note == ""
    order = await quiet.get(name)
    assert order.payment_state == (Order.PAYMENT_STATE_PAID if moved else Order.PAYMENT_STATE_FAILED)
    assert len(await books(quiet)) == (2 if moved else 0)
    assert (await refused(settle(quiet, payment, not moved))).reason == "TRANSITION_FORBIDDEN"
    assert (await quiet.counts())["timer"] == 0


@pytest.mark.parametrize("moved", [True, False])
async def test_an_operator_decides_about_a_refund(quiet: Market, silent: Silent, moved: bool) -> None:
    silent.lost = {"refund"}
    name = (await quiet.place(payment_method=ONLINE, payment_token="t")).name
    await quiet.service.settle()
    payment = (await quiet.payment(name)).name
    await refund(quiet, payment, 40)
    await quiet.service.settle()
    assert (await refused(settle(quiet, payment, moved, refund_number=1))).reason == "TRANSITION_FORBIDDEN"
    assert (await refused(settle(quiet, payment, moved, refund_number=2))).reason == "TRANSITION_FORBIDDEN"
    for _ in range(6):
        await quiet.service.advance(DAYS)
    decided = await settle(quiet, payment, moved, refund_number=1)
    wanted = refund_pb2.Refund.STATE_SUCCEEDED if moved else refund_pb2.Refund.STATE_FAILED
    assert (decided.refunds[0].state, decided.refundable_amount) == (wanted, euro(60 if moved else 100))
    for who, note in ((ACME, "The statement of the bank."), (ANA, "")):
        assert (await quiet.payment(name, who)).refunds[0].note == note
    assert len(await books(quiet)) == (4 if moved else 2)
