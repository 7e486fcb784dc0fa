"""Subscriptions: requests to commands, views to answers."""

from __future__ import annotations

from datetime import date
from typing import Any

from google.type.date_pb2 import Date

from chassis.kernel.machine import Actor
from chassis.paging import next_page_token, page_request
from chassis.wire import optional_instant, optional_timestamp, timestamp, wire_money, write_actions
from parley.orders.v1 import orders_service_pb2, payment_pb2, subscription_pb2
from parley.orders.v1 import subscription_methods_pb2 as pb
from services.orders.app.subscription_offline import (
    MarkSubscriptionPaymentPaid,
    UnmarkSubscriptionPaymentPaid,
)
from services.orders.app.subscriptions import (
    CancelSubscription,
    ChangePaymentMeans,
    ChangePlan,
    ListSubscriptionPayments,
    ListSubscriptions,
    PauseSubscription,
    ResumeSubscription,
    RetrySubscriptionPayment,
    RevokeCancellation,
    SubscriptionPaymentsView,
    SubscriptionPaymentView,
    SubscriptionsView,
    SubscriptionView,
)
from services.orders.domain.commerce import Plan
from services.orders.domain.payment import Payment
from services.orders.domain.refusals import EXPLANATIONS
from services.orders.domain.subscription import dunning, facts, lifecycle
from services.orders.domain.subscription.facts import Bucket, EndReason, Subscription, When
from services.orders.domain.subscription.plan_change import Preview
from services.orders.wire import values
from services.orders.wire.payments import MEANS_READ, payment_facts

BUCKETS = {one: subscription_pb2.Subscription.Bucket.Value(f"BUCKET_{one.value}") for one in Bucket}
END_REASONS = {
    one: subscription_pb2.Subscription.EndReason.Value(f"END_REASON_{one.value}") for one in EndReason
}
_PARTIES = {
    Actor.BUYER: subscription_pb2.Subscription.PARTY_BUYER,
    Actor.SELLER: subscription_pb2.Subscription.PARTY_SELLER,
}
_BUCKETS_READ = {wire: bucket for bucket, wire in BUCKETS.items()}
_WHENS = {subscription_pb2.Subscription.When.Value(f"WHEN_{one.value}"): one for one in When}

# ---------------------------------------------------------------------------------------------- requests


def get_subscription_query(request: pb.GetSubscriptionRequest) -> str:
    """The name."""
    return request.name


def list_subscriptions_query(request: pb.ListSubscriptionsRequest) -> ListSubscriptions:
    """Which subscriptions. Refusal PAGE_TOKEN_INVALID."""
    return ListSubscriptions(page_request(request), request.seller, _BUCKETS_READ.get(request.bucket))


def list_subscription_payments_query(request: pb.ListSubscriptionPaymentsRequest) -> ListSubscriptionPayments:
    """Whose payments. Refusal PAGE_TOKEN_INVALID."""
    return ListSubscriptionPayments(request.parent, page_request(request))


def preview_plan_change_query(request: pb.PreviewPlanChangeRequest) -> ChangePlan:
    """Which subscription, and the plan. Refusal AMOUNT_INVALID."""
    return ChangePlan(request.name, _plan(request), _WHENS[request.when])


def change_plan_command(request: pb.ChangePlanRequest) -> ChangePlan:
    """Which subscription, the plan, and the preview that was seen. Refusal AMOUNT_INVALID."""
    return ChangePlan(request.name, _plan(request), _WHENS[request.when], request.preview_token, request.etag)


def cancel_subscription_command(request: pb.CancelSubscriptionRequest) -> CancelSubscription:
    """Which subscription, and when."""
    return CancelSubscription(request.name, _WHENS[request.when], request.etag)


def revoke_cancellation_command(request: pb.RevokeCancellationRequest) -> RevokeCancellation:
    """Which subscription."""
    return RevokeCancellation(request.name, request.etag)


def change_payment_means_command(request: pb.ChangePaymentMeansRequest) -> ChangePaymentMeans:
    """Which subscription, and by which means."""
    return ChangePaymentMeans(request.name, request.payment_token, request.etag)


