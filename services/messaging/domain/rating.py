"""How a seller is rated, and what does not touch it.

Only feedback and requests that ran out unanswered count. Each entry is named by the event behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

PERIOD: Final = timedelta(days=365)
"""How far back a rating looks."""
SMALLEST_SAMPLE: Final = 3
"""Below this there is no rating."""
UNANSWERED_SCORE: Final = 1
"""What a request that ran out unanswered scores, of 1 to 5."""


class RatingKind(StrEnum):
    """What an entry is; the names of the wire's without the prefix."""

    FEEDBACK = "FEEDBACK"
    REQUEST_EXPIRED = "REQUEST_EXPIRED"
    REQUEST_DECLINED = "REQUEST_DECLINED"
    REQUEST_CLOSED = "REQUEST_CLOSED"
    INQUIRY_DECLINED = "INQUIRY_DECLINED"


class Exclusion(StrEnum):
    """Why an entry does not count; the names of the wire's without the prefix."""

    DECLINED = "DECLINED"
    ANSWERED = "ANSWERED"
    UNAVAILABLE = "UNAVAILABLE"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class RatingFact:
    """Something that concerns the rating of `seller`. `score` is None where it does not count."""

    seller: str
    kind: RatingKind
    resource: str
    score: int | None = None
    exclusion: Exclusion | None = None


@dataclass(frozen=True, slots=True)
class RatingEntry:
    """A fact, with the event behind it."""

    fact: RatingFact
    event_id: str
    create_time: datetime

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.fact.seller}/rating/entries/{self.event_id}"


@dataclass(frozen=True, slots=True)
class Rating:
    """What the entries since `start_time` come to. `total` is the sum of all scores that count."""

    seller: str
    start_time: datetime
    total: int = 0
    feedback_count: int = 0
    unanswered_count: int = 0
    exclusions: Mapping[Exclusion, int] = field(default_factory=dict)

    @property
    def sample_size(self) -> int:
        """How many entries count."""
        return self.feedback_count + self.unanswered_count

    @property
    def score_hundredths(self) -> int | None:
        """The mean in hundredths, rounded down; None below the smallest sample."""
        if self.sample_size < SMALLEST_SAMPLE:
            return None
        return self.total * 100 // self.sample_size


def feedback(seller: str, conversation: str, rating: int) -> RatingFact:
    """A buyer said how he was served."""
    return RatingFact(seller, RatingKind.FEEDBACK, conversation, score=rating)


def inquiry_declined(seller: str, conversation: str) -> RatingFact:
    """Declining through the interface is neutral."""
    return RatingFact(seller, RatingKind.INQUIRY_DECLINED, conversation, exclusion=Exclusion.DECLINED)


def request_declined(seller: str, request: str) -> RatingFact:
    """Declining through the interface is neutral."""
    return RatingFact(seller, RatingKind.REQUEST_DECLINED, request, exclusion=Exclusion.DECLINED)


def request_closed(seller: str, request: str) -> RatingFact:
    """The operator closed it: not the seller's doing."""
    return RatingFact(seller, RatingKind.REQUEST_CLOSED, request, exclusion=Exclusion.OPERATOR)


def request_expired(seller: str, request: str, *, answered: bool, unavailable: bool) -> RatingFact:
    """A request ran out; it counts where the seller was there and never answered."""
    kind = RatingKind.REQUEST_EXPIRED
    if answered:
        return RatingFact(seller, kind, request, exclusion=Exclusion.ANSWERED)
    if unavailable:
        return RatingFact(seller, kind, request, exclusion=Exclusion.UNAVAILABLE)
    return RatingFact(seller, kind, request, score=UNANSWERED_SCORE)
