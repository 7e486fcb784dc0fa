"""Bad input on every method of subscriptions: the right code and reason, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.kernel.refusal import Kind
from chassis.testing.service import refused
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1 import payment_pb2
from parley.orders.v1 import subscription_methods_pb2 as methods
from parley.type.v1 import commerce_pb2
from tests.component.orders.market import ACME, ANA, Market, euro
from tests.component.orders.subscribers import (
    NOW,
    PERIOD_END,
    change,
    payments,
    preview,
    subscribe,
    wire_plan,
)
from tests.unit.orders.purchases import SELLER

UNKNOWN: Any = 99
PLAN = wire_plan(10)
NAMED: dict[str, Callable[..., Any]] = {
    "GetSubscription": methods.GetSubscriptionRequest,
    "PreviewPlanChange": partial(methods.PreviewPlanChangeRequest, plan=PLAN, when=NOW),
    "ChangePlan": partial(methods.ChangePlanRequest, plan=PLAN, when=PERIOD_END),
    "CancelSubscription": partial(methods.CancelSubscriptionRequest, when=NOW),
    "RevokeCancellation": methods.RevokeCancellationRequest,
    "ChangePaymentMeans": partial(methods.ChangePaymentMeansRequest, payment_token="sandbox_success"),
    "PauseSubscription": methods.PauseSubscriptionRequest,
    "ResumeSubscription": methods.ResumeSubscriptionRequest,
    "ListSubscriptionPayments": lambda name, **more: methods.ListSubscriptionPaymentsRequest(
        parent=name, **more
    ),
}
MUTATING = (
    "ChangePlan",
    "CancelSubscription",
    "RevokeCancellation",
    "ChangePaymentMeans",
    "PauseSubscription",
    "ResumeSubscription",
)
OF_PAYMENTS: dict[str, Callable[..., Any]] = {
    "MarkSubscriptionPaymentPaid": partial(
        methods.MarkSubscriptionPaymentPaidRequest, means=payment_pb2.Payment.MEANS_CASH
    ),
    "UnmarkSubscriptionPaymentPaid": methods.UnmarkSubscriptionPaymentPaidRequest,
}
S = "subscriptions/x"
FAR = Timestamp(seconds=10**14)
MALFORMED = [
    ("ListSubscriptions", methods.ListSubscriptionsRequest(page_size=-1), "page_size"),
    ("ListSubscriptions", methods.ListSubscriptionsRequest(page_size=1001), "page_size"),
    ("ListSubscriptions", methods.ListSubscriptionsRequest(seller="acme"), "seller"),
    ("ListSubscriptions", methods.ListSubscriptionsRequest(seller=SELLER, bucket=UNKNOWN), "bucket"),
    ("ListSubscriptionPayments", NAMED["ListSubscriptionPayments"](S, page_size=-1), "page_size"),
    ("CancelSubscription", methods.CancelSubscriptionRequest(name=S), "when"),
    ("CancelSubscription", methods.CancelSubscriptionRequest(name=S, when=UNKNOWN), "when"),
    ("PreviewPlanChange", methods.PreviewPlanChangeRequest(name=S, when=NOW), "plan"),
    ("PreviewPlanChange", methods.PreviewPlanChangeRequest(name=S, plan=PLAN), "when"),
    ("ChangePlan", methods.ChangePlanRequest(name=S, when=NOW), "plan"),
    ("ChangePlan", methods.ChangePlanRequest(name=S, plan=PLAN), "when"),
    ("ChangePlan", NAMED["ChangePlan"](name=S, preview_token="x" * 101), "preview_token"),
    ("ChangePlan", methods.ChangePlanRequest(name=S, plan=commerce_pb2.Plan(), when=NOW), "plan.price"),
    ("PauseSubscription", methods.PauseSubscriptionRequest(name=S, pause_time=FAR), "pause_time"),
    ("PauseSubscription", methods.PauseSubscriptionRequest(name=S, resume_time=FAR), "resume_time"),
    ("ResumeSubscription", methods.ResumeSubscriptionRequest(name=S, resume_time=FAR), "resume_time"),
    ("ChangePaymentMeans", methods.ChangePaymentMeansRequest(name=S), "payment_token"),
    ("ChangePaymentMeans", NAMED["ChangePaymentMeans"](name=S, payment_token="x" * 201), "payment_token"),
    *((method, make(name=S), "name") for method, make in OF_PAYMENTS.items()),
    *((method, make(name=f"{S}/payments/x", etag="x" * 65), "etag") for method, make in OF_PAYMENTS.items()),
    (
        "MarkSubscriptionPaymentPaid",
        methods.MarkSubscriptionPaymentPaidRequest(name=f"{S}/payments/x"),
        "means",
    ),
    *((method, make(name="orders/x"), "") for method, make in NAMED.items()),
    *((method, make(name=""), "") for method, make in NAMED.items()),
    *((method, NAMED[method](name=S, etag="x" * 65), "etag") for method in MUTATING),
    *((method, NAMED[method](name=S, request_id="ü"), "request_id") for method in MUTATING),
]


async def test_malformed_requests_are_refused_field_by_field(market: Market) -> None:
    before = await market.counts()
    for method, request, field in MALFORMED:
        who = ACME if getattr(request, "seller", "") or method in OF_PAYMENTS else ANA
        refusal = await refused(getattr(market.stub(who), method)(request))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "VALIDATION_FAILED"), (method, request)
        expected = field or ("parent" if method.startswith("List") else "name")
        assert expected in {violation.field for violation in refusal.violations}, (method, request)
    assert await market.counts() == before


async def test_what_does_not_exist_is_not_found(market: Market) -> None:
    before = await market.counts()
    for name in ("subscriptions/0198a000-0000-7000-8000-00000000dead", "subscriptions/no-uuid"):
        calls = [(method, make(name=name)) for method, make in NAMED.items()]
        calls.append(("RetryPayment", pb.RetryPaymentRequest(name=f"{name}/payments/x")))
        for method, request in calls:
            # Whose role never does it is told so before anything is looked up.
            for who in (ANA,) if method == "ChangePaymentMeans" else (ANA, ACME):
                refusal = await refused(getattr(market.stub(who), method)(request))
                assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "NOT_FOUND"), method
                assert refusal.metadata["resource"].startswith(name)
    assert await market.counts() == before


async def test_plans_that_make_no_sense_are_refused(market: Market) -> None:
    name = (await subscribe(market)).name
    before = await market.counts()
    for plan, reason in (
        (commerce_pb2.Plan(price=euro(0), interval=PLAN.interval, interval_count=1), "AMOUNT_INVALID"),
        (wire_plan(10, trial_days=3), "VALIDATION_FAILED"),
        (wire_plan(10, anchor_day=3), "VALIDATION_FAILED"),
        (wire_plan(10, period_count=1), "VALIDATION_FAILED"),
    ):
        for when in (NOW, PERIOD_END):
            assert (await refused(preview(market, name, plan, when))).reason == reason
            assert (await refused(change(market, name, plan, when))).reason == reason
    foreign = wire_plan(10)
    foreign.price.currency_code = "USD"
    assert (await refused(preview(market, name, foreign))).reason == "CURRENCY_MISMATCH"
    assert await market.counts() == before


async def test_page_tokens_belong_to_their_list(market: Market) -> None:
    name = (await subscribe(market)).name
    await subscribe(market)
    page = await market.stub().ListSubscriptions(methods.ListSubscriptionsRequest(page_size=1))
    for request in (
        methods.ListSubscriptionsRequest(page_token="nonsense"),
        methods.ListSubscriptionsRequest(page_token=page.next_page_token, seller=SELLER),
    ):
        refusal = await refused(market.stub(ACME if request.seller else ANA).ListSubscriptions(request))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "PAGE_TOKEN_INVALID")
    refusal = await refused(payments(market, name, page_token=page.next_page_token))
    assert refusal.reason == "PAGE_TOKEN_INVALID"
