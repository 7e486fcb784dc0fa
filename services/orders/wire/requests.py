"""Requests to commands and queries. The chain has checked the declared rules before."""

from __future__ import annotations

from chassis.paging import page_request
from chassis.wire import money, optional_instant, reason_text
from parley.orders.v1 import (
    fulfilment_methods_pb2,
    fulfilment_pb2,
    order_pb2,
    orders_service_pb2,
    payment_methods_pb2,
)
from services.orders.app.commands import ChangePaymentMethod, DeclineOrder, RetryPayment
from services.orders.app.fulfilment import CancelOrder, DeliverOrder, RequestChanges
from services.orders.app.loading import ChangeOrder
from services.orders.app.queries import ListOrders, ListPayments
from services.orders.domain import labels
from services.orders.domain.note import NoteFilter
from services.orders.domain.order import DeclineReason, Folder, State
from services.orders.domain.placement import PlaceOrder
from services.orders.domain.work import CancelReason
from services.orders.wire import values
from services.orders.wire.options import option_choice

_STATES = {order_pb2.Order.State.Value(f"STATE_{one.value}"): one for one in State}
_FOLDERS = {order_pb2.Order.Folder.Value(f"FOLDER_{one.value}"): one for one in Folder}
_REASONS = {order_pb2.Order.DeclineReason.Value(f"DECLINE_REASON_{one.value}"): one for one in DeclineReason}
_CANCEL_REASONS = {
    fulfilment_pb2.Cancellation.Reason.Value(f"REASON_{one.value}"): one for one in CancelReason
}

ChangeRequest = (
    orders_service_pb2.MarkProcessingRequest
    | orders_service_pb2.ConfirmOrderRequest
    | orders_service_pb2.WithdrawOrderRequest
    | fulfilment_methods_pb2.StartOrderRequest
    | fulfilment_methods_pb2.CompleteOrderRequest
    | payment_methods_pb2.UnmarkPaidRequest
)


def place_order_command(request: orders_service_pb2.PlaceOrderRequest) -> PlaceOrder:
    """What the buyer asks for. Refusals AMOUNT_INVALID and VALIDATION_FAILED."""
    expected = None
    if request.HasField("expected_total"):
        expected = money(request.expected_total, field="expected_total")
    return PlaceOrder(
        package=request.package,
        quantity=request.quantity or 1,
        payment_method=values.payment_method(request.payment_method),
        payment_token=request.payment_token,
        expected_total=expected,
        start_time=optional_instant(request, "start_time"),
        requirements=request.requirements,
        billing_address=values.address(request, "billing_address"),
        delivery_address=values.address(request, "delivery_address"),
        options=tuple(option_choice(one) for one in request.options),
    )


def get_order_query(request: orders_service_pb2.GetOrderRequest) -> str:
    """The name."""
    return request.name


def list_orders_query(request: orders_service_pb2.ListOrdersRequest) -> ListOrders:
    """Which orders. Refusals PAGE_TOKEN_INVALID and VALIDATION_FAILED."""
    return ListOrders(
        page=page_request(request),
        seller=request.seller,
        folder=_FOLDERS.get(request.folder),
        states=tuple(_STATES[state] for state in request.states),
        labels=labels.normalized(request.labels),
        note=_note_filter(request),
    )


def _note_filter(request: orders_service_pb2.ListOrdersRequest) -> NoteFilter | None:
    found = NoteFilter(
        request.note_author,
        optional_instant(request, "note_start_time"),
        optional_instant(request, "note_end_time"),
    )
    return None if found == NoteFilter() else found


def change_order_command(request: ChangeRequest) -> ChangeOrder:
    """An order that is to be moved."""
    return ChangeOrder(request.name, request.etag)


def decline_order_command(request: orders_service_pb2.DeclineOrderRequest) -> DeclineOrder:
    """Which order, and why. Refusal VALIDATION_FAILED where neither the reason nor the text says it."""
    reason = _REASONS[request.reason]
    is_other = reason is DeclineReason.OTHER
    text = reason_text(request.text, is_other=is_other, value="DECLINE_REASON_OTHER")
    return DeclineOrder(request.name, reason, text, request.etag)


def change_payment_method_command(
    request: orders_service_pb2.ChangePaymentMethodRequest,
) -> ChangePaymentMethod:
    """Which order, and how it shall be paid."""
    method = values.payment_method(request.payment_method)
    return ChangePaymentMethod(request.name, method, request.payment_token, request.etag)


def list_payments_query(request: orders_service_pb2.ListPaymentsRequest) -> ListPayments:
    """Whose payments. Refusal PAGE_TOKEN_INVALID."""
    return ListPayments(request.parent, page_request(request))


def retry_payment_command(request: orders_service_pb2.RetryPaymentRequest) -> RetryPayment:
    """Which payment, and by which means."""
    return RetryPayment(request.name, request.payment_token, request.etag)


def deliver_order_command(request: fulfilment_methods_pb2.DeliverOrderRequest) -> DeliverOrder:
    """Which order, and the words to it."""
    return DeliverOrder(request.name, request.text, request.etag)


def request_changes_command(request: fulfilment_methods_pb2.RequestChangesRequest) -> RequestChanges:
    """Which order, and what is to be changed."""
    return RequestChanges(request.name, request.text, request.etag)


def cancel_order_command(request: fulfilment_methods_pb2.CancelOrderRequest) -> CancelOrder:
    """Which order, and why. Refusal VALIDATION_FAILED where neither the reason nor the text says it."""
    reason = _CANCEL_REASONS[request.reason]
    text = reason_text(request.text, is_other=reason is CancelReason.OTHER, value="REASON_OTHER")
    return CancelOrder(request.name, reason, text, request.etag)
