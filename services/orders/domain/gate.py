"""What the gate of the gating service said, as it is stored with the order that it let through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What the buyer may do."""

    ALLOWED = "ALLOWED"
    REQUEST_REQUIRED = "REQUEST_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"


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
