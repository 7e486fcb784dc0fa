"""What the two parties do with a placed order, and who may do what."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from chassis.kernel.refusal import Kind, Refusal
from chassis.testing.service import Identity, observer, operator, refused, service
from parley.messaging.v1 import conversation_pb2, timeline_pb2
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
    Order,
    message_sent,
)
from tests.unit.orders.purchases import SELLER

PRICE = Order.DECLINE_REASON_PRICE
COMMANDS: dict[str, Any] = {
    "MarkProcessing": pb.MarkProcessingRequest,
    "ConfirmOrder": pb.ConfirmOrderRequest,
    "DeclineOrder": lambda name, **more: pb.DeclineOrderRequest(name=name, reason=PRICE, **more),
    "WithdrawOrder": pb.WithdrawOrderRequest,
    "ChangePaymentMethod": lambda name, **more: pb.ChangePaymentMethodRequest(
        name=name, payment_method=OFFLINE, **more
    ),
}


async def do(market: Market, method: str, name: str, who: Identity = ACME, **more: Any) -> Any:
    return await getattr(market.stub(who), method)(COMMANDS[method](name=name, **more))


@pytest.mark.covers("B04", "B11", "B35")
async def test_the_seller_marks_confirms_and_only_then_is_it_charged(market: Market) -> None:
    order = await market.place(package=REVIEWED, payment_method=ONLINE, payment_token="sandbox_success")
    market.service.clock.advance(MINUTES)
    marked = (await do(market, "MarkProcessing", order.name, AGENT)).order
    assert (marked.state, marked.folder, marked.etag) == (
        Order.STATE_PROCESSING,
        Order.FOLDER_PROCESSING,
        "v2",
    )
    assert (await do(market, "MarkProcessing", order.name)).order == marked
    await market.service.settle()
    assert await market.charges() == []
    answer = await do(market, "ConfirmOrder", order.name)
    assert list(answer.warnings) == []
    assert (answer.order.state, answer.order.folder) == (Order.STATE_CONFIRMED, Order.FOLDER_CONFIRMED)
    assert answer.order.payment_state == Order.PAYMENT_STATE_PENDING
    assert not answer.order.price_agreed_elsewhere
    await market.service.settle()
    assert (await market.get(order.name)).payment_state == Order.PAYMENT_STATE_PAID
    (charge,) = await market.charges()
    assert (charge["amount"], charge["currency"], charge["outcome"]) == (10_000, "EUR", "CAPTURED")
    assert await market.events(order.name) == [
        "OrderPlaced",
        "OrderProcessingStarted",
        "OrderConfirmed",
        "OrderPaid",
    ]


@pytest.mark.covers("B11", "B34")
async def test_the_seller_declines_with_a_reason_that_both_see(market: Market) -> None:
    order = await market.place(package=QUOTED, payment_method=ONLINE, payment_token="sandbox_success")
    request = pb.DeclineOrderRequest(name=order.name, reason=PRICE, text="Too little")
    declined = (await market.stub(ACME).DeclineOrder(request)).order
    assert (declined.state, declined.folder) == (Order.STATE_DECLINED, Order.FOLDER_CLOSED)
    seen = await market.get(order.name, ANA)
    assert (seen.decline_reason, seen.decline_text) == (PRICE, "Too little")
    await market.service.settle()
    assert await market.charges() == []
    (row,) = await market.rows("SELECT body FROM outbox WHERE version = 2")
    assert b"Too little" not in row["body"]


async def test_the_buyer_withdraws(market: Market) -> None:
    order = await market.place(package=QUOTED)
    withdrawn = (await do(market, "WithdrawOrder", order.name, ANA)).order
    assert (withdrawn.state, list(withdrawn.allowed_actions)) == (Order.STATE_WITHDRAWN, [])
    refusal = await refused(do(market, "ConfirmOrder", order.name))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
    assert refusal.metadata == {
        "resource": order.name,
        "state": "WITHDRAWN",
        "action": "confirm",
        "allowed_actions": "",
    }
    assert await market.events(order.name) == ["OrderPlaced", "OrderWithdrawn"]


@pytest.mark.covers("B37", "B39")
async def test_a_by_quote_order_can_be_confirmed_without_a_quote_but_not_silently(market: Market) -> None:
    order = await market.place(package=QUOTED)
    answer = await do(market, "ConfirmOrder", order.name)
    assert answer.order.price_agreed_elsewhere
    (warning,) = answer.warnings
    assert "unclear to the buyer" in warning


@pytest.mark.covers("B10")
async def test_the_payment_method_changes_until_the_confirmation(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    change = pb.ChangePaymentMethodRequest(name=order.name, payment_method=ONLINE)
    refusal = await refused(market.stub(ACME).ChangePaymentMethod(change))
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "PAYMENT_TOKEN_REQUIRED")
    change.payment_token = "sandbox_success"
    changed = (await market.stub(ANA).ChangePaymentMethod(change)).order
    assert (changed.payment_method, changed.etag) == (ONLINE, "v2")
    assert (await market.stub(ANA).ChangePaymentMethod(change)).order.etag == "v2"
    await do(market, "ConfirmOrder", order.name)
    await market.service.settle()
    assert len(await market.charges()) == 1
    for who in (ACME, ANA):
        refusal = await refused(do(market, "ChangePaymentMethod", order.name, who))
        assert refusal.reason == "TRANSITION_FORBIDDEN"
        assert refusal.metadata["state"] == "CONFIRMED"


@pytest.mark.covers("B10")
async def test_a_change_of_the_payment_method_comes_before_the_confirmation_or_not_at_all(
    market: Market,
) -> None:
    change: dict[str, Any] = {"payment_method": ONLINE, "payment_token": "sandbox_success"}
    orders = [await market.place(package=REVIEWED) for _ in range(6)]
    raced = await asyncio.gather(
        *(
            call
            for order in orders
            for call in (
                market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=order.name)),
                market.stub(ANA).ChangePaymentMethod(
                    pb.ChangePaymentMethodRequest(name=order.name, **change)
                ),
            )
        ),
        return_exceptions=True,
    )
    await market.service.settle()
    charged = 0
    for order, confirmed, changed in zip(orders, raced[::2], raced[1::2], strict=True):
        assert not isinstance(confirmed, BaseException)
        late = isinstance(changed, BaseException)
        if isinstance(changed, BaseException):
            assert (await refused(_raising(changed))).reason == "TRANSITION_FORBIDDEN"
        seen = await market.get(order.name)
        assert (seen.payment_method, seen.payment_state) == (
            (OFFLINE, Order.PAYMENT_STATE_OFFLINE) if late else (ONLINE, Order.PAYMENT_STATE_PAID)
        )
        charged += not late
    assert len(await market.charges()) == charged


@pytest.mark.covers("X06")
async def test_a_stranger_finds_nothing_and_a_party_is_told_what_it_may_not(market: Market) -> None:
    order = await market.place(package=REVIEWED, payment_method=ONLINE, payment_token="sandbox_success")
    before = await market.counts()
    reads: list[tuple[str, Any]] = [
        ("GetOrder", pb.GetOrderRequest(name=order.name)),
        ("ListPayments", pb.ListPaymentsRequest(parent=order.name)),
        ("RetryPayment", pb.RetryPaymentRequest(name=f"{order.name}/payments/none")),
    ]
    writes = [(method, make(name=order.name)) for method, make in COMMANDS.items()]
    for who, (method, request) in itertools.product(
        (STRANGER, RIVAL, observer("bosch"), service("offers"), operator()), reads + writes
    ):
        may_read = (who == operator() and method in {"GetOrder", "ListPayments"}) or (
            who == service("offers") and method == "GetOrder"
        )
        if may_read:
            await getattr(market.stub(who), method)(request)
            continue
        refusal = await refused(getattr(market.stub(who), method)(request))
        assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "NOT_FOUND"), (who, method)
    for method in ("ConfirmOrder", "MarkProcessing", "DeclineOrder", "WithdrawOrder"):
        who = ACME if method == "WithdrawOrder" else ANA
        assert (await refused(do(market, method, order.name, who))).reason == "PERMISSION_DENIED"
    assert await market.counts() == before


async def test_an_old_etag_is_refused_before_the_state_is_looked_at(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    await do(market, "MarkProcessing", order.name, etag="v1")
    for method in COMMANDS:
        who = ANA if method == "WithdrawOrder" else ACME
        refusal = await refused(do(market, method, order.name, who, etag="v1"))
        assert (refusal.kind, refusal.reason) == (Kind.STALE, "ETAG_MISMATCH")
        assert refusal.metadata == {"resource": order.name, "expected": "v1", "actual": "v2"}
    assert (await market.get(order.name)).etag == "v2"


@pytest.mark.covers("X01")
@pytest.mark.parametrize("method", COMMANDS)
async def test_every_command_answers_the_same_key_with_the_first_answer(market: Market, method: str) -> None:
    order = await market.place(package=REVIEWED, payment_method=ONLINE, payment_token="sandbox_success")
    who = ANA if method == "WithdrawOrder" else ACME
    calls = (do(market, method, order.name, who, request_id="k") for _ in range(10))
    answers = await asyncio.gather(*calls)
    await market.service.settle()
    answers.append(await do(market, method, order.name, who, request_id="k"))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    refusal = await refused(do(market, method, order.name, who, request_id="k", etag="v1"))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_of_confirm_decline_and_withdraw_at_once_exactly_one_wins(market: Market) -> None:
    for number in range(5):
        order = await market.place(package=REVIEWED, payment_method=ONLINE, payment_token="sandbox_success")
        attempts = [("ConfirmOrder", ACME), ("DeclineOrder", AGENT), ("WithdrawOrder", ANA)] * 3
        results = await asyncio.gather(
            *(
                do(market, method, order.name, who, request_id=f"{number}-{index}")
                for index, (method, who) in enumerate(attempts)
            ),
            return_exceptions=True,
        )
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert len(await market.events(order.name)) in {2, 3}
        refusals = [await refused(_raising(one)) for one in results if isinstance(one, BaseException)]
        assert {refusal.reason for refusal in refusals} == {"TRANSITION_FORBIDDEN"}


async def _raising(error: BaseException) -> Refusal:
    raise error


@pytest.mark.covers("B05")
async def test_the_sellers_first_public_message_starts_the_processing_once(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    silent = (
        message_sent(order.name, side=conversation_pb2.SIDE_BUYER, number=1),
        message_sent(order.name, kind=timeline_pb2.Message.KIND_INTERNAL_NOTE, number=2),
        # A mail changes no state.
        message_sent(order.name, channel=timeline_pb2.Message.CHANNEL_EMAIL, number=3),
    )
    for number, message in enumerate(silent, 1):
        await market.publish_and_settle(message, version=number)
    assert (await market.get(order.name)).state == Order.STATE_PENDING
    await market.publish_and_settle(message_sent(order.name, number=4), version=4, copies=3)
    seen = await market.get(order.name)
    assert (seen.state, seen.unread_count, seen.folder) == (
        Order.STATE_PROCESSING,
        0,
        Order.FOLDER_PROCESSING,
    )
    await market.publish_and_settle(message_sent(order.name, number=5), version=5)
    assert await market.events(order.name) == ["OrderPlaced", "OrderProcessingStarted"]


async def test_reading_changes_nothing(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    first = await market.get(order.name)
    assert first.unread_count == 1
    assert await market.get(order.name) == first


async def test_lists_are_paged_filtered_and_scoped(market: Market) -> None:
    names = []
    for package in (REVIEWED, QUOTED, REVIEWED, QUOTED, REVIEWED):
        names.append((await market.place(package=package)).name)
        market.service.clock.advance(MINUTES)
    names.reverse()
    await do(market, "DeclineOrder", names[0])
    await do(market, "MarkProcessing", names[1])
    await market.place(STRANGER, package=REVIEWED)

    async def listed(who: Identity, **fields: Any) -> list[str]:
        found: list[str] = []
        request = pb.ListOrdersRequest(page_size=2, **fields)
        while True:
            page = await market.stub(who).ListOrders(request)
            assert len(page.orders) <= 2
            found += [order.name for order in page.orders]
            request.page_token = page.next_page_token
            if not request.page_token:
                return found

    assert await listed(ANA) == names
    assert (await listed(AGENT, seller=SELLER))[1:] == names
    assert (await listed(operator(), seller=SELLER))[1:] == names
    assert await listed(operator()) == []
    assert await listed(ANA, states=[Order.STATE_DECLINED]) == names[:1]
    assert await listed(ANA, states=[Order.STATE_DECLINED, Order.STATE_PENDING]) == [names[0], *names[2:]]
    assert await listed(ACME, seller=SELLER, folder=Order.FOLDER_CLOSED) == names[:1]
    assert await listed(ACME, seller=SELLER, folder=Order.FOLDER_PROCESSING) == names[1:2]
    assert (await listed(ACME, seller=SELLER, folder=Order.FOLDER_INBOX))[1:] == names[2:]
    page = await market.stub(ANA).ListOrders(pb.ListOrdersRequest())
    assert {(order.folder, order.unread_count) for order in page.orders} == {(0, 0)}
    for who in (ANA, RIVAL):
        refusal = await refused(market.stub(who).ListOrders(pb.ListOrdersRequest(seller=SELLER)))
        assert (refusal.kind, refusal.metadata) == (Kind.NOT_FOUND, {"resource": SELLER})