def mark_paid_command(request: pb.MarkSubscriptionPaymentPaidRequest) -> MarkSubscriptionPaymentPaid:
    """Which payment, and how it was paid."""
    return MarkSubscriptionPaymentPaid(request.name, MEANS_READ[request.means], request.etag)


def unmark_paid_command(request: pb.UnmarkSubscriptionPaymentPaidRequest) -> UnmarkSubscriptionPaymentPaid:
    """Which payment."""
    return UnmarkSubscriptionPaymentPaid(request.name, request.etag)


def pause_subscription_command(request: pb.PauseSubscriptionRequest) -> PauseSubscription:
    """Which subscription, from when to when."""
    return PauseSubscription(
        request.name,
        optional_instant(request, "pause_time"),
        optional_instant(request, "resume_time"),
        request.etag,
    )


def resume_subscription_command(request: pb.ResumeSubscriptionRequest) -> ResumeSubscription:
    """Which subscription, and when."""
    return ResumeSubscription(request.name, optional_instant(request, "resume_time"), request.etag)


def retry_payment_command(request: orders_service_pb2.RetryPaymentRequest) -> RetrySubscriptionPayment:
    """Which payment of a subscription, and by which means."""
    return RetrySubscriptionPayment(request.name, request.payment_token, request.etag)


def _plan(request: Any) -> Plan:
    plan = values.plan(request)
    assert plan is not None, "the chain has checked that it is there"
    return plan


# ----------------------------------------------------------------------------------------------- answers


def get_subscription_response(view: SubscriptionView) -> pb.GetSubscriptionResponse:
    """The subscription."""
    return pb.GetSubscriptionResponse(subscription=_message_of(view))


def list_subscriptions_response(
    view: SubscriptionsView, request: pb.ListSubscriptionsRequest
) -> pb.ListSubscriptionsResponse:
    """A page of subscriptions; its token is bound to `request`."""
    return pb.ListSubscriptionsResponse(
        subscriptions=[subscription_message(one, view.actor) for one in view.page.items],
        next_page_token=next_page_token(request, view.page.next_cursor),
    )


def preview_plan_change_response(preview: Preview) -> pb.PreviewPlanChangeResponse:
    """What the change would do."""
    message = subscription_pb2.PlanChangePreview(
        effective_time=timestamp(preview.effective_time),
        credit=wire_money(preview.credit),
        charge=wire_money(preview.charge),
        amount_due=wire_money(preview.amount_due),
        balance=wire_money(preview.balance),
        period_start_date=wire_date(preview.period_begin),
        period_end_date=wire_date(preview.period_end),
        preview_token=preview.token,
    )
    if not preview.is_last:
        message.next_charge_time.CopyFrom(timestamp(preview.next_time))
        message.next_charge_amount.CopyFrom(wire_money(preview.next_amount))
    return pb.PreviewPlanChangeResponse(preview=message)


def change_plan_response(view: SubscriptionView) -> pb.ChangePlanResponse:
    """The subscription after the call."""
    return pb.ChangePlanResponse(subscription=_message_of(view))


def cancel_subscription_response(view: SubscriptionView) -> pb.CancelSubscriptionResponse:
    """The subscription after the call."""
    return pb.CancelSubscriptionResponse(subscription=_message_of(view))


def revoke_cancellation_response(view: SubscriptionView) -> pb.RevokeCancellationResponse:
    """The subscription after the call."""
    return pb.RevokeCancellationResponse(subscription=_message_of(view))


def change_payment_means_response(view: SubscriptionView) -> pb.ChangePaymentMeansResponse:
    """The subscription after the call."""
    return pb.ChangePaymentMeansResponse(subscription=_message_of(view))


def mark_paid_response(view: SubscriptionPaymentView) -> pb.MarkSubscriptionPaymentPaidResponse:
    """The payment after the call."""
    return pb.MarkSubscriptionPaymentPaidResponse(payment=_payment_message_of(view))


