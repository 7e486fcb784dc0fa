"""Views to answers. What a buyer must not see is left out here, by the actor of the view."""

from __future__ import annotations

from chassis.kernel.machine import Actor
from chassis.paging import next_page_token
from chassis.wire import optional_timestamp, timestamp, wire_money, write_actions
from parley.orders.v1 import (
    fulfilment_methods_pb2,
    fulfilment_pb2,
    order_pb2,
    orders_service_pb2,
    payment_methods_pb2,
    recurring_charge_pb2,
)
from services.orders.app.views import OrdersView, OrderView, PaymentsView, PaymentView
from services.orders.domain import buyer_side, labels
from services.orders.domain import order as orders
from services.orders.domain.order import DeclineReason, Folder, Intake, Order, PaymentState, State
from services.orders.domain.recurring import RecurringCharge, recurring_charge
from services.orders.domain.refusals import EXPLANATIONS
from services.orders.domain.work import Cancellation, CancelReason, Delivery, Party
from services.orders.wire import values
from services.orders.wire.options import wire_chosen_option
from services.orders.wire.payments import payment_message

STATES = {one: order_pb2.Order.State.Value(f"STATE_{one.value}") for one in State}
INTAKES = {one: order_pb2.Order.Intake.Value(f"INTAKE_{one.value}") for one in Intake}
PAYMENT_STATES = {
    one: order_pb2.Order.PaymentState.Value(f"PAYMENT_STATE_{one.value}") for one in PaymentState
}
FOLDERS = {one: order_pb2.Order.Folder.Value(f"FOLDER_{one.value}") for one in Folder}
_DECLINE_REASONS = {
    one: order_pb2.Order.DeclineReason.Value(f"DECLINE_REASON_{one.value}") for one in DeclineReason
}
CANCEL_REASONS = {
    one: fulfilment_pb2.Cancellation.Reason.Value(f"REASON_{one.value}") for one in CancelReason
}
PARTIES = {one: fulfilment_pb2.Cancellation.Party.Value(f"PARTY_{one.value}") for one in Party}
_BUYER_STATES = {
    one: order_pb2.Order.BuyerState.Value(f"BUYER_STATE_{one.value}") for one in buyer_side.BuyerState
}
_SYSTEM_LABELS = {
    one: order_pb2.Order.SystemLabel.Value(f"SYSTEM_LABEL_{one.value}") for one in labels.SystemLabel
}


def place_order_response(view: OrderView) -> orders_service_pb2.PlaceOrderResponse:
    """The placed order."""
    return orders_service_pb2.PlaceOrderResponse(order=order_message(view.order, view.actor))


def get_order_response(view: OrderView) -> orders_service_pb2.GetOrderResponse:
    """The order."""
    return orders_service_pb2.GetOrderResponse(order=order_message(view.order, view.actor))


def list_orders_response(
    view: OrdersView, request: orders_service_pb2.ListOrdersRequest
) -> orders_service_pb2.ListOrdersResponse:
    """A page of orders; its token is bound to `request`."""
    return orders_service_pb2.ListOrdersResponse(
        orders=[order_message(order, view.actor) for order in view.page.items],
        next_page_token=next_page_token(request, view.page.next_cursor),
    )


def mark_processing_response(view: OrderView) -> orders_service_pb2.MarkProcessingResponse:
    """The order after the call."""
    return orders_service_pb2.MarkProcessingResponse(order=order_message(view.order, view.actor))


def confirm_order_response(view: OrderView) -> orders_service_pb2.ConfirmOrderResponse:
    """The order after the call, and what the seller should know."""
    return orders_service_pb2.ConfirmOrderResponse(
        order=order_message(view.order, view.actor), warnings=view.warnings
    )


def decline_order_response(view: OrderView) -> orders_service_pb2.DeclineOrderResponse:
    """The order after the call."""
    return orders_service_pb2.DeclineOrderResponse(order=order_message(view.order, view.actor))


def withdraw_order_response(view: OrderView) -> orders_service_pb2.WithdrawOrderResponse:
    """The order after the call."""
    return orders_service_pb2.WithdrawOrderResponse(order=order_message(view.order, view.actor))


def change_payment_method_response(view: OrderView) -> orders_service_pb2.ChangePaymentMethodResponse:
    """The order after the call."""
    return orders_service_pb2.ChangePaymentMethodResponse(order=order_message(view.order, view.actor))


def start_order_response(view: OrderView) -> fulfilment_methods_pb2.StartOrderResponse:
    """The order after the call."""
    return fulfilment_methods_pb2.StartOrderResponse(order=order_message(view.order, view.actor))


def deliver_order_response(view: OrderView) -> fulfilment_methods_pb2.DeliverOrderResponse:
    """The order after the call."""
    return fulfilment_methods_pb2.DeliverOrderResponse(order=order_message(view.order, view.actor))


def request_changes_response(view: OrderView) -> fulfilment_methods_pb2.RequestChangesResponse:
    """The order after the call."""
    return fulfilment_methods_pb2.RequestChangesResponse(order=order_message(view.order, view.actor))


def complete_order_response(view: OrderView) -> fulfilment_methods_pb2.CompleteOrderResponse:
    """The order after the call."""
    return fulfilment_methods_pb2.CompleteOrderResponse(order=order_message(view.order, view.actor))


