"""Every way in which the orders service says no, besides the shared refusals of the kernel."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from chassis.kernel.clock import utc_text
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind, Refusal, invalid, precondition
from services.orders.domain.gate import GateDecision


class Reason(StrEnum):
    """The names of `parley.orders.v1.ErrorReason`."""

    ORDER_REQUEST_REQUIRED = "ORDER_REQUEST_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"
    PRICE_CHANGED = "PRICE_CHANGED"
    OWN_LISTING = "OWN_LISTING"
    PAYMENT_TOKEN_REQUIRED = "PAYMENT_TOKEN_REQUIRED"  # noqa: S105 - the name of a reason
    PAYMENT_MEANS_REFUSED = "PAYMENT_MEANS_REFUSED"
    TIME_OUT_OF_RANGE = "TIME_OUT_OF_RANGE"
    PACKAGE_RETIRED = "PACKAGE_RETIRED"
    UNKNOWN_OPTION = "UNKNOWN_OPTION"
    OPTION_REQUIRED = "OPTION_REQUIRED"
    DUPLICATE_OPTION = "DUPLICATE_OPTION"
    OPTION_OUT_OF_RANGE = "OPTION_OUT_OF_RANGE"
    REFUND_EXCEEDS_PAYMENT = "REFUND_EXCEEDS_PAYMENT"
    TOO_MANY_NOTES = "TOO_MANY_NOTES"
    PROVIDER_EVENTS_NOT_CONFIGURED = "PROVIDER_EVENTS_NOT_CONFIGURED"
    PROVIDER_SIGNATURE_INVALID = "PROVIDER_SIGNATURE_INVALID"
    PROVIDER_EVENT_EXPIRED = "PROVIDER_EVENT_EXPIRED"
    PAYMENT_NOT_RECEIVED = "PAYMENT_NOT_RECEIVED"
    CANCELLATION_SCHEDULED = "CANCELLATION_SCHEDULED"
    PAYMENT_OPEN = "PAYMENT_OPEN"
    PREVIEW_REQUIRED = "PREVIEW_REQUIRED"
    PREVIEW_STALE = "PREVIEW_STALE"


EXPLANATIONS = {
    Reason.PAYMENT_MEANS_REFUSED.value: "the provider declined for good; name another means of payment",
    Reason.CANCELLATION_SCHEDULED.value: "it ends with the present period",
    Reason.PAYMENT_OPEN.value: "a payment of the subscription is not settled yet",
}
"""English for the reasons that can stand beside an unavailable action."""


def order_request_required(decision: GateDecision, seller: str) -> Refusal:
    """The gate is closed; the metadata suffices to turn the purchase into a request by one call."""
    return Refusal(
        Kind.PRECONDITION,
        Reason.ORDER_REQUEST_REQUIRED,
        f"{decision.package} needs an order request first: {decision.explanation}",
        metadata={
            "package": decision.package,
            "seller": seller,
            "outcome": decision.outcome.value,
            "reason": decision.reason,
            "explanation": decision.explanation,
            "local_time": decision.local_time,
            "time_zone": decision.time_zone,
            "settings_version": str(decision.settings_version),
            "matched_window": decision.matched_window,
            "next_change_time": _text(decision.next_change_time),
            "create_order_request": "/v1/orderRequests",
        },
    )


def unavailable(decision: GateDecision) -> Refusal:
    """The seller or the listing takes no orders now."""
    return Refusal(
        Kind.PRECONDITION,
        Reason.UNAVAILABLE,
        f"{decision.package} takes no orders now: {decision.explanation}",
        metadata={
            "package": decision.package,
            "reason": decision.reason,
            "unavailable_until": _text(decision.unavailable_until),
        },
    )


def price_changed(package: str, expected: Money, actual: Money) -> Refusal:
    """The buyer saw another total."""
    return Refusal(
        Kind.STALE,
        Reason.PRICE_CHANGED,
        f"the total for {package} is {actual}, not {expected}",
        metadata={"package": package, "expected": str(expected), "actual": str(actual)},
    )


def package_retired(package: str) -> Refusal:
    """The package is not sold any more; an open offer for it can still be accepted."""
    return precondition(Reason.PACKAGE_RETIRED, f"{package} is not sold any more", package=package)


def unknown_option(field: str, option: str, value: str = "") -> Refusal:
    """The package does not offer the option, or the option not the value."""
    what = {"option": option, "value": value} if value else {"option": option}
    return invalid(field, "is not offered", reason=Reason.UNKNOWN_OPTION, **what)


def option_required(option: str) -> Refusal:
    """The package cannot be ordered without an answer to this option."""
    return invalid("options", f"lack {option}", reason=Reason.OPTION_REQUIRED, option=option)


def duplicate_option(field: str, option: str) -> Refusal:
    """An option, or one of its values, is named twice."""
    return invalid(field, "is named twice", reason=Reason.DUPLICATE_OPTION, option=option)


def option_out_of_range(field: str, option: str, description: str) -> Refusal:
    """The answer is not one that the option takes."""
    return invalid(field, description, reason=Reason.OPTION_OUT_OF_RANGE, option=option)


def too_many_notes(order: str, limit: int) -> Refusal:
    """The order has as many notes as it can have."""
    return precondition(
        Reason.TOO_MANY_NOTES, f"{order} has {limit} notes already", order=order, limit=str(limit)
    )


def own_listing(seller: str) -> Refusal:
    """A team cannot buy from itself."""
    refusal = invalid("package", "belongs to your own team", reason=Reason.OWN_LISTING)
    return _with(refusal, seller=seller)


def payment_token_required() -> Refusal:
    """Paying online needs a means of payment."""
    return invalid("payment_token", "is needed to pay online", reason=Reason.PAYMENT_TOKEN_REQUIRED)


def payment_means_refused(payment: str, decline_code: str) -> Refusal:
    """The same means of payment cannot work any more."""
    return precondition(
        Reason.PAYMENT_MEANS_REFUSED,
        "the provider declined this means of payment for good; name another one",
        payment=payment,
        decline_code=decline_code,
    )


def refund_exceeds_payment(payment: str, asked: Money, left: Money) -> Refusal:
    """More than was captured and is not given back, or under way back, already."""
    return precondition(
        Reason.REFUND_EXCEEDS_PAYMENT,
        f"{left} of {payment} can still be refunded, not {asked}",
        payment=payment,
        asked=str(asked),
        refundable=str(left),
    )


def time_out_of_range(field: str) -> Refusal:
    """An instant in the past or too far away."""
    return invalid(field, "is in the past or too far away", reason=Reason.TIME_OUT_OF_RANGE)


def cancellation_scheduled(name: str, cancel_at: datetime) -> Refusal:
    """The subscription ends anyway."""
    return precondition(
        Reason.CANCELLATION_SCHEDULED,
        f"{name} ends with the present period",
        subscription=name,
        cancel_time=_text(cancel_at),
    )


def payment_open(name: str) -> Refusal:
    """Until it is known what the buyer has paid, nothing can be computed from it."""
    return precondition(
        Reason.PAYMENT_OPEN, f"a payment of {name} is not settled yet, or just due", subscription=name
    )


def preview_required(name: str) -> Refusal:
    """A change of plan that costs money at once is made only as it was shown before."""
    refusal = invalid(
        "preview_token",
        "is needed for a change now: ask PreviewPlanChange what it costs",
        reason=Reason.PREVIEW_REQUIRED,
    )
    return _with(refusal, subscription=name)


def preview_stale(name: str, amount_due: Money) -> Refusal:
    """What was shown is not what the change would cost now."""
    return Refusal(
        Kind.STALE,
        Reason.PREVIEW_STALE,
        f"the change of {name} is not what was previewed any more: {amount_due} would be due now",
        metadata={"subscription": name, "amount_due": str(amount_due)},
    )


def transition_forbidden(name: str, state: str, action: str, allowed: tuple[str, ...]) -> Refusal:
    """The state, or what else is known of the resource, forbids the action."""
    possible = ",".join(allowed)
    return precondition(
        "TRANSITION_FORBIDDEN",
        f"{name} is {state}: {action} is not possible; possible: {possible or 'nothing'}",
        resource=name,
        state=state,
        action=action,
        allowed_actions=possible,
    )


def _with(refusal: Refusal, **metadata: str) -> Refusal:
    return Refusal(
        refusal.kind,
        refusal.reason,
        refusal.message,
        metadata={**refusal.metadata, **metadata},
        violations=refusal.violations,
    )


def _text(instant: datetime | None) -> str:
    return "" if instant is None else utc_text(instant)


def provider_events_not_configured(provider: str) -> Refusal:
    """There is no secret to check events by."""
    return precondition(
        Reason.PROVIDER_EVENTS_NOT_CONFIGURED,
        f"events of {provider} cannot be checked: no secret is configured",
        provider=provider,
    )


def provider_signature_invalid() -> Refusal:
    """Not signed by the provider."""
    return invalid("signature", "does not vouch for the event", reason=Reason.PROVIDER_SIGNATURE_INVALID)


def provider_event_expired(tolerance_seconds: int) -> Refusal:
    """Signed too long ago."""
    return invalid(
        "signature",
        f"was made more than {tolerance_seconds} seconds ago, or for a time to come",
        reason=Reason.PROVIDER_EVENT_EXPIRED,
    )


def payment_not_received(payment: str, state: str) -> Refusal:
    """There is a receipt only of what was paid."""
    return precondition(
        Reason.PAYMENT_NOT_RECEIVED, f"{payment} is not paid: it is {state}", payment=payment, state=state
    )