def unmark_paid_response(view: SubscriptionPaymentView) -> pb.UnmarkSubscriptionPaymentPaidResponse:
    """The payment after the call."""
    return pb.UnmarkSubscriptionPaymentPaidResponse(payment=_payment_message_of(view))


def pause_subscription_response(view: SubscriptionView) -> pb.PauseSubscriptionResponse:
    """The subscription after the call."""
    return pb.PauseSubscriptionResponse(subscription=_message_of(view))


def resume_subscription_response(view: SubscriptionView) -> pb.ResumeSubscriptionResponse:
    """The subscription after the call."""
    return pb.ResumeSubscriptionResponse(subscription=_message_of(view))


def list_subscription_payments_response(
    view: SubscriptionPaymentsView, request: pb.ListSubscriptionPaymentsRequest
) -> pb.ListSubscriptionPaymentsResponse:
    """A page of payments; its token is bound to `request`."""
    return pb.ListSubscriptionPaymentsResponse(
        payments=[_payment_message(one, view.subscription, view.actor) for one in view.page.items],
        next_page_token=next_page_token(request, view.page.next_cursor),
    )


def retry_payment_response(view: SubscriptionPaymentView) -> orders_service_pb2.RetryPaymentResponse:
    """The payment after the call."""
    return orders_service_pb2.RetryPaymentResponse(payment=_payment_message_of(view))


def _message_of(view: SubscriptionView) -> subscription_pb2.Subscription:
    return subscription_message(view.subscription, view.actor)


def subscription_message(one: Subscription, actor: Actor) -> subscription_pb2.Subscription:
    """The subscription as `actor` sees it. Means of payment stay inside."""
    message = subscription_pb2.Subscription(
        name=one.name,
        order=one.order,
        seller=one.seller,
        buyer=one.buyer,
        package=one.package,
        conversation=one.conversation,
        bucket=BUCKETS[one.bucket],
        plan=values.wire_plan(one.plan),
        next_plan=values.wire_plan(one.next_plan),
        time_zone=one.time_zone,
        payment_method=values.METHODS[one.payment_method],
        start_time=timestamp(one.start_time),
        period_number=one.number,
        period_start_date=wire_date(one.period_begin),
        period_end_date=wire_date(one.period_end),
        balance=wire_money(one.balance),
        past_due_time=optional_timestamp(one.past_due_since),
        retry_time=optional_timestamp(one.retry_at),
        grace_end_time=optional_timestamp(one.grace_until),
        cancel_time=optional_timestamp(one.cancel_at),
        pause_time=optional_timestamp(one.paused_since or one.pause_at),
        resume_time=optional_timestamp(one.resume_at),
        end_time=optional_timestamp(one.ended_at),
        etag=one.etag,
        create_time=timestamp(one.create_time),
        update_time=timestamp(one.update_time),
    )
    if one.end_reason is not None:
        message.end_reason = END_REASONS[one.end_reason]
    if one.cancelled_by is not None:
        message.cancelled_by = _PARTIES[one.cancelled_by]
    if one.bucket in (Bucket.SCHEDULED, Bucket.ACTIVE, Bucket.OVERDUE):
        message.period_end_time.CopyFrom(timestamp(one.period_end_time))
    following = lifecycle.next_charge(one)
    if following is not None:
        message.next_charge_time.CopyFrom(timestamp(following[0]))
        message.next_charge_amount.CopyFrom(wire_money(following[1]))
    write_actions(message, facts.explain(one, actor), explanations=EXPLANATIONS)
    return message


def _payment_message_of(view: SubscriptionPaymentView) -> payment_pb2.Payment:
    return _payment_message(view.payment, view.subscription, view.actor)


def _payment_message(payment: Payment, subscription: Subscription, actor: Actor) -> payment_pb2.Payment:
    message = payment_facts(payment, actor)
    actions = dunning.explain_payment(subscription, payment, actor)
    write_actions(message, actions, explanations=EXPLANATIONS)
    return message


def wire_date(day: date) -> Date:
    """The wire form of a local date."""
    return Date(year=day.year, month=day.month, day=day.day)
