"""What is remembered for the figures: each a thing that happened, told once, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class FactKind(StrEnum):
    """What happened."""

    REQUEST_SUBMITTED = "request_submitted"
    REQUEST_INFORMATION_ASKED = "request_information_asked"
    REQUEST_INFORMATION_ANSWERED = "request_information_answered"
    REQUEST_OFFERED = "request_offered"
    REQUEST_REOPENED = "request_reopened"
    REQUEST_CONVERTED = "request_converted"
    REQUEST_DECLINED = "request_declined"
    REQUEST_WITHDRAWN = "request_withdrawn"
    REQUEST_EXPIRED = "request_expired"
    REQUEST_CLOSED = "request_closed"
    INQUIRY_STARTED = "inquiry_started"
    SELLER_WROTE = "seller_wrote"
    ORDER_PLACED = "order_placed"
    ORDER_CONFIRMED = "order_confirmed"
    ORDER_DECLINED = "order_declined"
    ORDER_WITHDRAWN = "order_withdrawn"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_COMPLETED = "order_completed"
    AVAILABILITY_SET = "availability_set"
    ABSENCE_CREATED = "absence_created"
    ABSENCE_DELETED = "absence_deleted"
    SETTINGS_SAVED = "settings_saved"


Detail = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Content:
    """What happened to `about`, the resource whose figures it touches. Empty: not known, or none.

    `detail` holds what only some kinds have: instants in ISO 8601, names, numbers.
    """

    kind: FactKind
    about: str
    seller: str
    listing: str = ""
    buyer: str = ""
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """A content, told by version `version` of `source`; that pair is what makes it one fact."""

    source: str
    version: int
    time: datetime
    content: Content


@dataclass(frozen=True, slots=True)
class Visit:
    """A buyer looked at a listing. One counts for each buyer, listing and `day`, the seller's local date.

    `id` stands for it where the seller looks: who visited is not his business.
    """

    id: str
    seller: str
    listing: str
    buyer: str
    day: date
    time: datetime
