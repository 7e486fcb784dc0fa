"""What the gate of the gating service said, as it is stored with the order that it let through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What the buyer may do."""

    ALLOWED = "ALLOWED"
    REQUEST_REQUIRED = "REQUEST_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"


FOR_EVERYBODY: Final = frozenset(
    {
        "SELLER_UNAVAILABLE",
        "LISTING_UNAVAILABLE",
        "SWITCHED_OFF",
        "NOT_ENTITLED",
        "LISTING_EXCLUDED",
        "OUT_OF_SCOPE",
        "OUTSIDE_WINDOWS",
        "OVERRIDE_OPEN",
        "INTAKE_NOT_INSTANT",
    }
)
"""Reasons that have nothing to do with the buyer. One that is missing costs a question, never an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """A decision and its explanation; `reason` is a name of gating's closed list, without prefix."""

    package: str
    buyer: str
    outcome: Outcome
    reason: str
    explanation: str
    evaluate_time: datetime | None
    local_time: str
    time_zone: str
    settings_version: int
    matched_window: str
    next_change_time: datetime | None
    offer: str
    unavailable_until: datetime | None

    @property
    def is_for_everybody(self) -> bool:
        """Whether every buyer would be told the same at this moment."""
        return self.reason in FOR_EVERYBODY
