"""Terms, money, addresses, names: what several messages share."""

from __future__ import annotations

from datetime import date, datetime

from google.protobuf.message import Message
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money as WireMoney

from chassis.kernel.ids import parse_name
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal, invalid
from chassis.wire import instant, money, optional_timestamp, wire_money
from parley.offers.v1 import offer_pb2, offers_service_pb2
from parley.type.v1 import commerce_pb2
from services.offers.domain.origin import OriginKind
from services.offers.domain.refusals import time_out_of_range
from services.offers.domain.terms import (
    Address,
    Expiry,
    Interval,
    LineItem,
    LocalDay,
    PaymentMethod,
    Plan,
    Terms,
    check_text,
)

_PAYMENT_PREFIX = "PAYMENT_METHOD_"
_INTERVAL_PREFIX = "INTERVAL_"

_Expiring = offer_pb2.OfferTerms | offers_service_pb2.ReviveOfferRequest


def offer_name(name: str) -> str:
    """`name`, if it has the form of an offer's. Refusal INVALID."""
    parse_name(name, "offers/*")
    return name


def listing_name(name: str, *, field: str = "name") -> str:
    """`name`, if it has the form of a listing's. Refusal INVALID."""
    parse_name(name, "sellers/*/listings/*", field=field)
    return name


def seller_name(name: str, *, field: str) -> str:
    """`name`, if it has the form of a seller's. Refusal INVALID."""
    parse_name(name, "sellers/*", field=field)
    return name


def origin_name(name: str, *, field: str) -> str:
    """`name`, if it has the form of an origin's. Refusal INVALID."""
    collection = name.partition("/")[0]
    if collection not in set(OriginKind):
        raise invalid(field, "is neither an order request nor an order nor a conversation")
    parse_name(name, f"{collection}/*", field=field)
    return name


def read_money(message: WireMoney, *, field: str) -> Money:
    """The amount. Refusal AMOUNT_INVALID that names the field as a whole and the currency."""
    try:
        return money(message, field=field)
    except Refusal as refusal:
        (violation,) = refusal.violations
        raise invalid(
            field, violation.description, reason=refusal.reason, currency=message.currency_code[:8]
        ) from None


def read_terms(message: offer_pb2.OfferTerms, *, path: str = "terms") -> Terms:
    """The proposal at `path` of a request. Refusals AMOUNT_INVALID, TIME_OUT_OF_RANGE, VALIDATION_FAILED."""
    if message.package:
        parse_name(message.package, "sellers/*/listings/*/packages/*", field=f"{path}.package")
    items = []
    for index, item in enumerate(message.line_items):
        field = f"{path}.line_items[{index}]"
        price = read_money(item.unit_price, field=f"{field}.unit_price")
        items.append(LineItem(check_text(item.title, field=f"{field}.title"), item.quantity, price))
    return Terms(
        line_items=tuple(items),
        delivery_days=message.delivery_days,
        payment_method=PaymentMethod(
            commerce_pb2.PaymentMethod.Name(message.payment_method).removeprefix(_PAYMENT_PREFIX)
        ),
        package=message.package,
        scope=check_text(message.scope, field=f"{path}.scope"),
        start_time=read_instant(message, "start_time", path=f"{path}.start_time"),
        plan=read_plan(message, field=f"{path}.plan"),
    ).with_expiry(read_expiry(message, path=f"{path}."))


def read_expiry(
    message: offer_pb2.OfferTerms | offers_service_pb2.ReviveOfferRequest, *, path: str
) -> Expiry:
    """The expiry of a request, not settled yet. Refusals TIME_OUT_OF_RANGE, VALIDATION_FAILED."""
    day = None
    if message.HasField("expire_date"):
        day = LocalDay(_read_date(message.expire_date, path=f"{path}expire_date"), message.expire_time_zone)
    elif message.expire_time_zone:
        raise invalid(f"{path}expire_time_zone", "belongs to expire_date, which is absent")
    return Expiry(read_instant(message, "expire_time", path=f"{path}expire_time"), day)


def _read_date(message: Date, *, path: str) -> date:
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        raise invalid(path, "must be a full date of the calendar") from None


