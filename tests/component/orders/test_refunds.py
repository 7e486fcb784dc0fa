"""Refunds through the running service, and the ledger that agrees with them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.db import ConstraintError
from chassis.kernel.refusal import Kind, Refusal
from chassis.testing.service import Identity, operator, refused
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import fulfilment_pb2, ledger_pb2, order_pb2, refund_pb2
from parley.orders.v1 import payment_methods_pb2 as pb
from tests.component.orders.market import ACME, AGENT, ANA, MINUTES, ONLINE, RIVAL, STRANGER, Market, euro

Refund, Entry = refund_pb2.Refund, ledger_pb2.LedgerEntry
DAMAGED = Refund.REASON_NOT_AS_AGREED


async def paid(market: Market, token: str = "sandbox_success") -> tuple[str, Any]:
    name = (await market.place(payment_method=ONLINE, payment_token=token)).name
    await market.service.settle()
    return name, await market.payment(name)


async def refund(market: Market, payment: str, units: int = 0, *, who: Identity = ACME, **more: Any) -> Any:
    amount = euro(units) if units else None
    request = pb.RefundPaymentRequest(name=payment, amount=amount, reason=DAMAGED, text="Scratched", **more)
    return (await market.stub(who).RefundPayment(request)).payment


async def books(market: Market, who: Identity = ACME, **more: Any) -> list[Any]:
    request = pb.ListLedgerEntriesRequest(parent="sellers/acme", **more)
    return list((await market.stub(who).ListLedgerEntries(request)).ledger_entries)


async def test_a_part_then_the_rest_goes_back_and_both_see_it(market: Market) -> None:
    order, payment = await paid(market)
    assert list((await market.payment(order, ACME)).allowed_actions) == ["refund"]
    assert list(payment.allowed_actions) == []
    first = await refund(market, payment.name, 30, who=AGENT)
    assert (first.refunds[0].state, first.refundable_amount) == (Refund.STATE_CREATED, euro(70))
    await market.service.settle()
    known = await market.payment(order)
    (one,) = known.refunds
    assert (one.state, one.amount, one.reason, one.text) == (
        Refund.STATE_SUCCEEDED,
        euro(30),
        DAMAGED,
        "Scratched",
    )
    assert (known.refunded_amount, known.refundable_amount) == (euro(30), euro(70))
    await refund(market, payment.name, who=operator())
    await market.service.settle()
    done = await market.payment(order)
    assert (done.refunded_amount.units, done.refundable_amount.units) == (100, 0)
    assert list((await market.payment(order, ACME)).allowed_actions) == []
    assert (await market.get(order, ANA)).refunded_total == euro(100)
    assert await market.events(order) == ["OrderPlaced", "OrderPaid", "OrderRefunded", "OrderRefunded"]
    bodies = await market.rows("SELECT body FROM outbox")
    assert not any(b"Scratched" in row["body"] for row in bodies)


async def test_fifty_refunds_at_once_never_exceed_what_was_captured(market: Market) -> None:
    order, payment = await paid(market)
    answers = await asyncio.gather(
        *(refund(market, payment.name, 30) for _ in range(50)), return_exceptions=True
    )
    accepted = [one for one in answers if not isinstance(one, BaseException)]
    refusals = [one for one in answers if isinstance(one, BaseException)]
    assert len(accepted) == 3
    for one in refusals[:3]:
        refusal = await refused(_raise(one))
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "REFUND_EXCEEDS_PAYMENT")
        assert refusal.metadata["refundable"] in {"10.00 EUR", "40.00 EUR", "70.00 EUR"}
    await market.service.settle()
    assert (await market.payment(order)).refunded_amount == euro(90)
    returned = await market.rows("SELECT * FROM sandbox_refund")
    assert sum(row["amount"] for row in returned) == 9_000


async def _raise(error: BaseException) -> None:
    raise error


async def test_a_repeated_request_gives_back_once(market: Market) -> None:
    order, payment = await paid(market)
    answers = await asyncio.gather(
        *(refund(market, payment.name, 10, request_id="once", etag=payment.etag) for _ in range(10))
    )
    assert {len(answer.refunds) for answer in answers} == {1}
    await market.service.settle()
    assert (await market.payment(order)).refunded_amount == euro(10)
    stale = await refused(refund(market, payment.name, 10, etag=payment.etag))
    assert (stale.kind, stale.reason) == (Kind.STALE, "ETAG_MISMATCH")


async def test_a_refusal_of_the_provider_leaves_everything_where_it_was(market: Market) -> None:
    order, payment = await paid(market, "sandbox_refund_fails")
    await refund(market, payment.name)
    await market.service.settle()
    known = await market.payment(order)
    assert known.refunds[0].state == Refund.STATE_FAILED
    assert known.refunds[0].failure_code == "expired_or_canceled_card"
    assert (known.refunded_amount.units, known.refundable_amount) == (0, euro(100))
    assert not (await market.get(order)).HasField("refunded_total")
    assert (await market.events(order))[-1] == "OrderRefundFailed"
    assert len(await books(market)) == 2


async def test_a_lost_answer_is_asked_for_by_its_key(market: Market) -> None:
    order, payment = await paid(market, "sandbox_timeout_after_refund")
    await refund(market, payment.name, 60)
    await market.service.settle()
    lost = await market.payment(order)
    assert (lost.refunds[0].state, lost.refundable_amount) == (Refund.STATE_UNKNOWN, euro(40))
    await market.service.advance(5 * MINUTES)
    assert (await market.payment(order)).refunds[0].state == Refund.STATE_SUCCEEDED
    assert len(await market.rows("SELECT * FROM sandbox_refund")) == 1
    assert (await market.counts())["timer"] == 0


async def test_what_is_owed_after_a_cancellation_goes_down_with_every_refund(market: Market) -> None:
    order, payment = await paid(market)
    reason = fulfilment_pb2.Cancellation.REASON_NOT_NEEDED
    await market.stub().CancelOrder(work.CancelOrderRequest(name=order, reason=reason))
    await refund(market, payment.name, 99)
    assert (await market.get(order)).refund_due == euro(100)
    await market.service.settle()
    assert (await market.get(order)).refund_due == euro(1)
    await refund(market, payment.name)
    await market.service.settle()
    ended = await market.get(order)
    assert (ended.HasField("refund_due"), ended.refunded_total) == (False, euro(100))
    assert ended.payment_state == order_pb2.Order.PAYMENT_STATE_PAID


async def test_who_may_refund_and_what_cannot_be(market: Market) -> None:
    order, payment = await paid(market)
    assert (await refused(refund(market, payment.name, who=ANA))).kind is Kind.DENIED
    for who in (RIVAL, STRANGER):
        assert (await refused(refund(market, payment.name, who=who))).kind is Kind.NOT_FOUND
    assert (await refused(refund(market, f"{order}/payments/none"))).kind is Kind.NOT_FOUND
    declined = (await paid(market, "sandbox_decline_soft"))[1]
    refusal = await refused(refund(market, declined.name))
    assert (refusal.reason, refusal.metadata["state"]) == ("TRANSITION_FORBIDDEN", "DECLINED")
    other = pb.RefundPaymentRequest(name=payment.name, amount=euro(1), reason=DAMAGED)
    other.amount.currency_code = "USD"
    assert (await refused(market.stub(ACME).RefundPayment(other))).reason == "CURRENCY_MISMATCH"
    other.amount.CopyFrom(euro(-1))
    assert (await refused(market.stub(ACME).RefundPayment(other))).reason == "AMOUNT_INVALID"


async def test_the_owner_and_the_operator_read_the_books(market: Market) -> None:
    _, payment = await paid(market)
    await refund(market, payment.name, 30)
    market.service.clock.advance(MINUTES)
    await market.service.settle()
    lines = await books(market)
    assert [(line.kind, line.account, line.side, line.amount.units) for line in lines] == [
        (Entry.KIND_REFUND, Entry.ACCOUNT_PROVIDER_CLEARING, Entry.SIDE_CREDIT, 30),
        (Entry.KIND_REFUND, Entry.ACCOUNT_REFUNDS, Entry.SIDE_DEBIT, 30),
        (Entry.KIND_CAPTURE, Entry.ACCOUNT_SELLER_PAYABLE, Entry.SIDE_CREDIT, 100),
        (Entry.KIND_CAPTURE, Entry.ACCOUNT_PROVIDER_CLEARING, Entry.SIDE_DEBIT, 100),
    ]
    assert {line.payment for line in lines} == {payment.name}
    assert {line.buyer for line in lines} == {"users/ana"}
    assert [line.party for line in lines] == ["sandbox", "sellers/acme", "sellers/acme", "sandbox"]
    assert await books(market, operator()) == lines
    await paid(market)
    assert await books(market, payment=payment.name) == lines
    assert len(await books(market)) == 6
    assert (await refused(books(market, AGENT))).kind is Kind.DENIED
    assert (await refused(books(market, RIVAL))).kind is Kind.NOT_FOUND
    request = pb.ListLedgerEntriesRequest(parent="sellers/acme", page_size=4)
    page = await market.stub(ACME).ListLedgerEntries(request)
    request.page_token = page.next_page_token
    rest = await market.stub(ACME).ListLedgerEntries(request)
    assert (len(page.ledger_entries), len(rest.ledger_entries), rest.next_page_token) == (4, 2, "")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET amount = 1",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry",
        "UPDATE ledger_transaction SET kind = 'REFUND'",
        "DELETE FROM ledger_transaction",
        "TRUNCATE ledger_transaction CASCADE",
    ],
)
async def test_the_database_refuses_to_change_the_books(market: Market, statement: str) -> None:
    await paid(market)
    with pytest.raises((ConstraintError, Refusal)):
        await market.rows(statement)
    assert [line.amount.units for line in await books(market)] == [100, 100]


def lines(transaction: str, *entries: tuple[str, str, int]) -> str:
    rows = (
        f"('{number}', '{transaction}', 'REFUNDS', 'p', '{side}', '{currency}', {amount}, 's', now())"
        for number, (side, currency, amount) in enumerate(entries)
    )
    return f"INSERT INTO ledger_entry VALUES {', '.join(rows)}"


FIVE, BACK = ("DEBIT", "EUR", 5), ("CREDIT", "EUR", 5)


@pytest.mark.parametrize(
    ("more", "constraint"),
    [
        (lines("{held}", FIVE), "ck_ledger_transaction_sealed"),
        (lines("{held}", FIVE, BACK), "ck_ledger_transaction_sealed"),
        (lines("new", FIVE), "ck_ledger_transaction_sealed"),
        (lines("new", FIVE, ("CREDIT", "EUR", 4)), "ck_ledger_transaction_balanced"),
        (lines("new", FIVE, ("CREDIT", "USD", 5)), "ck_ledger_transaction_balanced"),
    ],
)
async def test_the_database_refuses_what_is_not_balanced_or_comes_later(
    market: Market, more: str, constraint: str
) -> None:
    await paid(market)
    (held,) = await market.rows("SELECT * FROM ledger_transaction")

    async def book() -> None:
        async with market.service.host.database.connection() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO ledger_transaction SELECT 'new', 'REFUND', payment_id, payment, seller, buyer, "
                "2, now() FROM ledger_transaction"
            )
            await connection.execute(more.format(held=held["id"]))

    with pytest.raises(ConstraintError) as broken:
        await book()
    assert broken.value.constraint == constraint
    assert len(await books(market)) == 2


async def test_the_database_refuses_to_hold_more_back_than_was_taken(market: Market) -> None:
    await paid(market)
    with pytest.raises(ConstraintError):
        await market.rows("UPDATE payment SET reserved = amount + 1")
