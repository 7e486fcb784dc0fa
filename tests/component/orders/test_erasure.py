"""Erasing a buyer: what holds it up, and that erasing him again changes nothing."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from chassis.testing.service import Identity, service
from parley.messaging.v1.erasure_pb2 import ErasureRequested
from parley.orders.v1 import erasure_pb2, fulfilment_pb2, personal_data_pb2
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1 import payment_methods_pb2 as payments
from parley.orders.v1.order_pb2 import Order
from parley.orders.v1.payment_pb2 import Payment
from parley.orders.v1.refund_pb2 import Refund
from parley.type.v1 import commerce_pb2
from tests.component.orders import subscribers
from tests.component.orders.market import ACME, ANA, MINUTES, ONLINE, REVIEWED, STRANGER, Market
from tests.unit.orders.purchases import BUYER

MESSAGING = service("messaging")
WORDS = "canarywords"


async def holds(market: Market) -> dict[str, str]:
    """What has to end before ana can be erased, and why."""
    request = erasure_pb2.ListErasureHoldsRequest(parent=BUYER)
    found = (await market.stub(MESSAGING).ListErasureHolds(request)).holds
    reason = erasure_pb2.ErasureHold.Reason.Name
    return {each.resource: reason(each.reason).removeprefix("REASON_") for each in found}


async def cancel(market: Market, order: str) -> None:
    reason = fulfilment_pb2.Cancellation.REASON_NOT_NEEDED
    await market.stub().CancelOrder(work.CancelOrderRequest(name=order, reason=reason, text=WORDS))


async def bought(market: Market, token: str) -> str:
    """An order whose payment was tried."""
    name = (await market.place(payment_method=ONLINE, payment_token=token)).name
    await market.service.settle()
    return name


async def complete(market: Market, order: str) -> None:
    for name, who in (("StartOrder", ACME), ("DeliverOrder", ACME), ("CompleteOrder", ANA)):
        await getattr(market.stub(who), name)(getattr(work, f"{name}Request")(name=order))


async def test_what_is_open_and_what_is_not_settled_holds_it_up(market: Market) -> None:
    assert await holds(market) == {}
    reviewed = (await market.place(package=REVIEWED)).name
    assert await holds(market) == {reviewed: "OPEN_ORDER"}
    others = erasure_pb2.ListErasureHoldsRequest(parent="users/bob")
    assert not (await market.stub(MESSAGING).ListErasureHolds(others)).holds
    declining = pb.DeclineOrderRequest(name=reviewed, reason=Order.DECLINE_REASON_PRICE)
    await market.stub(ACME).DeclineOrder(declining)
    assert await holds(market) == {}

    subscription = await subscribers.subscribe(market)
    order = subscription.name.replace("subscriptions/", "orders/")
    assert await holds(market) == {order: "OPEN_ORDER", subscription.name: "OPEN_SUBSCRIPTION"}
    await complete(market, order)
    assert await holds(market) == {subscription.name: "OPEN_SUBSCRIPTION"}
    await subscribers.cancel(market, subscription.name)
    assert await holds(market) == {}
    await _unsettled(market)


async def _unsettled(market: Market) -> None:
    asked = await bought(market, "sandbox_timeout_after_charge")
    lost = (await market.payment(asked)).name
    assert await holds(market) == {asked: "OPEN_ORDER", lost: "UNSETTLED_PAYMENT"}
    await cancel(market, asked)
    paid = await bought(market, "sandbox_timeout_after_refund")
    await cancel(market, paid)
    payment = (await market.payment(paid)).name
    request = payments.RefundPaymentRequest(name=payment, reason=Refund.REASON_NOT_AS_AGREED)
    await market.stub(ACME).RefundPayment(request)
    await market.service.settle()
    assert await holds(market) == {lost: "UNSETTLED_PAYMENT", payment: "UNSETTLED_REFUND"}
    await market.service.advance(5 * MINUTES)
    assert await holds(market) == {}

    # What was delivered and never paid for is owed.
    owed = await bought(market, "sandbox_decline_soft")
    await complete(market, owed)
    assert await holds(market) == {(await market.payment(owed)).name: "UNSETTLED_PAYMENT"}


async def test_erasing_a_buyer_again_changes_nothing(market: Market) -> None:
    address = commerce_pb2.Address(
        recipient=WORDS, address_lines=["Main Street 1"], postal_code="1", locality="Bern", region_code="CH"
    )
    name = (await market.place(requirements=WORDS, billing_address=address)).name
    await market.stub(ACME).StartOrder(work.StartOrderRequest(name=name))
    await market.stub(ACME).DeliverOrder(work.DeliverOrderRequest(name=name, text="Here"))
    await market.stub().RequestChanges(work.RequestChangesRequest(name=name, text=WORDS))
    await cancel(market, name)
    assert WORDS in str(await _records(market))
    first = await _erase(market, 1)
    (order,) = json.loads(first[0])
    assert WORDS not in str(first) + str(await _records(market))
    assert order["deliveries"][0]["text"] == "Here"
    assert await _erase(market, 2) == first


CARD = "pm_canarycard"


async def test_means_of_payment_go_once_nothing_is_charged_by_them_any_more(market: Market) -> None:
    for name in [await bought(market, CARD), await bought(market, "sandbox_timeout_after_charge")]:
        await cancel(market, name)
    ended = await subscribers.subscribe(market, token=CARD)
    await subscribers.cancel(market, ended.name)
    await cancel(market, ended.name.replace("subscriptions/", "orders/"))
    done, bobs = await bought(market, "sandbox_success"), await _declined(market, STRANGER)
    await complete(market, done)
    await market.service.advance(5 * MINUTES)
    assert await holds(market) == {}
    before = await _tokens(market)
    assert before.count(CARD) == 9
    assert {"orders", "payments", "subscriptions"} == {
        each.kind for each in await _kept(market) if CARD in each.content
    }

    # What began since the wish, and what is still owed, goes on.
    subscription = await subscribers.subscribe(market, token="sandbox_success", name="choir")
    owed = await _declined(market)
    await complete(market, owed)
    await _erase(market, 1)
    assert [each for each in await _records(market) if CARD in each] == []
    assert CARD not in await _tokens(market)
    assert await _tokens(market, "users/bob") == ["sandbox_decline_soft"] * 3
    assert sorted(await _tokens(market)) == ["sandbox_decline_soft"] * 2 + ["sandbox_success"] * 4
    assert (await market.payment(bobs, STRANGER)).attempts
    retry = pb.RetryPaymentRequest(name=(await market.payment(owed)).name)
    await market.stub().RetryPayment(retry)
    await market.service.settle()
    assert [each.decline_code for each in (await market.payment(owed)).attempts] == ["insufficient_funds"] * 2
    await subscribers.until(market, subscription.period_end_time.ToDatetime(UTC))
    renewed = await subscribers.payments(market, subscription.name)
    assert [each.state for each in renewed] == [Payment.STATE_CAPTURED] * 2

    # Money still goes back without them.
    request = payments.RefundPaymentRequest(
        name=(await market.payment(done)).name, reason=Refund.REASON_NOT_AS_AGREED
    )
    await market.stub(ACME).RefundPayment(request)
    await market.service.settle()
    (refund,) = (await market.payment(done)).refunds
    assert refund.state == Refund.STATE_SUCCEEDED


async def _declined(market: Market, who: Identity = ANA) -> str:
    """An order whose payment can be tried again."""
    placed = await market.place(who, payment_method=ONLINE, payment_token="sandbox_decline_soft")
    await market.service.settle()
    return placed.name


async def _tokens(market: Market, who: str = BUYER) -> list[str]:
    """Every means of payment that is kept of somebody, in whatever table; of the sandbox, none of its own."""
    found = await market.rows(
        """
        WITH his AS (SELECT id, token FROM payment WHERE buyer = $1),
            tried AS (SELECT key, a.token FROM payment_attempt AS a JOIN his ON his.id = payment_id)
        SELECT payment_token AS token FROM orders WHERE buyer = $1
        UNION ALL SELECT payment_token FROM subscription WHERE buyer = $1
        UNION ALL SELECT token FROM his UNION ALL SELECT token FROM tried
        UNION ALL SELECT charge.token FROM sandbox_charge AS charge JOIN tried USING (key)
            WHERE charge.token NOT LIKE 'sandbox%'
        """,
        who,
    )
    return [row["token"] for row in found if row["token"]]


async def _kept(market: Market) -> list[Any]:
    request = personal_data_pb2.ListOrdersRecordsRequest(parent=BUYER)
    return list((await market.stub(MESSAGING).ListOrdersRecords(request)).records)


async def _records(market: Market) -> list[str]:
    return [each.content for each in await _kept(market)]


async def _erase(market: Market, number: int) -> list[Any]:
    """Erases ana; her orders and payments afterwards."""
    name = f"erasures/0190a000-0000-7000-8000-{number:012d}"
    await market.publish_and_settle(ErasureRequested(erasure=name, user=BUYER), version=1)
    assert await market.events(name) == ["PersonalDataErased"]
    tables = ("orders", "payment")
    rows = [await market.rows(f"SELECT json_agg(t)::text AS kept FROM {table} AS t") for table in tables]
    return [row["kept"] for (row,) in rows]
