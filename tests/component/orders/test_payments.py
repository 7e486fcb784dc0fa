"""The pay flow through the running service, with the means of payment that the sandbox provider knows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1 import payment_pb2
from tests.component.orders.market import (
    ACME,
    ANA,
    MINUTES,
    OFFLINE,
    ONLINE,
    Market,
    Order,
    euro,
)
from tests.unit.orders.purchases import NOW

Payment, Attempt = payment_pb2.Payment, payment_pb2.PaymentAttempt


async def bought(market: Market, token: str) -> str:
    order = await market.place(payment_method=ONLINE, payment_token=token)
    assert order.payment_state == Order.PAYMENT_STATE_PENDING
    await market.service.settle()
    return order.name


@pytest.mark.covers("B35")
async def test_a_success_is_captured_once_after_the_confirmation(market: Market) -> None:
    order = await bought(market, "sandbox_success")
    payment = await market.payment(order)
    assert (payment.state, payment.amount, payment.provider) == (Payment.STATE_CAPTURED, euro(100), "sandbox")
    assert payment.capture_time.ToDatetime(NOW.tzinfo) == NOW
    (attempt,) = payment.attempts
    assert (attempt.number, attempt.outcome) == (1, Attempt.OUTCOME_CAPTURED)
    assert list(payment.allowed_actions) == []
    await market.service.advance(timedelta(days=10))
    assert len(await market.charges()) == 1
    assert (await market.counts())["timer"] == 0


@pytest.mark.covers("B35")
async def test_an_answer_that_is_lost_is_asked_for_by_its_key_and_never_charged_anew(market: Market) -> None:
    order = await bought(market, "sandbox_timeout_after_charge")
    lost = await market.payment(order)
    assert (lost.state, lost.attempts[0].outcome) == (Payment.STATE_UNKNOWN, Attempt.OUTCOME_UNKNOWN)
    assert (await market.get(order)).payment_state == Order.PAYMENT_STATE_PENDING
    refusal = await refused(market.stub().RetryPayment(pb.RetryPaymentRequest(name=lost.name)))
    assert (refusal.kind, refusal.metadata["state"]) == (Kind.PRECONDITION, "UNKNOWN")
    await market.service.advance(timedelta(seconds=299))
    assert (await market.payment(order)).state == Payment.STATE_UNKNOWN
    await market.service.advance(timedelta(seconds=1))
    found = await market.payment(order)
    assert (found.state, len(found.attempts)) == (Payment.STATE_CAPTURED, 1)
    assert (await market.get(order)).payment_state == Order.PAYMENT_STATE_PAID
    assert len(await market.charges()) == 1
    assert await market.events(order) == ["OrderPlaced", "OrderPaid"]


@pytest.mark.covers("B35", "X01", "X06")
async def test_a_soft_decline_can_be_retried_by_the_same_means(market: Market) -> None:
    order = await bought(market, "sandbox_decline_soft")
    seen = await market.get(order, ANA)
    assert (seen.state, seen.payment_state) == (Order.STATE_CONFIRMED, Order.PAYMENT_STATE_FAILED)
    assert list(seen.allowed_actions) == ["changePaymentMethod", "cancel"]
    payment = await market.payment(order)
    assert (payment.state, list(payment.allowed_actions)) == (Payment.STATE_DECLINED, ["retry"])
    assert payment.attempts[0].decline_code == "insufficient_funds"
    retry = pb.RetryPaymentRequest(name=payment.name, etag=payment.etag, request_id="again")
    answers = await asyncio.gather(*(market.stub().RetryPayment(retry) for _ in range(10)))
    assert {answer.payment.state for answer in answers} == {Payment.STATE_CREATED}
    await market.service.settle()
    payment = await market.payment(order)
    assert [one.outcome for one in payment.attempts] == [Attempt.OUTCOME_SOFT_DECLINE] * 2
    stale = pb.RetryPaymentRequest(name=payment.name, etag=answers[0].payment.etag)
    assert (await refused(market.stub().RetryPayment(stale))).reason == "ETAG_MISMATCH"
    # The seller may retry as well, and by means that the buyer gave him.
    await market.stub(ACME).RetryPayment(
        pb.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success")
    )
    await market.service.settle()
    assert (await market.get(order)).payment_state == Order.PAYMENT_STATE_PAID
    charges = await market.charges()
    assert len({charge["key"] for charge in charges}) == len(charges) == 3
    assert await market.events(order) == [
        "OrderPlaced",
        "OrderPaymentFailed",
        "OrderPaymentRetried",
        "OrderPaymentFailed",
        "OrderPaymentRetried",
        "OrderPaid",
    ]


@pytest.mark.covers("B35")
@pytest.mark.parametrize(
    ("token", "code"), [("sandbox_decline_hard", "stolen_card"), ("who_knows", "invalid_token")]
)
async def test_a_hard_decline_needs_another_means(market: Market, token: str, code: str) -> None:
    order = await bought(market, token)
    payment = await market.payment(order)
    assert payment.attempts[0].outcome == Attempt.OUTCOME_HARD_DECLINE
    for same in ("", token):
        request = pb.RetryPaymentRequest(name=payment.name, payment_token=same)
        refusal = await refused(market.stub().RetryPayment(request))
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PAYMENT_MEANS_REFUSED")
        assert refusal.metadata == {"payment": payment.name, "decline_code": code}
    other = pb.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success")
    await market.stub().RetryPayment(other)
    await market.service.settle()
    assert (await market.payment(order)).state == Payment.STATE_CAPTURED


@pytest.mark.covers("B35")
async def test_after_a_declined_charge_the_buyer_pays_in_another_way(market: Market) -> None:
    first, second = await bought(market, "sandbox_decline_hard"), await bought(market, "sandbox_decline_soft")
    offline = pb.ChangePaymentMethodRequest(name=first, payment_method=OFFLINE)
    assert (await refused(market.stub(ACME).ChangePaymentMethod(offline))).reason == "TRANSITION_FORBIDDEN"
    changed = (await market.stub().ChangePaymentMethod(offline)).order
    assert changed.payment_state == Order.PAYMENT_STATE_OFFLINE
    payment = await market.payment(first)
    assert list(payment.allowed_actions) == []
    retry = pb.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success")
    assert (await refused(market.stub().RetryPayment(retry))).reason == "TRANSITION_FORBIDDEN"

    online = pb.ChangePaymentMethodRequest(name=second, payment_method=ONLINE)
    assert (await refused(market.stub().ChangePaymentMethod(online))).reason == "PAYMENT_TOKEN_REQUIRED"
    online.payment_token = "sandbox_success"
    changed = (await market.stub().ChangePaymentMethod(online)).order
    assert changed.payment_state == Order.PAYMENT_STATE_PENDING
    await market.service.settle()
    assert (await market.get(second)).payment_state == Order.PAYMENT_STATE_PAID
    assert (await market.get(first)).payment_state == Order.PAYMENT_STATE_OFFLINE
    captured = [charge for charge in await market.charges() if charge["outcome"] == "CAPTURED"]
    assert len(captured) == 1


async def test_the_means_that_was_declined_for_good_is_refused_there_too(market: Market) -> None:
    order = await bought(market, "sandbox_decline_hard")
    request = pb.ChangePaymentMethodRequest(
        name=order, payment_method=ONLINE, payment_token="sandbox_decline_hard"
    )
    before = await market.counts()
    assert (await refused(market.stub().ChangePaymentMethod(request))).reason == "PAYMENT_MEANS_REFUSED"
    assert await market.counts() == before


async def test_offline_orders_are_never_charged(market: Market) -> None:
    order = await market.place()
    await market.service.advance(10 * MINUTES)
    answer = await market.stub().ListPayments(pb.ListPaymentsRequest(parent=order.name))
    assert (list(answer.payments), answer.next_page_token, await market.charges()) == ([], "", [])


async def test_of_different_keys_for_one_retry_one_wins(market: Market) -> None:
    order = await bought(market, "sandbox_decline_hard")
    payment = await market.payment(order)
    requests = [
        pb.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success", request_id=f"k{number}")
        for number in range(20)
    ]
    results = await asyncio.gather(
        *(market.stub().RetryPayment(request) for request in requests), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    await market.service.settle()
    assert [one["outcome"] for one in await market.charges()].count("CAPTURED") == 1
