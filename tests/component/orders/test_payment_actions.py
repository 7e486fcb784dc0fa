"""Charges that the provider wants something of the buyer for: only he sees what, and no path takes twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import fulfilment_pb2, order_pb2, payment_pb2
from parley.orders.v1 import orders_service_pb2 as orders
from parley.orders.v1 import payment_methods_pb2 as pb
from services.orders.app.commands import RetryPayment
from services.orders.domain.actions import ACTION_LIFETIME
from services.orders.domain.attempt import Charge
from services.orders.domain.order import Order, PaymentState
from services.orders.domain.payment import State
from tests.component.orders.crashing import ACTION_TOKENS, BUYER, STEPS, World
from tests.component.orders.lossy import WAYS, end_wait
from tests.component.orders.market import ACME, ANA, ONLINE, RIVAL, STRANGER, Market
from tests.component.orders.subscribers import bucket, cancel, payments, subscribe
from tests.unit.orders.purchases import NOW

Payment, Attempt = payment_pb2.Payment, payment_pb2.PaymentAttempt
WireOrder = order_pb2.Order
DAY = timedelta(hours=24)


async def bought(market: Market, token: str) -> tuple[str, Any]:
    name = (await market.place(payment_method=ONLINE, payment_token=token)).name
    await market.service.settle()
    return name, await market.payment(name)


async def resume(market: Market, payment: str, who: Any = ANA, **more: Any) -> Any:
    request = pb.ResumePaymentRequest(name=payment, **more)
    return (await market.stub(who).ResumePayment(request)).payment


@pytest.mark.covers("B35", "X01", "X06")
async def test_the_buyer_alone_sees_what_to_do_and_is_charged_when_he_comes_back(market: Market) -> None:
    order, payment = await bought(market, "sandbox_requires_action")
    assert payment.state == Payment.STATE_REQUIRES_ACTION
    assert payment.attempts[0].outcome == Attempt.OUTCOME_REQUIRES_ACTION
    assert payment.action.url.startswith("https://sandbox.invalid/actions/")
    assert payment.action.expire_time.ToDatetime(NOW.tzinfo) == NOW + DAY
    assert list(payment.allowed_actions) == ["resume"]
    seen = await market.payment(order, ACME)
    assert (seen.state, seen.HasField("action"), list(seen.allowed_actions)) == (payment.state, False, [])
    before = await market.get(order, ANA)
    assert (before.payment_state, before.buyer_unread_count) == (WireOrder.PAYMENT_STATE_PENDING, 1)
    bodies = await market.rows("SELECT body FROM outbox")
    assert not any(b"sandbox.invalid" in row["body"] for row in bodies)
    entries = await market.rows("SELECT before::text || after::text AS told FROM audit_entry")
    assert not any("sandbox.invalid" in row["told"] for row in entries)
    assert (await refused(resume(market, payment.name, ACME))).kind is Kind.DENIED
    for who in (RIVAL, STRANGER):
        assert (await refused(resume(market, payment.name, who))).kind is Kind.NOT_FOUND
    assert (await refused(resume(market, f"{order}/payments/none"))).kind is Kind.NOT_FOUND
    assert (await refused(resume(market, payment.name, etag="v1"))).reason == "ETAG_MISMATCH"
    retry = orders.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success")
    assert (await refused(market.stub().RetryPayment(retry))).reason == "TRANSITION_FORBIDDEN"
    for key in ("once", "once", "twice"):
        await resume(market, payment.name, request_id=key, etag=payment.etag)
    await market.service.settle()
    paid = await market.payment(order)
    assert (paid.state, paid.HasField("action"), list(paid.allowed_actions)) == (
        Payment.STATE_CAPTURED,
        False,
        [],
    )
    assert (await resume(market, payment.name)).state == Payment.STATE_CAPTURED
    assert len(await market.charges()) == 1
    assert (await market.counts())["timer"] == 0
    kept = await market.rows("SELECT action_url, action_secret FROM payment_attempt")
    assert kept == [{"action_url": None, "action_secret": None}]
    assert await market.events(order) == ["OrderPlaced", "OrderPaymentActionRequired", "OrderPaid"]


@pytest.mark.covers("B35")
async def test_an_action_that_fails_is_a_decline_that_can_be_retried(market: Market) -> None:
    order, payment = await bought(market, "sandbox_action_fails")
    await resume(market, payment.name)
    await market.service.settle()
    declined = await market.payment(order)
    assert declined.attempts[0].decline_code == "authentication_failed"
    assert list(declined.allowed_actions) == ["retry"]
    assert (await market.get(order)).payment_state == WireOrder.PAYMENT_STATE_FAILED
    retry = orders.RetryPaymentRequest(name=payment.name, payment_token="sandbox_success")
    await market.stub().RetryPayment(retry)
    await market.service.settle()
    assert (await market.get(order)).payment_state == WireOrder.PAYMENT_STATE_PAID


@pytest.mark.covers("B35", "X24")
@pytest.mark.parametrize("way", ["time", "given up"])
async def test_what_the_buyer_never_does_is_called_off(market: Market, way: str) -> None:
    order, payment = await bought(market, "sandbox_action_never_done")
    await resume(market, payment.name)
    await market.service.advance(DAY - timedelta(seconds=1))
    assert (await market.payment(order)).action == payment.action
    if way == "time":
        await market.service.advance(timedelta(seconds=1))
    else:
        await resume(market, payment.name, give_up=True)
        await market.service.settle()
    ended = await market.payment(order)
    assert (ended.state, ended.attempts[0].decline_code) == (
        Payment.STATE_DECLINED,
        "authentication_required",
    )
    assert [one["outcome"] for one in await market.charges()] == ["SOFT_DECLINE"]
    assert (await market.counts())["timer"] == 0
    assert (await market.events(order))[-1] == "OrderPaymentFailed"


@pytest.mark.covers("B35")
@pytest.mark.parametrize("token", ["sandbox_action_never_done", "sandbox_requires_action"])
async def test_a_cancelled_order_asks_nothing_of_the_buyer_any_more(market: Market, token: str) -> None:
    order, _ = await bought(market, token)
    reason = fulfilment_pb2.Cancellation.REASON_NOT_NEEDED
    await market.stub().CancelOrder(work.CancelOrderRequest(name=order, reason=reason))
    await market.service.settle()
    ended = await market.get(order)
    # Who was quicker has paid, and is owed it back.
    quicker = token == "sandbox_requires_action"
    assert ended.payment_state == (
        WireOrder.PAYMENT_STATE_PAID if quicker else WireOrder.PAYMENT_STATE_VOIDED
    )
    assert ended.HasField("refund_due") is quicker
    assert not (await market.payment(order)).HasField("action")


@pytest.mark.covers("X13")
async def test_a_renewal_that_needs_the_buyer_is_a_soft_decline_that_he_resolves(market: Market) -> None:
    name = (await subscribe(market, token="sandbox_requires_action")).name
    (declined,) = await payments(market, name)
    assert (declined.state, declined.attempts[0].outcome, declined.attempts[0].decline_code) == (
        Payment.STATE_DECLINED,
        Attempt.OUTCOME_SOFT_DECLINE,
        "authentication_required",
    )
    assert await bucket(market, name) == "OVERDUE"
    # By its schedule, without him, it is declined again.
    await market.service.advance(DAY)
    (declined,) = await payments(market, name)
    assert len(declined.attempts) == 2
    await market.stub().RetryPayment(orders.RetryPaymentRequest(name=declined.name))
    await market.service.settle()
    (waiting,) = await payments(market, name)
    assert (waiting.state, waiting.HasField("action")) == (Payment.STATE_REQUIRES_ACTION, True)
    (seen,) = await payments(market, name, ACME)
    assert not seen.HasField("action")
    await resume(market, waiting.name)
    await market.service.settle()
    (paid,) = await payments(market, name)
    assert (paid.state, await bucket(market, name)) == (Payment.STATE_CAPTURED, "ACTIVE")
    assert [one["outcome"] for one in await market.charges()].count("CAPTURED") == 1


async def test_a_subscription_that_ends_asks_nothing_of_the_buyer_any_more(market: Market) -> None:
    name = (await subscribe(market, token="sandbox_action_never_done")).name
    (declined,) = await payments(market, name)
    await market.stub().RetryPayment(orders.RetryPaymentRequest(name=declined.name))
    await market.service.settle()
    await cancel(market, name)
    await market.service.settle()
    (ended,) = await payments(market, name)
    assert (ended.state, ended.HasField("action")) == (Payment.STATE_DECLINED, False)


# --------------------------------------------------------------------------------------------- crashes


@pytest.mark.covers("B35")
@pytest.mark.parametrize("token", ACTION_TOKENS)
@pytest.mark.parametrize("way", WAYS)
async def test_one_crash_at_every_step_of_an_action(world: World, way: str, token: str) -> None:
    crashes = 0
    for step in STEPS:
        order = await world.place(token)
        await world.confirm(order)
        await world.run()
        payment = await world.payment(order.name)
        assert payment is not None
        assert payment.state is State.REQUIRES_ACTION
        await end_wait(world, order, payment, way)
        world.crasher.step = step
        await world.run()
        crashes += not world.crasher.step
        await world.check(order.name)
        world.crasher.step = ""
        world.clock.advance(ACTION_LIFETIME)
        await world.calm_down(order.name)
        known = await world.payment(order.name)
        assert known is not None
        assert len(known.attempts) == 1
        taken = token == "sandbox_requires_action"
        assert known.state is (State.CAPTURED if taken else State.DECLINED)
        if way != "cancelled":
            wanted = PaymentState.PAID if taken else PaymentState.FAILED
            assert (await world.order(order.name)).payment_state is wanted
    assert crashes >= 3


async def test_a_late_answer_to_one_attempt_leaves_the_timer_of_the_next_alone(world: World) -> None:
    order = await world.place("sandbox_decline_soft")
    await world.confirm(order)
    charge = world.provider.inner.charge
    held: list[str] = []

    async def slow(key: str, amount: Money, token: str, *, attended: bool, payment: str = "") -> Charge:
        answer = await charge(key, amount, token, attended=attended)
        if not held:
            held.append(key)
            await overtake(world, order)
        return answer

    world.provider.inner.charge = slow  # type: ignore[method-assign]
    await world.run()
    await world.calm_down(order.name)
    known = await world.payment(order.name)
    assert known is not None
    assert (known.state, len(known.attempts)) == (State.CAPTURED, 2)


async def overtake(world: World, order: Order) -> None:
    """While the answer of the first attempt is on its way: a look, a retry, and a crash within that."""
    payment = await world.payment(order.name)
    assert payment is not None
    await world.resume(payment)
    await world.run()
    payment = await world.payment(order.name)
    assert payment is not None
    assert payment.state is State.DECLINED
    await world.commands.retry_payment(world.call(BUYER), RetryPayment(payment.name, "sandbox_success"))
    world.crasher.step = STEPS[1]
    await world.run()
    assert world.crasher.step == ""
