"""Why webhooks are refused."""

from __future__ import annotations

from chassis.kernel.refusal import Refusal, invalid, precondition
from services.messaging.domain.refusals import Reason


def url_invalid(problem: str) -> Refusal:
    """The address cannot be told anything; `problem` completes the sentence."""
    return invalid("url", problem, reason=Reason.WEBHOOK_URL_INVALID)


def too_many_endpoints(seller: str, maximum: int) -> Refusal:
    """The seller has enough of them."""
    return precondition(
        Reason.TOO_MANY_WEBHOOK_ENDPOINTS,
        f"{seller} has {maximum} endpoints",
        resource=seller,
        maximum=str(maximum),
    )


def endpoint_disabled(name: str) -> Refusal:
    """It answered 410."""
    return precondition(Reason.WEBHOOK_ENDPOINT_DISABLED, f"{name} is disabled", resource=name)
