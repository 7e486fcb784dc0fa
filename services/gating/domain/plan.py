"""What a seller's plan entitles to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.kernel.refusal import invalid, stale_etag
from services.gating.domain import refusals
from services.gating.domain.events import SellerPlanSet


class Tier(StrEnum):
    """The plans. Only PREMIUM includes the gate."""

    BASIC = "BASIC"
    PREMIUM = "PREMIUM"


@dataclass(frozen=True, slots=True)
class SellerPlan:
    """A seller's plan. It lapses to BASIC at `expire_time`, exclusive. Version 0: never set."""

    seller: str
    tier: Tier = Tier.BASIC
    expire_time: datetime | None = None
    version: int = 0

    @property
    def name(self) -> str:
        """The aggregate's name in events."""
        return f"{self.seller}/plan"

    @property
    def etag(self) -> str:
        """The version as callers see it."""
        return f"v{self.version}"

    def entitled(self, at: datetime) -> bool:
        """Whether the gate is included at an instant."""
        return self.tier is Tier.PREMIUM and (self.expire_time is None or at < self.expire_time)


def set_plan(
    current: SellerPlan, *, tier: Tier, expire_time: datetime | None, etag: str, now: datetime
) -> tuple[SellerPlan, SellerPlanSet | None]:
    """The plan that the operator wants; no event where it holds already."""
    if etag and etag != current.etag:
        raise stale_etag(current.seller, etag, current.etag)
    if tier is Tier.BASIC and expire_time is not None:
        raise invalid("expire_time", "only a premium plan lapses")
    if expire_time is not None and expire_time <= now:
        raise refusals.time_out_of_range("expire_time")
    if (tier, expire_time) == (current.tier, current.expire_time):
        return current, None
    plan = replace(current, tier=tier, expire_time=expire_time, version=current.version + 1)
    return plan, SellerPlanSet(plan, now)
