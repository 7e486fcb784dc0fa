"""Cancelling: who, what becomes of the money, and what it never touches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

import pytest

from chassis.kernel.clock import ManualClock
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind
from chassis.testing.service import Backends, Identity, operator, refused, running
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import fulfilment_pb2, order_pb2, payment_pb2
from parley.orders.v1 import orders_service_pb2 as pb
from services.orders.__main__ import DEFINITION, build
from services.orders.domain.attempt import Charge
from services.orders.domain.refund import ChargeReference, RefundAnswer
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    MINUTES,
    ONLINE,
    REVIEWED,
    FakeGate,
    FakeOffers,
    Market,
    Order,
    euro,
)

Cancellation, Payment = fulfilment_pb2.Cancellation, payment_pb2.Payment


async def cancel(market: Market, name: str, who: Identity = ANA) -> order_pb2.Order:
    request = work.CancelOrderRequest(
        name=name, reason=Cancellation.REASON_NOT_NEEDED, text="Changed my mind"
    )
    order: order_pb2.Order = (await market.stub(who).CancelOrder(request)).order
    return order


@pytest.mark.parametrize(
    ("who", "party"),
    [
        (ANA, Cancellation.PARTY_BUYER),
        (AGENT, Cancellation.PARTY_SELLER),
        (operator(), Cancellation.PARTY_OPERATOR),
    ],
)
async def test_each_may_cancel_and_both_see_who_and_why(market: Market, who: Identity, party: int) -> None:
    name = (await market.place()).name
    market.service.clock.advance(MINUTES)
    ended = await cancel(market, name, who)
    assert (ended.state, list(ended.allowed_actions)) == (Order.STATE_CANCELLED, [])
    for reader in (ANA, ACME):
        seen = (await market.get(name, reader)).cancellation
        assert (seen.cancelled_by, seen.reason) == (party, Cancellation.REASON_NOT_NEEDED)
        assert (seen.text, seen.cancel_time) == ("Changed my mind", ended.update_time)
    assert await market.events(name) == ["OrderPlaced", "OrderCancelled"]
    (row,) = await market.rows("SELECT body FROM outbox WHERE version = 2")
    assert b"mind" not in row["body"]
    assert (await refused(cancel(market, name, who))).metadata["state"] == "CANCELLED"


@pytest.mark.parametrize("who", [ANA, ACME, operator()])
async def test_before_the_confirmation_nothing_is_cancelled(market: Market, who: Identity) -> None:
    name = (await market.place(package=REVIEWED)).name
    refusal = await refused(cancel(market, name, who))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
    assert refusal.metadata["state"] == "PENDING"
    assert (await market.get(name)).etag == "v1"


async def test_what_was_taken_is_shown_as_owed_and_stays_where_it_is(market: Market) -> None:
    name = (await market.place(payment_method=ONLINE, payment_token="sandbox_success")).name
    await market.service.settle()
    assert not (await market.get(name)).HasField("refund_due")
    ended = await cancel(market, name)
    assert (ended.refund_due, ended.payment_state) == (euro(100), Order.PAYMENT_STATE_PAID)
    await market.service.advance(100 * MINUTES)
    assert (await market.payment(name)).state == Payment.STATE_CAPTURED
    assert len(await market.charges()) == 1


async def test_what_was_declined_is_not_asked_for_any_more(market: Market) -> None:
    name = (await market.place(payment_method=ONLINE, payment_token="sandbox_decline_soft")).name
    await market.service.settle()
    ended = await cancel(market, name)
    assert (ended.payment_state, ended.HasField("refund_due")) == (Order.PAYMENT_STATE_VOIDED, False)
    payment = await market.payment(name)
    assert list(payment.allowed_actions) == []
    retry = pb.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success")
    assert (await refused(market.stub().RetryPayment(retry))).reason == "TRANSITION_FORBIDDEN"
    assert len(await market.charges()) == 1


async def test_a_charge_whose_answer_was_lost_is_owed_once_it_is_known(market: Market) -> None:
    name = (await market.place(payment_method=ONLINE, payment_token="sandbox_timeout_after_charge")).name
    await market.service.settle()
    ended = await cancel(market, name)
    assert (ended.payment_state, ended.HasField("refund_due")) == (Order.PAYMENT_STATE_PENDING, False)
    await market.service.advance(5 * MINUTES)
    known = await market.get(name, ANA)
    assert (known.state, known.payment_state) == (Order.STATE_CANCELLED, Order.PAYMENT_STATE_PAID)
    assert known.refund_due == euro(100)
    assert await market.events(name) == ["OrderPlaced", "OrderCancelled", "OrderPaid"]


@dataclass
class Unreachable:
    """A payment provider that nothing ever arrives at."""

    name: str = "sandbox"
    asked: int = 0

    async def charge(
        self, key: str, amount: Money, token: str, *, attended: bool, payment: str = ""
    ) -> Charge:
        self.asked += 1
        raise TimeoutError

    async def lookup(self, key: str, reference: str = "") -> Charge | None:
        return None

    async def call_off(self, key: str, reference: str) -> Charge:
        raise TimeoutError

    async def refund(self, key: str, charge: ChargeReference, amount: Money) -> RefundAnswer:
        raise TimeoutError

    async def lookup_refund(self, key: str, charge: ChargeReference) -> RefundAnswer | None:
        return None


@pytest.fixture
async def unreachable() -> Unreachable:
    return Unreachable()


@pytest.fixture
async def cut_off(backends: Backends, clock: ManualClock, unreachable: Unreachable) -> AsyncIterator[Market]:
    gate, offers = FakeGate(), FakeOffers()
    built = partial(build, gate=gate, offers=offers, provider=unreachable)
    async with running(replace(DEFINITION, build=built), backends, clock=clock) as service:
        yield Market(service, gate, offers)


async def test_a_charge_that_never_arrived_is_not_submitted_again(
    cut_off: Market, unreachable: Unreachable
) -> None:
    name = (await cut_off.place(payment_method=ONLINE, payment_token="sandbox_success")).name
    await cut_off.service.settle()
    assert unreachable.asked == 1
    assert (await cancel(cut_off, name)).payment_state == Order.PAYMENT_STATE_PENDING
    await cut_off.service.advance(5 * MINUTES)
    ended = await cut_off.get(name)
    assert (ended.payment_state, ended.HasField("refund_due")) == (Order.PAYMENT_STATE_VOIDED, False)
    assert (await cut_off.payment(name)).state == Payment.STATE_VOIDED
    await cut_off.service.advance(10_000 * MINUTES)
    assert unreachable.asked == 1
    assert await cut_off.events(name) == ["OrderPlaced", "OrderCancelled", "OrderPaymentVoided"]
    assert (await cut_off.counts())["timer"] == 0
