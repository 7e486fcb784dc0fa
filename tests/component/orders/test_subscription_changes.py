"""What the parties change in a running subscription: a cancellation taken back, other means of payment, and
payments that the seller receives himself.
"""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Any

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing.service import Identity, refused
from parley.offers.v1 import events_pb2 as offers_events
from parley.orders.v1 import audit_pb2, ledger_pb2, payment_pb2
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1 import payment_methods_pb2 as money
from parley.orders.v1 import subscription_methods_pb2 as methods
from services.orders.domain.listing import ListingIntake
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    OFFLINE,
    ONLINE,
    RIVAL,
    STRANGER,
    Market,
    accepted,
    euro,
    fresh_id,
    quote,
)
from tests.component.orders.subscribers import (
    DAY,
    HARD,
    NOW,
    PERIOD_END,
    SOFT,
    SUCCESS,
    Subscription,
    amounts,
    at,
    bucket,
    cancel,
    change,
    fetch,
    monthly,
    pause,
    payments,
    preview,
    sell,
    subscribe,
    until,
    wire_plan,
)
from tests.unit.orders.purchases import SELLER

Payment, Entry = payment_pb2.Payment, ledger_pb2.LedgerEntry


async def revoke(market: Market, name: str, who: Identity = ANA, **more: Any) -> Any:
    request = methods.RevokeCancellationRequest(name=name, **more)
    return (await market.stub(who).RevokeCancellation(request)).subscription


async def pay_by(market: Market, name: str, token: str, who: Identity = ANA, **more: Any) -> Any:
    request = methods.ChangePaymentMeansRequest(name=name, payment_token=token, **more)
    return (await market.stub(who).ChangePaymentMeans(request)).subscription


async def mark(market: Market, name: str, who: Identity = AGENT, **more: Any) -> Any:
    request = methods.MarkSubscriptionPaymentPaidRequest(name=name, means=Payment.MEANS_CASH, **more)
    return (await market.stub(who).MarkSubscriptionPaymentPaid(request)).payment


async def unmark(market: Market, name: str, who: Identity = ACME, **more: Any) -> Any:
    request = methods.UnmarkSubscriptionPaymentPaidRequest(name=name, **more)
    return (await market.stub(who).UnmarkSubscriptionPaymentPaid(request)).payment


@pytest.mark.covers("B21")
async def test_a_scheduled_cancellation_is_taken_back_by_the_side_that_scheduled_it(market: Market) -> None:
    subscription = await subscribe(market)
    name, end = subscription.name, subscription.period_end_time.ToDatetime(UTC)
    assert (await refused(revoke(market, name))).reason == "TRANSITION_FORBIDDEN"
    await pause(market, name, pause_time=at(market.service.clock.now() + 5 * DAY))
    ending = await cancel(market, name, PERIOD_END, who=ANA)
    assert ending.cancelled_by == Subscription.PARTY_BUYER
    assert "revokeCancellation" in ending.allowed_actions
    # The seller can end it sooner, but not bind the buyer again.
    assert "revokeCancellation" not in (await fetch(market, name, ACME)).allowed_actions
    assert (await refused(revoke(market, name, ACME))).reason == "TRANSITION_FORBIDDEN"
    for who in (STRANGER, RIVAL):
        assert (await refused(revoke(market, name, who))).kind is Kind.NOT_FOUND
    assert (await refused(revoke(market, name, etag=subscription.etag))).reason == "ETAG_MISMATCH"

    back = await revoke(market, name, etag=ending.etag, request_id="stay")
    assert await revoke(market, name, etag=ending.etag, request_id="stay") == back
    assert (back.HasField("cancel_time"), back.cancelled_by) == (False, Subscription.PARTY_UNSPECIFIED)
    # The pause that the cancellation took away stays away.
    assert not back.HasField("pause_time")
    assert (await market.events(name))[-1] == "SubscriptionCancellationRevoked"
    await until(market, end)
    assert amounts(await payments(market, name)) == [(1, 3_000), (2, 3_000)]

    seller_ends = await cancel(market, name, PERIOD_END, who=ACME)
    assert seller_ends.cancelled_by == Subscription.PARTY_SELLER
    assert (await refused(revoke(market, name, ANA))).reason == "TRANSITION_FORBIDDEN"
    # Of taking it back and the end itself, one happens.
    market.service.clock.set(seller_ends.cancel_time.ToDatetime(UTC))
    assert (await refused(revoke(market, name, ACME))).reason == "TRANSITION_FORBIDDEN"
    await market.service.settle()
    assert await bucket(market, name) == "INACTIVE"


