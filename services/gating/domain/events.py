"""What happened in gating, each with the aggregate after the change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.gating.domain.availability import Availability
    from services.gating.domain.calendar import Absence
    from services.gating.domain.order_request import OrderRequest
    from services.gating.domain.plan import SellerPlan
    from services.gating.domain.settings import OrderSettings
    from services.gating.domain.verification import BuyerVerification


@dataclass(frozen=True, slots=True)
class OrderSettingsSaved:
    """A save changed something."""

    settings: OrderSettings
    time: datetime


@dataclass(frozen=True, slots=True)
class SellerPlanSet:
    """The operator set a plan."""

    plan: SellerPlan
    time: datetime


@dataclass(frozen=True, slots=True)
class AvailabilitySet:
    """A seller or a listing became available or unavailable."""

    availability: Availability
    time: datetime


@dataclass(frozen=True, slots=True)
class AbsenceCreated:
    """An absence was planned."""

    absence: Absence
    time: datetime


@dataclass(frozen=True, slots=True)
class AbsenceDeleted:
    """An absence was taken off the calendar; if it had begun, it ended with that."""

    absence: Absence
    time: datetime


@dataclass(frozen=True, slots=True)
class BuyerVerificationSet:
    """A buyer was verified, or is not any more."""

    verification: BuyerVerification
    time: datetime


class RequestVerb(StrEnum):
    """What happened to an order request."""

    SUBMITTED = "submitted"
    INFORMATION_ASKED = "informationasked"
    INFORMATION_ANSWERED = "informationanswered"
    OFFERED = "offered"
    REMINDED = "reminded"
    REOPENED = "reopened"
    CONVERTED = "converted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class OrderRequestChanged:
    """An order request moved; `verb` says how."""

    verb: RequestVerb
    request: OrderRequest
    time: datetime


Event = (
    OrderSettingsSaved
    | SellerPlanSet
    | AvailabilitySet
    | AbsenceCreated
    | AbsenceDeleted
    | BuyerVerificationSet
    | OrderRequestChanged
)
