"""The RPCs: decode, call, encode."""

from __future__ import annotations

from typing import Any

from chassis.server import respond
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import orders_service_pb2 as pb
from services.orders.app.commands import OrderCommands
from services.orders.app.fulfilment import FulfilmentCommands
from services.orders.app.queries import OrderQueries
from services.orders.entrypoints.desk_methods import DeskMethods, DeskRooms
from services.orders.entrypoints.payment_methods import PaymentMethods, PaymentRooms
from services.orders.entrypoints.report_methods import ReportMethods, ReportRooms
from services.orders.entrypoints.subscription_methods import SubscriptionMethods, SubscriptionRooms
from services.orders.wire import answers, requests


class OrdersServicer(DeskMethods, PaymentMethods, ReportMethods, SubscriptionMethods):
    """parley.orders.v1.OrdersService."""

    def __init__(
        self,
        commands: OrderCommands,
        fulfilment: FulfilmentCommands,
        queries: OrderQueries,
        *,
        desk: DeskRooms,
        money: PaymentRooms,
        reports: ReportRooms,
        subscriptions: SubscriptionRooms,
    ) -> None:
        self._subscriptions = subscriptions
        self._money = money
        self._commands = commands
        self._fulfilment = fulfilment
        self._queries = queries
        self._desk = desk
        self._reports = reports

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        command = requests.place_order_command(request)
        return await respond(context, command, self._commands.place, answers.place_order_response)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        query = requests.get_order_query(request)
        return await respond(context, query, self._queries.get, answers.get_order_response)

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        query = requests.list_orders_query(request)
        return await respond(
            context, query, self._queries.list, lambda view: answers.list_orders_response(view, request)
        )

    async def MarkProcessing(
        self, request: pb.MarkProcessingRequest, context: Any
    ) -> pb.MarkProcessingResponse:
        command = requests.change_order_command(request)
        return await respond(
            context, command, self._commands.mark_processing, answers.mark_processing_response
        )

    async def ConfirmOrder(self, request: pb.ConfirmOrderRequest, context: Any) -> pb.ConfirmOrderResponse:
        command = requests.change_order_command(request)
        return await respond(context, command, self._commands.confirm, answers.confirm_order_response)

    async def DeclineOrder(self, request: pb.DeclineOrderRequest, context: Any) -> pb.DeclineOrderResponse:
        command = requests.decline_order_command(request)
        return await respond(context, command, self._commands.decline, answers.decline_order_response)

    async def WithdrawOrder(self, request: pb.WithdrawOrderRequest, context: Any) -> pb.WithdrawOrderResponse:
        command = requests.change_order_command(request)
        return await respond(context, command, self._commands.withdraw, answers.withdraw_order_response)

    async def ChangePaymentMethod(
        self, request: pb.ChangePaymentMethodRequest, context: Any
    ) -> pb.ChangePaymentMethodResponse:
        command = requests.change_payment_method_command(request)
        return await respond(
            context, command, self._commands.change_payment_method, answers.change_payment_method_response
        )

    async def ListPayments(self, request: pb.ListPaymentsRequest, context: Any) -> pb.ListPaymentsResponse:
        query = requests.list_payments_query(request)
        return await respond(
            context,
            query,
            self._queries.list_payments,
            lambda view: answers.list_payments_response(view, request),
        )

    async def RetryPayment(self, request: pb.RetryPaymentRequest, context: Any) -> pb.RetryPaymentResponse:
        if request.name.startswith("subscriptions/"):
            return await self.retry_subscription_payment(request, context)
        command = requests.retry_payment_command(request)
        return await respond(context, command, self._commands.retry_payment, answers.retry_payment_response)

    async def StartOrder(self, request: work.StartOrderRequest, context: Any) -> work.StartOrderResponse:
        command = requests.change_order_command(request)
        return await respond(context, command, self._fulfilment.start, answers.start_order_response)

    async def DeliverOrder(
        self, request: work.DeliverOrderRequest, context: Any
    ) -> work.DeliverOrderResponse:
        command = requests.deliver_order_command(request)
        return await respond(context, command, self._fulfilment.deliver, answers.deliver_order_response)

    async def RequestChanges(
        self, request: work.RequestChangesRequest, context: Any
    ) -> work.RequestChangesResponse:
        command = requests.request_changes_command(request)
        return await respond(
            context, command, self._fulfilment.request_changes, answers.request_changes_response
        )

    async def CompleteOrder(
        self, request: work.CompleteOrderRequest, context: Any
    ) -> work.CompleteOrderResponse:
        command = requests.change_order_command(request)
        return await respond(context, command, self._fulfilment.complete, answers.complete_order_response)

    async def CancelOrder(self, request: work.CancelOrderRequest, context: Any) -> work.CancelOrderResponse:
        command = requests.cancel_order_command(request)
        return await respond(context, command, self._fulfilment.cancel, answers.cancel_order_response)