async def test_while_something_is_overdue_it_is_settled_before_the_cancellation_is_taken_back(
    market: Market,
) -> None:
    name = (await subscribe(market, token=SOFT)).name
    await cancel(market, name, PERIOD_END)
    assert (await refused(revoke(market, name))).reason == "TRANSITION_FORBIDDEN"
    (payment,) = await payments(market, name)
    await market.stub().RetryPayment(pb.RetryPaymentRequest(name=payment.name, payment_token=SUCCESS))
    await market.service.settle()
    assert (await revoke(market, name)).bucket == Subscription.BUCKET_ACTIVE


async def test_the_buyer_changes_the_means_of_payment_of_later_charges(market: Market) -> None:
    subscription = await subscribe(market)
    name = subscription.name
    assert "changePaymentMeans" in subscription.allowed_actions
    assert (await refused(pay_by(market, name, HARD, ACME))).kind is Kind.DENIED
    assert (await refused(pay_by(market, name, HARD, STRANGER))).kind is Kind.NOT_FOUND
    assert (await refused(pay_by(market, name, HARD, etag="v1"))).reason == "ETAG_MISMATCH"
    assert (await pay_by(market, name, SUCCESS)).etag == subscription.etag
    market.service.clock.advance(DAY)
    changed = await pay_by(market, name, HARD, request_id="card")
    assert await pay_by(market, name, HARD, request_id="card") == changed
    assert (await market.events(name))[-1] == "SubscriptionPaymentMeansChanged"
    (row,) = await market.rows("SELECT body FROM outbox ORDER BY time DESC, version DESC LIMIT 1")
    assert HARD.encode() not in row["body"]
    entries = (
        await market.stub(ANA).ListAuditEntries(audit_pb2.ListAuditEntriesRequest(parent=name))
    ).audit_entries
    assert [(one.field, one.concealed) for one in entries[-1].changes] == [("payment_token", True)]

    await until(market, subscription.period_end_time.ToDatetime(UTC))
    assert sorted(row["token"] for row in await market.charges()) == [HARD, SUCCESS]
    # Now something is overdue: it is settled by other means, not put off.
    overdue = await fetch(market, name)
    assert overdue.bucket == Subscription.BUCKET_OVERDUE
    assert (await refused(pay_by(market, name, SUCCESS))).reason == "TRANSITION_FORBIDDEN"
    waiting = await subscribe(market, start_time=at(market.service.clock.now() + 10 * DAY), name="later")
    await pay_by(market, waiting.name, SOFT)
    paused = await subscribe(market, name="third")
    await pause(market, paused.name)
    await pay_by(market, paused.name, SOFT)
    await until(market, waiting.start_time.ToDatetime(UTC))
    assert await bucket(market, waiting.name) == "OVERDUE"


