"""Bad input on every RPC: the right code and reason, and nothing written."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from parley.orders.v1 import (
    audit_pb2,
    error_reason_pb2,
    fulfilment_pb2,
    order_pb2,
    payment_pb2,
    receipt_pb2,
    refund_pb2,
)
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1 import payment_methods_pb2 as money
from parley.type.v1 import commerce_pb2
from services.orders.domain.refusals import Reason
from tests.component.orders.market import ACME, ANA, REVIEWED, Market, place_request
from tests.unit.orders.purchases import PACKAGE, SELLER

UNKNOWN: Any = 99
MOVED = money.SettlePaymentRequest.OUTCOME_MOVED
INVALID = "VALIDATION_FAILED"
NAMED: dict[str, Any] = {
    "GetOrder": pb.GetOrderRequest,
    "MarkProcessing": pb.MarkProcessingRequest,
    "ConfirmOrder": pb.ConfirmOrderRequest,
    "DeclineOrder": lambda **more: pb.DeclineOrderRequest(
        **{"reason": order_pb2.Order.DECLINE_REASON_PRICE, **more}
    ),
    "WithdrawOrder": pb.WithdrawOrderRequest,
    "ChangePaymentMethod": lambda **more: pb.ChangePaymentMethodRequest(
        **{"payment_method": commerce_pb2.PAYMENT_METHOD_OFFLINE, **more}
    ),
    "StartOrder": work.StartOrderRequest,
    "DeliverOrder": work.DeliverOrderRequest,
    "RequestChanges": lambda **more: work.RequestChangesRequest(**{"text": "Bigger", **more}),
    "CompleteOrder": work.CompleteOrderRequest,
    "CancelOrder": lambda **more: work.CancelOrderRequest(
        **{"reason": fulfilment_pb2.Cancellation.REASON_POLICY, **more}
    ),
    "ListPayments": lambda name, **more: pb.ListPaymentsRequest(parent=name, **more),
    "ListAuditEntries": lambda name, **more: audit_pb2.ListAuditEntriesRequest(parent=name, **more),
    "MarkPaid": lambda **more: money.MarkPaidRequest(**{"means": payment_pb2.Payment.MEANS_CASH, **more}),
    "UnmarkPaid": money.UnmarkPaidRequest,
    "RefundPayment": lambda name, **more: money.RefundPaymentRequest(
        **{"name": f"{name}/payments/x" if name else "", "reason": refund_pb2.Refund.REASON_GOODWILL, **more}
    ),
    "ResumePayment": lambda name, **more: money.ResumePaymentRequest(
        name=f"{name}/payments/x" if name else "", **more
    ),
    "RetryPayment": lambda name, **more: pb.RetryPaymentRequest(
        name=f"{name}/payments/x" if name else "", **more
    ),
}
OTHER_REASONS: dict[str, Any] = {
    "DeclineOrder": order_pb2.Order.DECLINE_REASON_OTHER,
    "CancelOrder": fulfilment_pb2.Cancellation.REASON_OTHER,
    "RefundPayment": refund_pb2.Refund.REASON_OTHER,
}
READING = {"GetOrder", "ListPayments", "ListAuditEntries"}
MUTATING = [name for name in NAMED if name not in READING]

MALFORMED = [
    ("PlaceOrder", pb.PlaceOrderRequest(), "package"),
    ("PlaceOrder", place_request(package="sellers/acme/listings/logo"), "package"),
    ("PlaceOrder", place_request(package="sellers/ACME/listings/logo/packages/basic"), "package"),
    ("PlaceOrder", place_request(package=f"sellers/{'x' * 300}/listings/a/packages/b"), "package"),
    ("PlaceOrder", place_request(payment_method=0), "payment_method"),
    ("PlaceOrder", place_request(payment_method=UNKNOWN), "payment_method"),
    ("PlaceOrder", place_request(quantity=-1), "quantity"),
    ("PlaceOrder", place_request(quantity=100_001), "quantity"),
    ("PlaceOrder", place_request(payment_token="x" * 201), "payment_token"),
    ("PlaceOrder", place_request(requirements="x" * 10_001), "requirements"),
    ("PlaceOrder", place_request(request_id="x" * 65), "request_id"),
    ("PlaceOrder", place_request(request_id="with space"), "request_id"),
    ("PlaceOrder", place_request(billing_address=commerce_pb2.Address()), "billing_address.recipient"),
    ("PlaceOrder", place_request(start_time=Timestamp(seconds=10**14)), "start_time"),
    ("ListOrders", pb.ListOrdersRequest(page_size=-1), "page_size"),
    ("ListOrders", pb.ListOrdersRequest(page_size=1001), "page_size"),
    ("ListOrders", pb.ListOrdersRequest(seller="acme"), "seller"),
    ("ListOrders", pb.ListOrdersRequest(seller=SELLER, folder=UNKNOWN), "folder"),
    ("ListOrders", pb.ListOrdersRequest(states=[UNKNOWN]), "states[0]"),
    ("ListOrders", pb.ListOrdersRequest(folder=order_pb2.Order.FOLDER_INBOX), "folder"),
    ("DeclineOrder", pb.DeclineOrderRequest(name="orders/x"), "reason"),
    ("DeclineOrder", NAMED["DeclineOrder"](name="orders/x", reason=UNKNOWN), "reason"),
    ("DeclineOrder", NAMED["DeclineOrder"](name="orders/x", text="x" * 2001), "text"),
    *(
        (method, NAMED[method](name="orders/x", reason=other, text=text), "text")
        for method, other in OTHER_REASONS.items()
        for text in ("", " \t\n\u00a0\u200b")
    ),
    ("ChangePaymentMethod", pb.ChangePaymentMethodRequest(name="orders/x"), "payment_method"),
    (
        "ChangePaymentMethod",
        NAMED["ChangePaymentMethod"](name="orders/x", payment_token="x" * 201),
        "payment_token",
    ),
    ("DeliverOrder", work.DeliverOrderRequest(name="orders/x", text="x" * 2001), "text"),
    ("RequestChanges", work.RequestChangesRequest(name="orders/x"), "text"),
    ("RequestChanges", work.RequestChangesRequest(name="orders/x", text="x" * 2001), "text"),
    ("CancelOrder", work.CancelOrderRequest(name="orders/x"), "reason"),
    ("CancelOrder", NAMED["CancelOrder"](name="orders/x", reason=UNKNOWN), "reason"),
    ("CancelOrder", NAMED["CancelOrder"](name="orders/x", text="x" * 2001), "text"),
    ("ListPayments", pb.ListPaymentsRequest(parent="orders/x", page_size=-1), "page_size"),
    ("ListAuditEntries", audit_pb2.ListAuditEntriesRequest(parent="orders/x", page_size=1001), "page_size"),
    ("RetryPayment", pb.RetryPaymentRequest(name="orders/x"), "name"),
    (
        "RetryPayment",
        pb.RetryPaymentRequest(name="orders/x/payments/y", payment_token="x" * 201),
        "payment_token",
    ),
    ("ResumePayment", money.ResumePaymentRequest(name="orders/x"), "name"),
    ("GetReceipt", receipt_pb2.GetReceiptRequest(name="orders/x/payments/y"), "name"),
    ("DownloadReceipt", receipt_pb2.DownloadReceiptRequest(name="offers/x/payments/y/receipt"), "name"),
    ("MarkPaid", money.MarkPaidRequest(name="orders/x"), "means"),
    ("SettlePayment", money.SettlePaymentRequest(name="orders/x/payments/y", note="x"), "outcome"),
    ("SettlePayment", money.SettlePaymentRequest(name="orders/x/payments/y", outcome=MOVED), "note"),
    ("SettlePayment", money.SettlePaymentRequest(name="orders/x", outcome=MOVED, note="x"), "name"),
    ("RefundPayment", money.RefundPaymentRequest(name="orders/x/payments/y"), "reason"),
    ("RefundPayment", NAMED["RefundPayment"]("orders/x", reason=UNKNOWN), "reason"),
    ("RefundPayment", NAMED["RefundPayment"]("orders/x", text="x" * 2001), "text"),
    ("ListLedgerEntries", money.ListLedgerEntriesRequest(parent=SELLER, page_size=-1), "page_size"),
    ("ListLedgerEntries", money.ListLedgerEntriesRequest(parent=SELLER, page_size=1001), "page_size"),
    ("ListLedgerEntries", money.ListLedgerEntriesRequest(parent=SELLER, payment="orders/x"), "payment"),
    *((method, make(name="offers/x"), "") for method, make in NAMED.items() if method != "RetryPayment"),
    *((method, make(name=""), "") for method, make in NAMED.items()),
    *((method, NAMED[method](name="orders/x", etag="x" * 65), "etag") for method in MUTATING),
    *((method, NAMED[method](name="orders/x", request_id="ü"), "request_id") for method in MUTATING),
]


async def test_malformed_requests_are_refused_field_by_field(market: Market) -> None:
    before = await market.counts()
    for method, request, field in MALFORMED:
        who = ACME if getattr(request, "seller", "") or method == "ListLedgerEntries" else ANA
        refusal = await refused(getattr(market.stub(who), method)(request))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, INVALID), (method, request)
        expected = field or ("parent" if method.startswith("List") else "name")
        assert expected in {violation.field for violation in refusal.violations}, (method, request)
    assert await market.counts() == before


async def test_what_does_not_exist_is_not_found(market: Market) -> None:
    before = await market.counts()
    for name in ("orders/0198a000-0000-7000-8000-00000000dead", "orders/no-uuid", "orders/%00"):
        for method, make in NAMED.items():
            for who in (ANA, ACME):
                refusal = await refused(getattr(market.stub(who), method)(make(name=name)))
                assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "NOT_FOUND"), method
                assert refusal.metadata["resource"].startswith(name)
    assert await market.counts() == before


async def test_a_payment_of_another_order_is_not_found(market: Market) -> None:
    online = commerce_pb2.PAYMENT_METHOD_ONLINE
    first = await market.place(payment_method=online, payment_token="sandbox_decline_soft")
    second = await market.place()
    await market.service.settle()
    payment = (await market.payment(first.name)).name.rpartition("/")[2]
    request = pb.RetryPaymentRequest(name=f"{second.name}/payments/{payment}")
    assert (await refused(market.stub().RetryPayment(request))).kind is Kind.NOT_FOUND


@pytest.mark.parametrize(
    "total",
    [
        Money(currency_code="EUR", units=100, nanos=1),
        Money(currency_code="EURO", units=100),
        Money(currency_code="EUR", units=1, nanos=-10_000_000),
        Money(currency_code="EUR", units=10**17),
    ],
)
async def test_amounts_that_no_currency_has(market: Market, total: Money) -> None:
    refusal = await refused(market.stub().PlaceOrder(place_request(expected_total=total, request_id="k")))
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "AMOUNT_INVALID")
    other = await refused(
        market.stub().PlaceOrder(place_request(expected_total=Money(currency_code="USD", units=100)))
    )
    assert (other.kind, other.reason) == (Kind.STALE, "PRICE_CHANGED")
    assert set((await market.counts()).values()) == {0}


async def test_page_tokens_belong_to_their_arguments(market: Market) -> None:
    for _ in range(2):
        await market.place(package=REVIEWED)
    page = await market.stub().ListOrders(pb.ListOrdersRequest(page_size=1))
    assert page.next_page_token
    for request in (
        pb.ListOrdersRequest(page_token="nonsense"),
        pb.ListOrdersRequest(page_token=page.next_page_token[:-2]),
        pb.ListOrdersRequest(page_token=page.next_page_token, states=[order_pb2.Order.STATE_PENDING]),
    ):
        refusal = await refused(market.stub().ListOrders(request))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "PAGE_TOKEN_INVALID")
    payments = pb.ListPaymentsRequest(parent=page.orders[0].name, page_token=page.next_page_token)
    assert (await refused(market.stub().ListPayments(payments))).reason == "PAGE_TOKEN_INVALID"


async def test_a_request_of_five_megabytes_is_refused(market: Market) -> None:
    refusal = await refused(market.stub().PlaceOrder(place_request(requirements="x" * 5_000_000)))
    assert (refusal.kind, refusal.reason) == (Kind.EXHAUSTED, "PAYLOAD_TOO_LARGE")
    assert set((await market.counts()).values()) == {0}


def test_every_reason_of_the_contract_is_one_of_the_domain() -> None:
    declared = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert declared - {"UNSPECIFIED"} == {reason.value for reason in Reason}


def test_the_package_of_these_tests_is_well_formed() -> None:
    assert place_request().package == PACKAGE
