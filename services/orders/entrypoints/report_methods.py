"""The RPCs that only report: who changed what, and what was sold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis import personal_data
from chassis.personal_data import PersonalRecords
from chassis.server import respond, respond_each
from parley.orders.v1 import (
    analytics_pb2,
    audit_pb2,
    erasure_pb2,
    export_pb2,
    orders_service_pb2_grpc,
    personal_data_pb2,
)
from services.orders.app.analytics import SalesQueries
from services.orders.app.audit import AuditQueries
from services.orders.app.erasure_holds import ErasureHolds
from services.orders.app.export import OrderExport
from services.orders.wire import analytics, audit, erasure, export


@dataclass(frozen=True, slots=True)
class ReportRooms:
    """What the methods that report call."""

    audit: AuditQueries
    sales: SalesQueries
    export: OrderExport
    personal: PersonalRecords
    holds: ErasureHolds


class ReportMethods(orders_service_pb2_grpc.OrdersServiceServicer):
    """The part of parley.orders.v1.OrdersService that reports."""

    _reports: ReportRooms

    async def ListAuditEntries(
        self, request: audit_pb2.ListAuditEntriesRequest, context: Any
    ) -> audit_pb2.ListAuditEntriesResponse:
        query = audit.list_audit_entries_query(request)
        return await respond(
            context,
            query,
            self._reports.audit.list,
            lambda page: audit.list_audit_entries_response(page, request),
        )

    async def GetSalesAnalytics(
        self, request: analytics_pb2.GetSalesAnalyticsRequest, context: Any
    ) -> analytics_pb2.GetSalesAnalyticsResponse:
        query = analytics.get_sales_analytics_query(request)
        return await respond(context, query, self._reports.sales.get, analytics.get_sales_analytics_response)

    async def ListSalesOrders(
        self, request: analytics_pb2.ListSalesOrdersRequest, context: Any
    ) -> analytics_pb2.ListSalesOrdersResponse:
        query = analytics.list_sales_orders_query(request)
        return await respond(
            context,
            query,
            self._reports.sales.list_orders,
            lambda page: analytics.list_sales_orders_response(page, request),
        )

    async def ExportOrders(
        self, request: export_pb2.ExportOrdersRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        query = export.export_orders_query(request)
        async for piece in respond_each(context, query, self._reports.export.export, export.table_piece):
            yield piece

    async def ListOrdersRecords(
        self, request: personal_data_pb2.ListOrdersRecordsRequest, context: Any
    ) -> personal_data_pb2.ListOrdersRecordsResponse:
        query = personal_data.list_query(request)
        encode = personal_data.list_response(request, personal_data_pb2.ListOrdersRecordsResponse)
        answer: personal_data_pb2.ListOrdersRecordsResponse = await respond(
            context, query, self._reports.personal.list, encode
        )
        return answer

    async def ListErasureHolds(
        self, request: erasure_pb2.ListErasureHoldsRequest, context: Any
    ) -> erasure_pb2.ListErasureHoldsResponse:
        return await respond(context, request.parent, self._reports.holds.list, erasure.holds_response)
