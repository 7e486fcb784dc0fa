"""What the observer of an inquiry may know: whether contact was made and whether a sale was closed.

It is made of facts that carry no text, and knows neither the buyer nor the conversation's contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """`conversation` names the inquiry; the times are None before it happened."""

    conversation: str
    observer: str
    seller: str
    marketplace: str
    create_time: datetime
    contact_time: datetime | None = None
    sale_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.conversation}/outcome"


@dataclass(frozen=True, slots=True)
class ObservedInquiry:
    """An inquiry with an observer began."""

    conversation: str
    observer: str
    seller: str
    marketplace: str


@dataclass(frozen=True, slots=True)
class ObservedContact:
    """The seller wrote in, or declined, an inquiry with an observer."""

    conversation: str
