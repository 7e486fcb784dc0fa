"""Why nothing is translated."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.refusal import Refusal, invalid, precondition, unavailable
from services.messaging.domain.refusals import Reason

TRANSLATOR: str = "translator"
"""The peer that an outage names."""


def not_configured() -> Refusal:
    """The operator runs no translator."""
    return precondition(Reason.TRANSLATION_NOT_CONFIGURED, "this system has no translator")


def not_offered(field: str, language: str, offered: Sequence[str]) -> Refusal:
    """The language is none of those that are configured."""
    return invalid(
        field,
        f"is none of {', '.join(offered)}",
        reason=Reason.LANGUAGE_NOT_OFFERED,
        language=language,
        offered=",".join(offered),
    )


def impossible(name: str, source: str, target: str) -> Refusal:
    """The engine cannot do it, however often it is asked. `source` is empty where nobody can tell it."""
    return precondition(
        Reason.TRANSLATION_IMPOSSIBLE,
        f"nobody here translates {name} from {source or 'an unknown language'} into {target}",
        resource=name,
        source=source,
        target=target,
    )


def out_of_reach(problem: str, *, retry_after_seconds: float = 5.0) -> Refusal:
    """The engine cannot be asked now."""
    return unavailable(
        "PEER_UNAVAILABLE",
        f"the translator cannot be asked: {problem}",
        retry_after_seconds=retry_after_seconds,
        peer=TRANSLATOR,
    )
