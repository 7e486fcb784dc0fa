"""What sellers sold, on the wire."""

from __future__ import annotations

from typing import Final

from google.type.date_pb2 import Date

from chassis.kernel.ids import parse_name
from chassis.kernel.page import Page
from chassis.paging import next_page_token, page_request
from chassis.wire import instant, optional_instant, timestamp, wire_money
from parley.orders.v1 import analytics_pb2 as pb
from services.orders.app.analytics import GetSalesAnalytics, ListSalesOrders
from services.orders.domain.sales import (
    Exclusion,
    Figures,
    Measure,
    Period,
    SalesAnalytics,
    SalesOrder,
    Span,
)

_PERIODS: Final = {pb.GetSalesAnalyticsRequest.Period.Value(f"PERIOD_{one.value}"): one for one in Period}
_MEASURES: Final = {pb.ListSalesOrdersRequest.Measure.Value(f"MEASURE_{one.value}"): one for one in Measure}
_REASONS: Final = {one: pb.SalesExclusion.Reason.Value(f"REASON_{one.value}") for one in Exclusion}


def get_sales_analytics_query(request: pb.GetSalesAnalyticsRequest) -> GetSalesAnalytics:
    """Whose sales, of which time."""
    return GetSalesAnalytics(
        seller=_seller(request.name),
        listing=_listing(request.listing),
        zone=request.time_zone,
        start=optional_instant(request, "start_time"),
        end=optional_instant(request, "end_time"),
        period=_PERIODS.get(request.period, Period.DAY),
    )


def list_sales_orders_query(request: pb.ListSalesOrdersRequest) -> ListSalesOrders:
    """Behind which number. Refusal PAGE_TOKEN_INVALID."""
    return ListSalesOrders(
        seller=_seller(request.parent),
        listing=_listing(request.listing),
        currency=request.currency_code,
        start=instant(request.start_time, field="start_time"),
        end=instant(request.end_time, field="end_time"),
        measure=_MEASURES.get(request.measure, Measure.ORDERS),
        page=page_request(request),
    )


def _seller(name: str) -> str:
    (seller,) = parse_name(name, "sellers/*/salesAnalytics")
    return f"sellers/{seller}"


def _listing(name: str) -> str:
    if name:
        parse_name(name, "sellers/*/listings/*", field="listing")
    return name


def get_sales_analytics_response(found: SalesAnalytics) -> pb.GetSalesAnalyticsResponse:
    """The figures."""
    analytics = pb.SalesAnalytics(
        name=f"{found.seller}/salesAnalytics",
        listing=found.listing,
        time_zone=found.zone,
        start_time=timestamp(found.whole.start),
        end_time=timestamp(found.whole.end),
        totals=[_figures(one) for one in found.totals],
        periods=[_period(span, figures) for span, figures in found.periods],
        listings=[
            pb.ListingSales(listing=listing, figures=[_figures(one) for one in figures])
            for listing, figures in found.listings
        ],
        exclusions=[
            pb.SalesExclusion(reason=_REASONS[reason], currency_code=currency, orders=count)
            for reason, currency, count in found.exclusions
        ],
    )
    return pb.GetSalesAnalyticsResponse(sales_analytics=analytics)


def list_sales_orders_response(
    page: Page[SalesOrder], request: pb.ListSalesOrdersRequest
) -> pb.ListSalesOrdersResponse:
    """A page of orders; its token is bound to `request`."""
    return pb.ListSalesOrdersResponse(
        sales_orders=[_order(one) for one in page.items],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def _period(span: Span, figures: tuple[Figures, ...]) -> pb.SalesPeriod:
    day = span.first_day
    return pb.SalesPeriod(
        start_date=Date(year=day.year, month=day.month, day=day.day),
        start_time=timestamp(span.start),
        end_time=timestamp(span.end),
        figures=[_figures(one) for one in figures],
    )


def _figures(one: Figures) -> pb.SalesFigures:
    rate = one.cancellation_rate
    return pb.SalesFigures(
        currency_code=one.confirmed.currency,
        orders=one.orders,
        confirmed_value=wire_money(one.confirmed),
        average_order_value=None if one.average is None else wire_money(one.average),
        cancelled_orders=one.cancelled_orders,
        cancelled_value=wire_money(one.cancelled),
        cancellation_rate=None if rate is None else float(rate),
        paid_orders=one.paid_orders,
        paid_value=wire_money(one.paid),
        refunded_orders=one.refunded_orders,
        refunded_value=wire_money(one.refunded),
        renewals=one.renewals,
        renewal_value=wire_money(one.renewed),
        paid_renewals=one.paid_renewals,
        paid_renewal_value=wire_money(one.renewals_paid),
        refunded_renewals=one.refunded_renewals,
        refunded_renewal_value=wire_money(one.renewals_refunded),
    )


def _order(one: SalesOrder) -> pb.SalesOrder:
    message = pb.SalesOrder(
        order=one.name,
        listing=one.listing,
        count_time=timestamp(one.time),
        total=wire_money(one.total),
        cancelled=one.is_cancelled,
        payment=one.payment,
        paid_value=None if one.paid is None else wire_money(one.paid),
        refunded_value=None if one.refunded is None else wire_money(one.refunded),
    )
    if one.exclusion is not None:
        message.exclusion_reason = _REASONS[one.exclusion]
    return message
