"""Whether a seller or one listing takes orders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.kernel.refusal import invalid, stale_etag
from services.gating.domain import refusals
from services.gating.domain.events import AvailabilitySet


@dataclass(frozen=True, slots=True)
class Availability:
    """The availability of `subject`, a seller or a listing. Version 0: never set, available."""

    subject: str
    available: bool = True
    end_time: datetime | None = None
    messages_closed: bool = False
    version: int = 0

    @property
    def name(self) -> str:
        """The aggregate's name in events."""
        return f"{self.subject}/availability"

    @property
    def etag(self) -> str:
        """The version as callers see it."""
        return f"v{self.version}"

    def holds(self, at: datetime) -> bool:
        """Whether orders are taken at an instant: unavailability ends by itself at `end_time`, exclusive."""
        return self.available or (self.end_time is not None and at >= self.end_time)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a seller declares."""

    available: bool
    end_time: datetime | None = None
    messages_closed: bool = False


def declare(
    current: Availability, wanted: Declared, *, etag: str, now: datetime
) -> tuple[Availability, AvailabilitySet | None]:
    """The availability as declared; no event where it is declared already."""
    if etag and etag != current.etag:
        raise stale_etag(current.subject, etag, current.etag)
    if wanted.available and wanted.end_time is not None:
        raise invalid("end_time", "only unavailability ends by itself")
    if wanted.available and wanted.messages_closed:
        raise invalid("messages_closed", "only goes with unavailability")
    if wanted.end_time is not None and wanted.end_time <= now:
        raise refusals.time_out_of_range("end_time")
    if wanted == Declared(current.available, current.end_time, current.messages_closed):
        return current, None
    changed = replace(
        current,
        available=wanted.available,
        end_time=wanted.end_time,
        messages_closed=wanted.messages_closed,
        version=current.version + 1,
    )
    return changed, AvailabilitySet(changed, now)
