"""The RPCs of subscriptions: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.server import respond
from parley.orders.v1 import orders_service_pb2, orders_service_pb2_grpc
from parley.orders.v1 import subscription_methods_pb2 as pb
from services.orders.app.subscription_offline import SubscriptionOfflineCommands
from services.orders.app.subscriptions import SubscriptionCommands, SubscriptionQueries
from services.orders.wire import subscriptions as wire


@dataclass(frozen=True, slots=True)
class SubscriptionRooms:
    """What the methods about subscriptions call."""

    commands: SubscriptionCommands
    offline: SubscriptionOfflineCommands
    queries: SubscriptionQueries


class SubscriptionMethods(orders_service_pb2_grpc.OrdersServiceServicer):
    """The part of parley.orders.v1.OrdersService that is about subscriptions."""

    _subscriptions: SubscriptionRooms

    async def retry_subscription_payment(
        self, request: orders_service_pb2.RetryPaymentRequest, context: Any
    ) -> orders_service_pb2.RetryPaymentResponse:
        """RetryPayment for a payment of a subscription."""
        command = wire.retry_payment_command(request)
        return await respond(
            context, command, self._subscriptions.commands.retry_payment, wire.retry_payment_response
        )

    async def GetSubscription(
        self, request: pb.GetSubscriptionRequest, context: Any
    ) -> pb.GetSubscriptionResponse:
        query = wire.get_subscription_query(request)
        return await respond(context, query, self._subscriptions.queries.get, wire.get_subscription_response)

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Any
    ) -> pb.ListSubscriptionsResponse:
        query = wire.list_subscriptions_query(request)
        return await respond(
            context,
            query,
            self._subscriptions.queries.list,
            lambda view: wire.list_subscriptions_response(view, request),
        )

    async def PreviewPlanChange(
        self, request: pb.PreviewPlanChangeRequest, context: Any
    ) -> pb.PreviewPlanChangeResponse:
        query = wire.preview_plan_change_query(request)
        return await respond(
            context, query, self._subscriptions.queries.preview, wire.preview_plan_change_response
        )

    async def ChangePlan(self, request: pb.ChangePlanRequest, context: Any) -> pb.ChangePlanResponse:
        command = wire.change_plan_command(request)
        return await respond(
            context, command, self._subscriptions.commands.change_plan, wire.change_plan_response
        )

    async def CancelSubscription(
        self, request: pb.CancelSubscriptionRequest, context: Any
    ) -> pb.CancelSubscriptionResponse:
        command = wire.cancel_subscription_command(request)
        return await respond(
            context, command, self._subscriptions.commands.cancel, wire.cancel_subscription_response
        )

    async def RevokeCancellation(
        self, request: pb.RevokeCancellationRequest, context: Any
    ) -> pb.RevokeCancellationResponse:
        command = wire.revoke_cancellation_command(request)
        return await respond(
            context,
            command,
            self._subscriptions.commands.revoke_cancellation,
            wire.revoke_cancellation_response,
        )

    async def ChangePaymentMeans(
        self, request: pb.ChangePaymentMeansRequest, context: Any
    ) -> pb.ChangePaymentMeansResponse:
        command = wire.change_payment_means_command(request)
        return await respond(
            context, command, self._subscriptions.commands.change_means, wire.change_payment_means_response
        )

    async def MarkSubscriptionPaymentPaid(
        self, request: pb.MarkSubscriptionPaymentPaidRequest, context: Any
    ) -> pb.MarkSubscriptionPaymentPaidResponse:
        command = wire.mark_paid_command(request)
        return await respond(context, command, self._subscriptions.offline.mark, wire.mark_paid_response)

    async def UnmarkSubscriptionPaymentPaid(
        self, request: pb.UnmarkSubscriptionPaymentPaidRequest, context: Any
    ) -> pb.UnmarkSubscriptionPaymentPaidResponse:
        command = wire.unmark_paid_command(request)
        return await respond(context, command, self._subscriptions.offline.unmark, wire.unmark_paid_response)

    async def PauseSubscription(
        self, request: pb.PauseSubscriptionRequest, context: Any
    ) -> pb.PauseSubscriptionResponse:
        command = wire.pause_subscription_command(request)
        return await respond(
            context, command, self._subscriptions.commands.pause, wire.pause_subscription_response
        )

    async def ResumeSubscription(
        self, request: pb.ResumeSubscriptionRequest, context: Any
    ) -> pb.ResumeSubscriptionResponse:
        command = wire.resume_subscription_command(request)
        return await respond(
            context, command, self._subscriptions.commands.resume, wire.resume_subscription_response
        )

    async def ListSubscriptionPayments(
        self, request: pb.ListSubscriptionPaymentsRequest, context: Any
    ) -> pb.ListSubscriptionPaymentsResponse:
        query = wire.list_subscription_payments_query(request)
        return await respond(
            context,
            query,
            self._subscriptions.queries.list_payments,
            lambda view: wire.list_subscription_payments_response(view, request),
        )
