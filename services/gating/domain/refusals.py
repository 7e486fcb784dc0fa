"""Everything that gating refuses for reasons of its own."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chassis.kernel.refusal import Kind, Refusal, exists, invalid, precondition


class Reason(StrEnum):
    """The names of `parley.gating.v1.ErrorReason`, without their prefix."""

    WINDOW_INVALID = "WINDOW_INVALID"
    OVERRIDE_DATE_INVALID = "OVERRIDE_DATE_INVALID"
    SCOPE_FOREIGN = "SCOPE_FOREIGN"
    REQUEST_NOT_REQUIRED = "REQUEST_NOT_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"
    OPEN_REQUEST_EXISTS = "OPEN_REQUEST_EXISTS"
    OWN_LISTING = "OWN_LISTING"
    TIME_OUT_OF_RANGE = "TIME_OUT_OF_RANGE"
    TOO_MANY_QUESTIONS = "TOO_MANY_QUESTIONS"
    SIMULATION_TOO_LARGE = "SIMULATION_TOO_LARGE"
    PACKAGE_RETIRED = "PACKAGE_RETIRED"
    TOO_MANY_ABSENCES = "TOO_MANY_ABSENCES"


def window_invalid(field: str, start: str, end: str) -> Refusal:
    """A span that is empty, or that leaves its day where it must not."""
    description = f"{start}-{end} does not start before it ends"
    return invalid(field, description, reason=Reason.WINDOW_INVALID, start=start, end=end)


def override_date_invalid(field: str, date: str, description: str) -> Refusal:
    """A date that the calendar does not know, or that has two overrides."""
    return invalid(field, description, reason=Reason.OVERRIDE_DATE_INVALID, date=date)


def scope_foreign(field: str, resource: str) -> Refusal:
    """A package or listing of somebody else."""
    description = f"{resource} belongs to another seller"
    return invalid(field, description, reason=Reason.SCOPE_FOREIGN, resource=resource)


def request_not_required(metadata: Mapping[str, str]) -> Refusal:
    """The gate lets the buyer order at once; `metadata` is that of the decision."""
    message = "the gate does not ask for a request now: order at once"
    return Refusal(Kind.PRECONDITION, Reason.REQUEST_NOT_REQUIRED, message, metadata=metadata)


def unavailable(metadata: Mapping[str, str]) -> Refusal:
    """Neither orders nor requests are taken, as messages are closed; `metadata` is that of the decision."""
    message = "neither orders nor requests are taken now"
    return Refusal(Kind.PRECONDITION, Reason.UNAVAILABLE, message, metadata=metadata)


def open_request_exists(order_request: str) -> Refusal:
    """The buyer waits for an answer for this package already."""
    return exists(
        Reason.OPEN_REQUEST_EXISTS,
        f"{order_request} is open for this package already",
        order_request=order_request,
    )


def package_retired(package: str) -> Refusal:
    """The package is not sold any more; an open offer for it can still be accepted."""
    return precondition(Reason.PACKAGE_RETIRED, f"{package} is not sold any more", package=package)


def own_listing(seller: str) -> Refusal:
    """A team would buy from itself."""
    return invalid("package", "a team cannot buy from itself", reason=Reason.OWN_LISTING, seller=seller)


def time_out_of_range(field: str) -> Refusal:
    """An instant that is not in the future."""
    return invalid(field, "must lie in the future", reason=Reason.TIME_OUT_OF_RANGE)


def too_many_questions(name: str, limit: int) -> Refusal:
    """The seller asked as often as he may."""
    return precondition(
        Reason.TOO_MANY_QUESTIONS,
        f"{name} has reached its maximum of {limit} questions",
        resource=name,
        limit=str(limit),
    )


def too_many_absences(subject: str, limit: int) -> Refusal:
    """The seller planned as many as he may."""
    return precondition(
        Reason.TOO_MANY_ABSENCES,
        f"{limit} absences are planned for {subject} already",
        resource=subject,
        limit=str(limit),
    )


def simulation_too_large(limit: int) -> Refusal:
    """More placements than one simulation takes."""
    return invalid(
        "start_time",
        f"the period has more than {limit} placements",
        reason=Reason.SIMULATION_TOO_LARGE,
        limit=str(limit),
    )
