"""Values that requests, answers and events share."""

from __future__ import annotations

from typing import Any

from chassis.kernel.refusal import invalid
from chassis.wire import money, optional_instant, optional_timestamp, wire_money
from parley.gating.v1 import gate_decision_pb2
from parley.offers.v1 import listing_pb2
from parley.type.v1 import commerce_pb2
from services.orders.domain.commerce import Address, Interval, LineItem, PaymentMethod, Plan
from services.orders.domain.gate import GateDecision, Outcome
from services.orders.domain.listing import Listing, ListingIntake, ListingKind, Package
from services.orders.wire.options import option

METHODS = {
    PaymentMethod.ONLINE: commerce_pb2.PAYMENT_METHOD_ONLINE,
    PaymentMethod.OFFLINE: commerce_pb2.PAYMENT_METHOD_OFFLINE,
}
_METHODS_READ = {wire: method for method, wire in METHODS.items()}
_INTERVALS = {one: commerce_pb2.Plan.Interval.Value(f"INTERVAL_{one.value}") for one in Interval}
_INTERVALS_READ = {wire: interval for interval, wire in _INTERVALS.items()}
_OUTCOMES = {one: gate_decision_pb2.GateDecision.Outcome.Value(f"OUTCOME_{one.value}") for one in Outcome}
_OUTCOMES_READ = {wire: outcome for outcome, wire in _OUTCOMES.items()}
_REASON_PREFIX = "REASON_"
KINDS = {one: commerce_pb2.ListingKind.Value(f"LISTING_KIND_{one.value}") for one in ListingKind}
_KINDS_READ = {wire: kind for kind, wire in KINDS.items()}
_INTAKES = {listing_pb2.Listing.Intake.Value(f"INTAKE_{one.value}"): one for one in ListingIntake}


def payment_method(value: int) -> PaymentMethod:
    """The payment method of a checked request or an event."""
    return _METHODS_READ[value]  # type: ignore[index]


def plan(message: Any) -> Plan | None:
    """The plan of a message that may have one."""
    if not message.HasField("plan"):
        return None
    found: commerce_pb2.Plan = message.plan
    return Plan(
        price=money(found.price, field="plan.price"),
        interval=_INTERVALS_READ[found.interval],
        interval_count=found.interval_count,
        trial_days=found.trial_days,
        period_count=found.period_count,
        anchor_day=found.anchor_day,
        start_time=optional_instant(found, "start_time"),
    )


def wire_plan(one: Plan | None) -> commerce_pb2.Plan | None:
    """The wire form of a plan."""
    if one is None:
        return None
    return commerce_pb2.Plan(
        price=wire_money(one.price),
        interval=_INTERVALS[one.interval],
        interval_count=one.interval_count,
        trial_days=one.trial_days,
        period_count=one.period_count,
        anchor_day=one.anchor_day,
        start_time=optional_timestamp(one.start_time),
    )


def line_item(message: commerce_pb2.LineItem) -> LineItem:
    """One position."""
    return LineItem(message.title, message.quantity, money(message.unit_price, field="unit_price"))


def wire_line_item(item: LineItem) -> commerce_pb2.LineItem:
    """The wire form of a position."""
    return commerce_pb2.LineItem(
        title=item.title, quantity=item.quantity, unit_price=wire_money(item.unit_price)
    )


def address(message: Any, field: str) -> Address | None:
    """The address in `field`, if there is one."""
    if not message.HasField(field):
        return None
    found: commerce_pb2.Address = getattr(message, field)
    return Address(
        recipient=found.recipient,
        organization=found.organization,
        address_lines=tuple(found.address_lines),
        postal_code=found.postal_code,
        locality=found.locality,
        region_code=found.region_code,
    )


def wire_address(one: Address | None) -> commerce_pb2.Address | None:
    """The wire form of an address."""
    if one is None:
        return None
    return commerce_pb2.Address(
        recipient=one.recipient,
        organization=one.organization,
        address_lines=one.address_lines,
        postal_code=one.postal_code,
        locality=one.locality,
        region_code=one.region_code,
    )


def gate_decision(message: gate_decision_pb2.GateDecision) -> GateDecision:
    """What the gate said. KeyError for an outcome that is not known here."""
    reason = gate_decision_pb2.GateDecision.Reason.Name(message.reason)
    return GateDecision(
        package=message.package,
        buyer=message.buyer,
        outcome=_OUTCOMES_READ[message.outcome],
        reason=reason.removeprefix(_REASON_PREFIX),
        explanation=message.explanation,
        evaluate_time=optional_instant(message, "evaluate_time"),
        local_time=message.local_time,
        time_zone=message.time_zone,
        settings_version=message.settings_version,
        matched_window=message.matched_window,
        next_change_time=optional_instant(message, "next_change_time"),
        offer=message.offer,
        unavailable_until=optional_instant(message, "unavailable_until"),
    )


def wire_decision(one: GateDecision | None) -> gate_decision_pb2.GateDecision | None:
    """The wire form of a decision."""
    if one is None:
        return None
    return gate_decision_pb2.GateDecision(
        package=one.package,
        buyer=one.buyer,
        outcome=_OUTCOMES[one.outcome],
        reason=gate_decision_pb2.GateDecision.Reason.Value(_REASON_PREFIX + one.reason),
        explanation=one.explanation,
        evaluate_time=optional_timestamp(one.evaluate_time),
        local_time=one.local_time,
        time_zone=one.time_zone,
        settings_version=one.settings_version,
        matched_window=one.matched_window,
        next_change_time=optional_timestamp(one.next_change_time),
        offer=one.offer,
        unavailable_until=optional_timestamp(one.unavailable_until),
    )


def listing(message: listing_pb2.Listing, *, version: int = 0) -> Listing:
    """What orders needs of a listing. Without `version` it is taken from the etag."""
    if not version:
        number = message.etag.removeprefix("v")
        if not number.isdecimal():
            raise invalid("etag", "is not of the form v3")
        version = int(number)
    gone = message.state == listing_pb2.Listing.STATE_RETIRED
    packages = (
        *(_package(message.name, one, retired=gone) for one in message.packages),
        *(_package(message.name, one, retired=True) for one in message.retired_packages),
    )
    # Listings that were published before there were products say nothing.
    kind = _KINDS_READ.get(message.kind, ListingKind.SERVICE)
    intake = _INTAKES[message.intake]
    return Listing(message.name, version, message.title, intake, message.published, packages, kind)


def _package(listing_name: str, message: listing_pb2.Package, *, retired: bool) -> Package:
    return Package(
        name=f"{listing_name}/packages/{message.package_id}",
        title=message.title,
        price=money(message.price, field="price"),
        delivery_days=message.delivery_days,
        plan=plan(message),
        retired=retired,
        options=tuple(option(one) for one in message.options),
    )
