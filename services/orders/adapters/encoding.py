"""Nested values of the domain as JSON columns, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chassis.kernel.money import Money
from services.orders.adapters.option_encoding import read_options, write_options
from services.orders.domain.commerce import Address, Interval, LineItem, Plan
from services.orders.domain.gate import GateDecision, Outcome
from services.orders.domain.listing import Listing, ListingIntake, ListingKind, Package
from services.orders.domain.quotes import OfferState, Quote
from services.orders.domain.work import Cancellation, CancelReason, Delivery, Party

Json = dict[str, Any]


def write_money(money: Money) -> list[Any]:
    """Currency and minor units."""
    return [money.currency, money.amount]


def read_money(value: Sequence[Any]) -> Money:
    """The amount again."""
    return Money(value[0], value[1])


def write_plan(plan: Plan | None) -> Json | None:
    """A plan, if there is one."""
    if plan is None:
        return None
    return {
        "price": write_money(plan.price),
        "interval": plan.interval.value,
        "interval_count": plan.interval_count,
        "trial_days": plan.trial_days,
        "period_count": plan.period_count,
        "anchor_day": plan.anchor_day,
        "start_time": _write_instant(plan.start_time),
    }


def read_plan(value: Mapping[str, Any] | None) -> Plan | None:
    """The plan again."""
    if value is None:
        return None
    return Plan(
        price=read_money(value["price"]),
        interval=Interval(value["interval"]),
        interval_count=value["interval_count"],
        # Not there in what was stored before plans had a trial, a term, an anchor and a start.
        trial_days=value.get("trial_days", 0),
        period_count=value.get("period_count", 0),
        anchor_day=value.get("anchor_day", 0),
        start_time=_read_instant(value.get("start_time")),
    )


def write_line_items(items: Sequence[LineItem]) -> list[Json]:
    """Positions."""
    return [
        {"title": item.title, "quantity": item.quantity, "unit_price": write_money(item.unit_price)}
        for item in items
    ]


def read_line_items(values: Sequence[Mapping[str, Any]]) -> tuple[LineItem, ...]:
    """The positions again."""
    return tuple(LineItem(one["title"], one["quantity"], read_money(one["unit_price"])) for one in values)


def write_address(address: Address | None) -> Json | None:
    """An address, if there is one."""
    if address is None:
        return None
    return {
        "recipient": address.recipient,
        "organization": address.organization,
        "address_lines": list(address.address_lines),
        "postal_code": address.postal_code,
        "locality": address.locality,
        "region_code": address.region_code,
    }


def read_address(value: Mapping[str, Any] | None) -> Address | None:
    """The address again."""
    return None if value is None else Address(**{**value, "address_lines": tuple(value["address_lines"])})


_DECISION_TIMES = ("evaluate_time", "next_change_time", "unavailable_until")


def write_decision(decision: GateDecision | None) -> Json | None:
    """A decision of the gate, if there is one."""
    if decision is None:
        return None
    return {
        "package": decision.package,
        "buyer": decision.buyer,
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "explanation": decision.explanation,
        "local_time": decision.local_time,
        "time_zone": decision.time_zone,
        "settings_version": decision.settings_version,
        "matched_window": decision.matched_window,
        "offer": decision.offer,
        **{name: _write_instant(getattr(decision, name)) for name in _DECISION_TIMES},
    }


def read_decision(value: Mapping[str, Any] | None) -> GateDecision | None:
    """The decision again."""
    if value is None:
        return None
    times = {name: _read_instant(value[name]) for name in _DECISION_TIMES}
    return GateDecision(**{**value, **times, "outcome": Outcome(value["outcome"])})


def write_quotes(quotes: Sequence[Quote]) -> list[Json]:
    """What is known of the offers about an order."""
    return [
        {
            "offer": one.offer,
            "version": one.version,
            "state": one.state.value,
            "time": _write_instant(one.time),
        }
        for one in quotes
    ]


def read_quotes(values: Sequence[Mapping[str, Any]]) -> tuple[Quote, ...]:
    """The same again."""
    return tuple(
        Quote(one["offer"], one["version"], OfferState(one["state"]), datetime.fromisoformat(one["time"]))
        for one in values
    )


def write_deliveries(deliveries: Sequence[Delivery]) -> list[Json]:
    """What was delivered."""
    return [
        {
            "number": one.number,
            "text": one.text,
            "deliver_time": _write_instant(one.deliver_time),
            "changes_text": one.changes_text,
            "changes_time": _write_instant(one.changes_time),
        }
        for one in deliveries
    ]


def read_deliveries(values: Sequence[Mapping[str, Any]]) -> tuple[Delivery, ...]:
    """The deliveries again."""
    return tuple(
        Delivery(
            one["number"],
            one["text"],
            datetime.fromisoformat(one["deliver_time"]),
            one["changes_text"],
            _read_instant(one["changes_time"]),
        )
        for one in values
    )


def write_cancellation(cancellation: Cancellation | None) -> Json:
    """The columns of a cancellation, all empty where there is none."""
    if cancellation is None:
        return dict.fromkeys(("cancel_reason", "cancelled_by", "cancel_text", "cancel_time"))
    return {
        "cancel_reason": cancellation.reason.value,
        "cancelled_by": cancellation.cancelled_by.value,
        "cancel_text": cancellation.text,
        "cancel_time": cancellation.cancel_time,
    }


def read_cancellation(row: Any) -> Cancellation | None:
    """The cancellation of an order's row."""
    if row.cancel_time is None:
        return None
    reason, party = CancelReason(row.cancel_reason), Party(row.cancelled_by)
    return Cancellation(reason, party, row.cancel_text, row.cancel_time)


def write_listing(listing: Listing) -> Json:
    """What orders needs of a listing, beside its name and version."""
    return {
        "title": listing.title,
        "intake": listing.intake.value,
        "kind": listing.kind.value,
        "published": listing.published,
        "packages": [
            {
                "name": package.name,
                "title": package.title,
                "price": write_money(package.price),
                "delivery_days": package.delivery_days,
                "plan": write_plan(package.plan),
                "retired": package.retired,
                "options": write_options(package.options),
            }
            for package in listing.packages
        ],
    }


def read_listing(name: str, version: int, value: Mapping[str, Any]) -> Listing:
    """The listing again."""
    packages = tuple(
        Package(
            one["name"],
            one["title"],
            read_money(one["price"]),
            one["delivery_days"],
            read_plan(one["plan"]),
            # Not there in what was stored before packages could retire.
            one.get("retired", False),
            # Nor this, before there were options.
            read_options(one.get("options", ())),
        )
        for one in value["packages"]
    )
    intake = ListingIntake(value["intake"])
    # Not there in what was stored before there were products.
    kind = ListingKind(value.get("kind", ListingKind.SERVICE))
    return Listing(name, version, value["title"], intake, value["published"], packages, kind)


def _write_instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _read_instant(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
