"""Every reason for which offers refuses, and how each refusal reads."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from chassis.kernel.clock import utc_text
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind, Refusal, exists, invalid, precondition


class Reason(StrEnum):
    """The names of ``parley.offers.v1.ErrorReason``, without their prefix."""

    OFFER_EXPIRED = "OFFER_EXPIRED"
    REVISION_STALE = "REVISION_STALE"
    NOT_YOUR_TURN = "NOT_YOUR_TURN"
    OPEN_OFFER_EXISTS = "OPEN_OFFER_EXISTS"
    ORIGIN_CLOSED = "ORIGIN_CLOSED"
    TIME_OUT_OF_RANGE = "TIME_OUT_OF_RANGE"
    LISTING_EXISTS = "LISTING_EXISTS"
    DUPLICATE_PACKAGE = "DUPLICATE_PACKAGE"
    ORIGIN_REQUIRED = "ORIGIN_REQUIRED"
    PACKAGE_UNKNOWN = "PACKAGE_UNKNOWN"
    PAYMENT_TOKEN_REQUIRED = "PAYMENT_TOKEN_REQUIRED"  # noqa: S105 - a reason, not a secret
    TOO_MANY_REVISIONS = "TOO_MANY_REVISIONS"
    COUNTER_RULE_INVALID = "COUNTER_RULE_INVALID"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    APPROVAL_NOT_NEEDED = "APPROVAL_NOT_NEEDED"
    APPROVAL_LIMIT_INVALID = "APPROVAL_LIMIT_INVALID"
    PACKAGE_RETIRED = "PACKAGE_RETIRED"
    DUPLICATE_OPTION = "DUPLICATE_OPTION"


def offer_expired(name: str, expire_time: datetime | None) -> Refusal:
    """The time of the newest revision ran out."""
    metadata = {"resource": name}
    if expire_time is not None:
        metadata["expire_time"] = utc_text(expire_time)
    return precondition(Reason.OFFER_EXPIRED, f"{name} has expired", **metadata)


def revision_stale(name: str, *, seen: int, current: int) -> Refusal:
    """The caller answers a revision that is not the newest."""
    return Refusal(
        Kind.STALE,
        Reason.REVISION_STALE,
        f"revision {seen} of {name} was named, {current} is the newest",
        metadata={"resource": name, "revision": str(seen), "current_revision": str(current)},
    )


def not_your_turn(name: str, *, turn: str) -> Refusal:
    """Nobody accepts or counters his own proposal; `turn` is whose move it is."""
    return precondition(
        Reason.NOT_YOUR_TURN, f"{name} waits for the {turn.lower()}", resource=name, turn=turn
    )


def open_offer_exists(origin: str, offer: str) -> Refusal:
    """One request, order or inquiry has at most one open offer."""
    return exists(
        Reason.OPEN_OFFER_EXISTS, f"{origin} has the open offer {offer}", origin=origin, offer=offer
    )


def origin_closed(origin: str, state: str) -> Refusal:
    """What the offer would answer does not take offers."""
    return precondition(
        Reason.ORIGIN_CLOSED, f"{origin} takes no offers: {state}", origin=origin, state=state
    )


def origin_required() -> Refusal:
    """An offer answers something."""
    return invalid("", "name one of order_request, order and conversation", reason=Reason.ORIGIN_REQUIRED)


def time_out_of_range(field: str, description: str) -> Refusal:
    """An instant that is over already, or too far away."""
    return invalid(field, description, reason=Reason.TIME_OUT_OF_RANGE)


def listing_exists(name: str) -> Refusal:
    """The chosen id is taken."""
    return exists(Reason.LISTING_EXISTS, f"{name} exists already", resource=name)


def duplicate_package(package_id: str) -> Refusal:
    """Two packages of one listing share an id."""
    return invalid(
        "listing.packages",
        f"two packages are called {package_id}",
        reason=Reason.DUPLICATE_PACKAGE,
        package_id=package_id,
    )


def duplicate_option(field: str, taken: str) -> Refusal:
    """Two options of a package, or two values of an option, share an id."""
    return invalid(field, f"is {taken}, like another one", reason=Reason.DUPLICATE_OPTION, id=taken)


def package_unknown(package: str) -> Refusal:
    """The terms name a package that this seller does not sell."""
    return invalid(
        "terms.package",
        "is not a package that this seller sells",
        reason=Reason.PACKAGE_UNKNOWN,
        package=package,
    )


def package_retired(package: str) -> Refusal:
    """The package is not sold any more."""
    return precondition(Reason.PACKAGE_RETIRED, f"{package} is not sold any more", package=package)


def payment_token_required(name: str) -> Refusal:
    """Who pays online says by what."""
    return invalid(
        "payment_token", "is needed to pay online", reason=Reason.PAYMENT_TOKEN_REQUIRED, resource=name
    )


def too_many_revisions(name: str, limit: int) -> Refusal:
    """The chain is as long as it may become."""
    return precondition(
        Reason.TOO_MANY_REVISIONS,
        f"{name} has {limit} revisions already",
        resource=name,
        limit=str(limit),
    )


def counter_rule_invalid(field: str, description: str) -> Refusal:
    """A rule for counter-offers that cannot be meant."""
    return invalid(field, description, reason=Reason.COUNTER_RULE_INVALID)


def approval_required(name: str, limit: Money) -> Refusal:
    """More than an agent may offer by himself."""
    return precondition(
        Reason.APPROVAL_REQUIRED,
        f"{name} needs the owner's approval above {limit}",
        resource=name,
        limit=str(limit),
    )


def approval_not_needed(name: str) -> Refusal:
    """The caller may send it as it is."""
    return precondition(Reason.APPROVAL_NOT_NEEDED, f"{name} needs no approval", resource=name)


def approval_limit_invalid(field: str) -> Refusal:
    """One currency has one limit."""
    return invalid(field, "is for the same currency as another one", reason=Reason.APPROVAL_LIMIT_INVALID)


def amount_invalid(field: str, description: str, amount: Money) -> Refusal:
    """An amount that is negative, or zero where it must not be."""
    return invalid(field, description, reason="AMOUNT_INVALID", currency=amount.currency)


def currency_mismatch(field: str, *, expected: str, actual: str) -> Refusal:
    """One currency per listing, per proposal, for an order and its quotes and, once sent, per chain."""
    return invalid(
        field,
        f"{expected} was expected, not {actual}",
        reason="CURRENCY_MISMATCH",
        expected=expected,
        actual=actual,
    )