async def test_the_seller_marks_the_periods_of_an_offline_subscription_as_paid(market: Market) -> None:
    package = sell(market, monthly())
    order = await market.place(package=package, payment_method=OFFLINE)
    await market.service.settle()
    begin, name = market.service.clock.now(), order.subscription
    await until(market, begin + 35 * DAY)
    first, second = await payments(market, name, ACME)
    assert amounts([first, second]) == [(1, 3_000), (2, 3_000)]
    assert (first.provider, first.state, first.allowed_actions) == (
        "offline",
        Payment.STATE_CREATED,
        ["markPaid"],
    )
    assert (await payments(market, name, ANA))[0].allowed_actions == []
    assert (await refused(mark(market, first.name, ANA))).kind is Kind.DENIED
    for who in (STRANGER, RIVAL):
        assert (await refused(mark(market, first.name, who))).kind is Kind.NOT_FOUND
    assert (await refused(unmark(market, first.name))).reason == "TRANSITION_FORBIDDEN"
    assert (await refused(mark(market, first.name, etag="v9"))).reason == "ETAG_MISMATCH"
    retry = market.stub(ANA).RetryPayment(pb.RetryPaymentRequest(name=first.name))
    assert (await refused(retry)).reason == "TRANSITION_FORBIDDEN"

    # Two clerks at once: one of them marks it.
    answers: list[Any] = await asyncio.gather(
        *(mark(market, first.name) for _ in range(4)), return_exceptions=True
    )
    (paid,) = [one for one in answers if not isinstance(one, BaseException)]
    assert (paid.state, paid.means, paid.allowed_actions) == (
        Payment.STATE_CAPTURED,
        Payment.MEANS_CASH,
        ["unmarkPaid"],
    )
    assert paid.refundable_amount == euro(0)
    assert (await unmark(market, first.name)).state == Payment.STATE_CREATED
    await mark(market, first.name)
    # It stays owed when the subscription is over, and can be marked then.
    await cancel(market, name, NOW)
    await mark(market, second.name)
    assert [one.state for one in await payments(market, name)] == [Payment.STATE_CAPTURED] * 2
    assert (await market.events(name))[-5:] == [
        "SubscriptionPaid",
        "SubscriptionPaymentUnmarked",
        "SubscriptionPaid",
        "SubscriptionEnded",
        "SubscriptionPaid",
    ]
    books = (
        await market.stub(ACME).ListLedgerEntries(money.ListLedgerEntriesRequest(parent=SELLER))
    ).ledger_entries
    assert sorted(line.kind for line in books) == sorted(
        [Entry.KIND_OFFLINE_PAYMENT] * 6 + [Entry.KIND_OFFLINE_REVERSAL] * 2
    )
    assert await market.charges() == []
    online = await subscribe(market, name="second")
    (charged,) = await payments(market, online.name)
    assert (await refused(mark(market, charged.name))).reason == "TRANSITION_FORBIDDEN"
    # Other means belong to charges.
    assert "changePaymentMeans" not in (await fetch(market, name)).allowed_actions


async def test_a_dearer_plan_of_an_offline_subscription_is_a_payment_to_mark(market: Market) -> None:
    package = sell(market, monthly())
    order = await market.place(package=package, payment_method=OFFLINE)
    await market.service.settle()
    assert (await refused(pay_by(market, order.subscription, SOFT))).reason == "TRANSITION_FORBIDDEN"
    await until(market, market.service.clock.now() + 10 * DAY)
    plan = wire_plan(60)
    shown = await preview(market, order.subscription, plan)
    await change(market, order.subscription, plan, token=shown.preview_token)
    found = await payments(market, order.subscription, ACME)
    assert [one.purpose for one in found] == [
        Payment.PURPOSE_SUBSCRIPTION_PERIOD,
        Payment.PURPOSE_PLAN_CHANGE,
    ]
    assert found[1].amount == shown.amount_due
    assert (await mark(market, found[1].name)).state == Payment.STATE_CAPTURED


@pytest.mark.covers("B13", "B14", "B33")
async def test_a_quoted_order_with_a_plan_subscribes_at_its_confirmation(market: Market) -> None:
    package = sell(market, monthly(30), intake=ListingIntake.BY_QUOTE, price=10_000)
    order = await market.place(package=package, payment_method=ONLINE, payment_token=SUCCESS)
    offer = f"offers/{fresh_id()}"
    terms: dict[str, Any] = {"package": package, "plan": wire_plan(45), "units": 80}
    sent = quote(offers_events.OfferSent, order.name, offer, state="OPEN", version=1, **terms)
    await market.publish_and_settle(sent, version=1)
    agreed = accepted(offer, order=order.name, version=2, token=SUCCESS, **terms)
    await market.publish_and_settle(agreed, version=2)
    # What was agreed is the price and the plan; nothing begins before the seller confirms.
    quoted = await market.get(order.name, ANA)
    assert (quoted.total, quoted.plan.price, quoted.subscription) == (euro(80), euro(45), "")
    assert await market.charges() == []
    await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=order.name))
    await market.service.settle()
    subscription = await fetch(market, f"subscriptions/{order.name.removeprefix('orders/')}")
    assert (subscription.plan.price, subscription.package) == (euro(45), package)
    assert sorted(row["amount"] for row in await market.charges()) == [4_500, 8_000]
    assert amounts(await payments(market, subscription.name)) == [(1, 4_500)]