def read_instant(message: Message, field: str, *, path: str) -> datetime | None:
    """The instant of a field; None where it is absent. Refusal TIME_OUT_OF_RANGE beyond the calendar."""
    if not message.HasField(field):
        return None
    try:
        return instant(getattr(message, field), field=path)
    except Refusal:
        raise time_out_of_range(path, "is beyond the calendar") from None


def read_plan(message: Message, *, field: str) -> Plan | None:
    """The plan that stands in the field `plan` of a message, if there is one."""
    if not message.HasField("plan"):
        return None
    plan: commerce_pb2.Plan = getattr(message, "plan")  # noqa: B009 - typed by this assignment
    return Plan(
        price=read_money(plan.price, field=f"{field}.price"),
        interval=Interval(commerce_pb2.Plan.Interval.Name(plan.interval).removeprefix(_INTERVAL_PREFIX)),
        interval_count=plan.interval_count,
        trial_days=plan.trial_days,
        period_count=plan.period_count,
        anchor_day=plan.anchor_day,
        start_time=read_instant(plan, "start_time", path=f"{field}.start_time"),
    )


def read_address(message: Message, field: str) -> Address | None:
    """The address of a field; None where it is absent. Refusal VALIDATION_FAILED."""
    if not message.HasField(field):
        return None
    address: commerce_pb2.Address = getattr(message, field)
    for text in (
        address.recipient,
        address.organization,
        *address.address_lines,
        address.postal_code,
        address.locality,
    ):
        check_text(text, field=field)
    return Address(
        recipient=address.recipient,
        organization=address.organization,
        address_lines=tuple(address.address_lines),
        postal_code=address.postal_code,
        locality=address.locality,
        region_code=address.region_code,
    )


def wire_terms(terms: Terms) -> offer_pb2.OfferTerms:
    """The wire form of a proposal."""
    return offer_pb2.OfferTerms(
        line_items=wire_line_items(terms),
        package=terms.package,
        scope=terms.scope,
        start_time=optional_timestamp(terms.start_time),
        delivery_days=terms.delivery_days,
        expire_time=optional_timestamp(terms.expire_time),
        payment_method=wire_payment_method(terms.payment_method),
        plan=wire_plan(terms.plan),
        expire_date=_wire_date(terms.expire_day),
        expire_time_zone=terms.expire_day.time_zone if terms.expire_day else "",
    )


def _wire_date(day: LocalDay | None) -> Date | None:
    if day is None:
        return None
    return Date(year=day.date.year, month=day.date.month, day=day.date.day)


def wire_line_items(terms: Terms) -> list[commerce_pb2.LineItem]:
    """The wire form of the positions."""
    return [wire_line_item(item) for item in terms.line_items]


def wire_line_item(item: LineItem) -> commerce_pb2.LineItem:
    """The wire form of a position."""
    return commerce_pb2.LineItem(
        title=item.title, quantity=item.quantity, unit_price=wire_money(item.unit_price)
    )


def wire_payment_method(method: PaymentMethod) -> commerce_pb2.PaymentMethod.ValueType:
    """The wire form of a payment method."""
    return commerce_pb2.PaymentMethod.Value(_PAYMENT_PREFIX + method)


def wire_plan(plan: Plan | None) -> commerce_pb2.Plan | None:
    """The wire form of a plan; None stays None, which leaves the field absent."""
    if plan is None:
        return None
    return commerce_pb2.Plan(
        price=wire_money(plan.price),
        interval=commerce_pb2.Plan.Interval.Value(_INTERVAL_PREFIX + plan.interval),
        interval_count=plan.interval_count,
        trial_days=plan.trial_days,
        period_count=plan.period_count,
        anchor_day=plan.anchor_day,
        start_time=optional_timestamp(plan.start_time),
    )


def wire_address(address: Address | None) -> commerce_pb2.Address | None:
    """The wire form of an address; None stays None."""
    if address is None:
        return None
    return commerce_pb2.Address(
        recipient=address.recipient,
        organization=address.organization,
        address_lines=address.address_lines,
        postal_code=address.postal_code,
        locality=address.locality,
        region_code=address.region_code,
    )
