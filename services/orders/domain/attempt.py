"""One try to charge a payment, and what the provider may say to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What the provider said to an attempt."""

    CAPTURED = "CAPTURED"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    SOFT_DECLINE = "SOFT_DECLINE"
    HARD_DECLINE = "HARD_DECLINE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Action:
    """What the provider wants of the buyer, such as to prove that the card is his: to open `url`, or to go on
    with `client_secret` in his own program. Whoever has either acts in his place: only the buyer sees them.
    """

    url: str = ""
    client_secret: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """An answer of the provider: CAPTURED, SOFT_DECLINE or HARD_DECLINE with its code for a decline, or
    REQUIRES_ACTION with the `action`: nothing is taken until the buyer did it.

    `reference` is the provider's own name for the charge, where it has one.
    """

    outcome: Outcome
    decline_code: str = ""
    reference: str = ""
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `key` names it at the provider; `outcome` is None until something is known.

    `action` is wanted of the buyer until `action_expire_time`; it is forgotten with the answer. `note` is why
    an operator decided what became of it, where the provider never told.
    """

    number: int
    key: str
    token: str
    submit_time: datetime
    outcome: Outcome | None = None
    decline_code: str = ""
    resolve_time: datetime | None = None
    reference: str = ""
    note: str = ""
    action: Action | None = None
    action_expire_time: datetime | None = None

    @property
    def is_resolved(self) -> bool:
        """Whether the provider's answer is known."""
        return self.resolve_time is not None
