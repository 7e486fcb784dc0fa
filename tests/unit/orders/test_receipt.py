"""Receipts: what they say in every currency, and that no text of people becomes a part of the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind, Refusal
from services.orders.domain import ledger, refunding
from services.orders.domain.commerce import Address, LineItem
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment, Purpose, State
from services.orders.domain.receipt import TITLE_CHARACTERS, receipt_of
from services.orders.domain.refund import RefundAnswer, RefundReason
from services.orders.wire.receipts import get_receipt_response, receipt_page
from tests.unit.orders.purchases import NOW
from tests.unit.orders.test_payment import in_payment_state

EVIL = "<script>alert('\"&')</script>{number}"


def paid(currency: str, *prices: int, quantity: int = 1) -> tuple[Order, Payment]:
    items = tuple(
        LineItem(f"Position {number}", quantity, Money(currency, price))
        for number, price in enumerate(prices)
    )
    order, payment = in_payment_state(State.CAPTURED)
    total = Money(currency, sum(prices) * quantity)
    return replace(order, line_items=items, total=total), replace(payment, amount=total)


def given_back(payment: Payment, amount: int, *, succeeded: bool = True) -> Payment:
    asked, refund = refunding.request(
        payment,
        actor=Actor.SELLER,
        amount=Money(payment.amount.currency, amount),
        reason=RefundReason.NOT_AS_AGREED,
        text=EVIL,
        requested_by="users/s",
        now=NOW,
    )
    submitted, _ = refunding.submit(asked, refund.number, now=NOW)
    answer = RefundAnswer(succeeded, "" if succeeded else "lost_card")
    return refunding.resolve(submitted, refund.number, answer, now=NOW)


class Reader(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page(payment: Payment, order: Order) -> Reader:
    reader = Reader()
    reader.feed(receipt_page(receipt_of(payment, order)).data.decode())
    return reader


@pytest.mark.parametrize(
    ("currency", "prices", "texts"),
    [
        ("EUR", (1_050, 1), ("21.00 EUR", "0.02 EUR", "21.02 EUR", "20.92 EUR")),
        ("JPY", (500, 1), ("1000 JPY", "2 JPY", "1002 JPY", "992 JPY")),
        ("KWD", (1_234, 1), ("2.468 KWD", "0.002 KWD", "2.470 KWD", "2.460 KWD")),
    ],
)
def test_amounts_are_exact_in_their_currency(currency: str, prices: Any, texts: Any) -> None:
    order, payment = paid(currency, *prices, quantity=2)
    payment = given_back(given_back(payment, 10), 5, succeeded=False)
    receipt = receipt_of(payment, order)
    assert receipt.net_total == receipt.total - Money(currency, 10)
    assert [one.amount.amount for one in receipt.refunds] == [10]
    found = page(payment, order).texts
    assert all(text in found for text in texts)
    message = get_receipt_response(receipt).receipt
    assert message.total.currency_code == currency
    assert (message.number, message.name) == (
        f"R-{payment.id.upper()}",
        f"{payment.name}/receipt",
    )
    assert len(message.refunds) == 1
    assert len(ledger.captured(payment).entries) == 2


@pytest.mark.parametrize("state", [state for state in State if state is not State.CAPTURED])
def test_there_is_none_of_what_is_not_paid(state: State) -> None:
    order, payment = in_payment_state(state)
    with pytest.raises(Refusal) as refused:
        receipt_of(payment, order)
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "PAYMENT_NOT_RECEIVED")
    assert refused.value.metadata == {"payment": payment.name, "state": state.value}


def test_no_text_becomes_a_part_of_the_page() -> None:
    order, payment = paid("EUR", 10_000)
    plain = page(given_back(payment, 1), order)
    address = Address(EVIL, EVIL, (EVIL,), EVIL, EVIL, EVIL)
    order = replace(
        order,
        line_items=(LineItem(EVIL, 1, order.total),),
        billing_address=address,
    )
    evil = page(replace(given_back(payment, 1), seller=EVIL, buyer=EVIL, provider=EVIL), order)
    assert evil.tags - {"br"} == plain.tags
    assert "script" not in evil.tags
    assert EVIL in evil.texts


def test_a_period_is_one_position_of_what_was_charged() -> None:
    order, payment = paid("EUR", 10_000, 500)
    long = replace(order, line_items=(LineItem("x" * 200, 1, Money("EUR", 1)), *order.line_items))
    period = replace(payment, purpose=Purpose.SUBSCRIPTION_PERIOD, sequence=3, amount=Money("EUR", 4_217))
    receipt = receipt_of(period, long)
    (only,) = receipt.line_items
    assert (only.quantity, only.unit_price, len(only.title)) == (1, period.amount, TITLE_CHARACTERS)
    assert "Period 3 of the subscription" in page(period, long).texts
    assert receipt.pay_time == datetime(NOW.year, NOW.month, NOW.day, NOW.hour, tzinfo=UTC)