def cancel_order_response(view: OrderView) -> fulfilment_methods_pb2.CancelOrderResponse:
    """The order after the call."""
    return fulfilment_methods_pb2.CancelOrderResponse(order=order_message(view.order, view.actor))


def list_payments_response(
    view: PaymentsView, request: orders_service_pb2.ListPaymentsRequest
) -> orders_service_pb2.ListPaymentsResponse:
    """A page of payments; its token is bound to `request`."""
    return orders_service_pb2.ListPaymentsResponse(
        payments=[payment_message(one, view.order, view.actor) for one in view.page.items],
        next_page_token=next_page_token(request, view.page.next_cursor),
    )


def retry_payment_response(view: PaymentView) -> orders_service_pb2.RetryPaymentResponse:
    """The payment after the call."""
    return orders_service_pb2.RetryPaymentResponse(
        payment=payment_message(view.payment, view.order, view.actor)
    )


def mark_paid_response(view: OrderView) -> payment_methods_pb2.MarkPaidResponse:
    """The order after the call."""
    return payment_methods_pb2.MarkPaidResponse(order=order_message(view.order, view.actor))


def unmark_paid_response(view: OrderView) -> payment_methods_pb2.UnmarkPaidResponse:
    """The order after the call."""
    return payment_methods_pb2.UnmarkPaidResponse(order=order_message(view.order, view.actor))


def order_message(order: Order, actor: Actor) -> order_pb2.Order:
    """The order as `actor` sees it: folder, unread count and labels are the seller's own affair."""
    message = order_pb2.Order(
        name=order.name,
        seller=order.seller,
        buyer=order.buyer,
        package=order.package,
        intake=INTAKES[order.intake],
        kind=values.KINDS[order.kind],
        state=STATES[order.state],
        line_items=[values.wire_line_item(item) for item in order.line_items],
        total=wire_money(order.total),
        plan=values.wire_plan(order.plan),
        payment_method=values.METHODS[order.payment_method],
        payment_state=PAYMENT_STATES[order.payment_state],
        start_time=optional_timestamp(order.start_time),
        delivery_days=order.delivery_days,
        clock_start_time=optional_timestamp(order.clock_start_time),
        delivery_due_time=optional_timestamp(order.delivery_due_time),
        gate_decision=values.wire_decision(order.decision),
        offer=order.offer,
        order_request=order.order_request,
        conversation=order.conversation,
        requirements=order.requirements,
        price_agreed_elsewhere=order.price_agreed_elsewhere,
        decline_text=order.decline_text,
        confirm_time=optional_timestamp(order.confirm_time),
        billing_address=values.wire_address(order.billing_address),
        delivery_address=values.wire_address(order.delivery_address),
        etag=order.etag,
        create_time=timestamp(order.create_time),
        update_time=timestamp(order.update_time),
        deliveries=[_delivery_message(one) for one in order.deliveries],
        begin_time=optional_timestamp(order.begin_time),
        auto_complete_time=optional_timestamp(order.auto_complete_time),
        complete_time=optional_timestamp(order.complete_time),
        cancellation=_cancellation_message(order.cancellation),
        refund_due=wire_money(order.refund_due) if order.refund_due is not None else None,
        options=[wire_chosen_option(one) for one in order.options],
        recurring_charge=_recurring_message(recurring_charge(order)),
        refunded_total=wire_money(order.refunded) if order.refunded is not None else None,
        subscription=order.subscription,
    )
    if order.decline_reason is not None:
        message.decline_reason = _DECLINE_REASONS[order.decline_reason]
    if actor is not Actor.BUYER:
        message.folder = FOLDERS[order.folder]
        message.unread_count = order.unread
    message.buyer_state = _BUYER_STATES[buyer_side.buyer_state(order)]
    if actor is Actor.BUYER:
        message.buyer_unread_count = order.buyer_unread
    if actor is Actor.SELLER:
        message.labels.extend(order.labels)
        message.labels_etag = labels.etag(order.labels)
        message.system_labels.extend(_SYSTEM_LABELS[one] for one in labels.system_labels(order))
    write_actions(message, orders.explain(order, actor), explanations=EXPLANATIONS)
    return message


def _delivery_message(delivery: Delivery) -> fulfilment_pb2.Delivery:
    return fulfilment_pb2.Delivery(
        number=delivery.number,
        text=delivery.text,
        deliver_time=timestamp(delivery.deliver_time),
        changes_text=delivery.changes_text,
        changes_time=optional_timestamp(delivery.changes_time),
    )


def _recurring_message(charge: RecurringCharge | None) -> recurring_charge_pb2.RecurringCharge | None:
    if charge is None:
        return None
    return recurring_charge_pb2.RecurringCharge(
        amount=wire_money(charge.amount),
        start_time=timestamp(charge.start_time),
        first_charge_time=timestamp(charge.first_charge_time),
        estimated=charge.estimated,
        charge_count=charge.charge_count,
        total_amount=wire_money(charge.total) if charge.total is not None else None,
        automatic=charge.automatic,
    )


def _cancellation_message(cancellation: Cancellation | None) -> fulfilment_pb2.Cancellation | None:
    if cancellation is None:
        return None
    return fulfilment_pb2.Cancellation(
        reason=CANCEL_REASONS[cancellation.reason],
        cancelled_by=PARTIES[cancellation.cancelled_by],
        text=cancellation.text,
        cancel_time=timestamp(cancellation.cancel_time),
    )
