"""The RPCs about money: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis.server import respond
from parley.orders.v1 import orders_service_pb2_grpc, provider_events_pb2, receipt_pb2
from parley.orders.v1 import payment_methods_pb2 as pb
from services.orders.app.actions import ActionCommands
from services.orders.app.ledger import LedgerQueries
from services.orders.app.order_offline import OfflineCommands
from services.orders.app.provider_events import ProviderEventCommands
from services.orders.app.receipts import ReceiptQueries
from services.orders.app.refunds import RefundCommands
from services.orders.app.settlement import SettlementCommands
from services.orders.wire import answers, receipts, requests
from services.orders.wire import payments as wire


@dataclass(frozen=True, slots=True)
class PaymentRooms:
    """What the methods about money call."""

    refunds: RefundCommands
    ledger: LedgerQueries
    offline: OfflineCommands
    settlement: SettlementCommands
    actions: ActionCommands
    events: ProviderEventCommands
    receipts: ReceiptQueries


class PaymentMethods(orders_service_pb2_grpc.OrdersServiceServicer):
    """The part of parley.orders.v1.OrdersService that is about money."""

    _money: PaymentRooms

    async def RefundPayment(self, request: pb.RefundPaymentRequest, context: Any) -> pb.RefundPaymentResponse:
        command = wire.refund_payment_command(request)
        return await respond(context, command, self._money.refunds.refund, wire.refund_payment_response)

    async def ListLedgerEntries(
        self, request: pb.ListLedgerEntriesRequest, context: Any
    ) -> pb.ListLedgerEntriesResponse:
        query = wire.list_ledger_entries_query(request)
        return await respond(
            context,
            query,
            self._money.ledger.list,
            lambda page: wire.list_ledger_entries_response(page, request),
        )

    async def MarkPaid(self, request: pb.MarkPaidRequest, context: Any) -> pb.MarkPaidResponse:
        command = wire.mark_paid_command(request)
        return await respond(context, command, self._money.offline.mark, answers.mark_paid_response)

    async def UnmarkPaid(self, request: pb.UnmarkPaidRequest, context: Any) -> pb.UnmarkPaidResponse:
        command = requests.change_order_command(request)
        return await respond(context, command, self._money.offline.unmark, answers.unmark_paid_response)

    async def SettlePayment(self, request: pb.SettlePaymentRequest, context: Any) -> pb.SettlePaymentResponse:
        command = wire.settle_payment_command(request)
        return await respond(context, command, self._money.settlement.settle, wire.settle_payment_response)

    async def ResumePayment(self, request: pb.ResumePaymentRequest, context: Any) -> pb.ResumePaymentResponse:
        command = wire.resume_payment_command(request)
        return await respond(context, command, self._money.actions.resume, wire.resume_payment_response)

    async def ReceiveProviderEvent(
        self, request: provider_events_pb2.ReceiveProviderEventRequest, context: Any
    ) -> provider_events_pb2.ReceiveProviderEventResponse:
        command = wire.receive_provider_event_command(request)
        return await respond(
            context, command, self._money.events.receive, wire.receive_provider_event_response
        )

    async def GetReceipt(
        self, request: receipt_pb2.GetReceiptRequest, context: Any
    ) -> receipt_pb2.GetReceiptResponse:
        query = receipts.get_receipt_query(request)
        return await respond(context, query, self._money.receipts.get, receipts.get_receipt_response)

    async def DownloadReceipt(self, request: receipt_pb2.DownloadReceiptRequest, context: Any) -> HttpBody:
        query = receipts.get_receipt_query(request)
        return await respond(context, query, self._money.receipts.get, receipts.receipt_page)
