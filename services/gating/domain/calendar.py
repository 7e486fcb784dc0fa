"""When a seller or a listing takes no orders: what is declared for now, and what is planned. Pure functions
of the instant, so that what begins or ends needs nobody to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.gating.domain import refusals
from services.gating.domain.availability import Availability
from services.gating.domain.events import AbsenceCreated, AbsenceDeleted

MAX_ABSENCES: Final = 100
"""Absences of one seller, or of one listing, that have not ended."""


@dataclass(frozen=True, slots=True)
class Absence:
    """`subject`, a seller or a listing, takes no orders from `start_time` to before `end_time`."""

    id: str
    subject: str
    start_time: datetime
    end_time: datetime
    messages_closed: bool
    label: str
    author: str
    create_time: datetime

    @property
    def name(self) -> str:
        """`{subject}/absences/{id}`."""
        return f"{self.subject}/absences/{self.id}"

    def holds(self, at: datetime) -> bool:
        """Whether it has begun and not ended at an instant."""
        return self.start_time <= at < self.end_time


@dataclass(frozen=True, slots=True)
class Planned:
    """What a seller's team plans, and who of it."""

    start_time: datetime
    end_time: datetime
    messages_closed: bool
    label: str
    author: str


def plan_absence(
    absence_id: str, subject: str, planned: Planned, *, already: int, now: datetime
) -> tuple[Absence, AbsenceCreated]:
    """A new absence beside as many that have not ended as there are `already`."""
    if planned.start_time <= now:
        raise refusals.time_out_of_range("absence.start_time")
    if already >= MAX_ABSENCES:
        raise refusals.too_many_absences(subject, MAX_ABSENCES)
    absence = Absence(
        absence_id,
        subject,
        planned.start_time,
        planned.end_time,
        planned.messages_closed,
        planned.label,
        planned.author,
        now,
    )
    return absence, AbsenceCreated(absence, now)


def delete_absence(absence: Absence, *, now: datetime) -> AbsenceDeleted | None:
    """What happens when it is taken off the calendar; None where it has ended: there is nothing to delete."""
    return AbsenceDeleted(absence, now) if now < absence.end_time else None


@dataclass(frozen=True, slots=True)
class _Away:
    """No orders from `start` to before `end`; None: from ever, or for good."""

    start: datetime | None
    end: datetime | None
    messages_closed: bool

    def has_begun(self, at: datetime) -> bool:
        return self.start is None or self.start <= at

    def holds(self, at: datetime) -> bool:
        return self.has_begun(at) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything that keeps a seller or a listing from taking orders."""

    declared: Availability
    absences: tuple[Absence, ...] = ()

    @property
    def bounds(self) -> tuple[datetime, ...]:
        """The instants at which something begins or ends."""
        found = (bound for away in self.away() for bound in (away.start, away.end))
        return tuple(bound for bound in found if bound is not None)

    def holds(self, at: datetime) -> bool:
        """Whether orders are taken at an instant."""
        return self.declared.holds(at) and not any(absence.holds(at) for absence in self.absences)

    def next_absence(self, at: datetime) -> datetime | None:
        """When the next absence begins, strictly later."""
        return min((a.start_time for a in self.absences if a.start_time > at), default=None)

    def away(self) -> tuple[_Away, ...]:
        """Its spans, in no order."""
        planned = tuple(_Away(a.start_time, a.end_time, a.messages_closed) for a in self.absences)
        if self.declared.available:
            return planned
        return (_Away(None, self.declared.end_time, self.declared.messages_closed), *planned)


@dataclass(frozen=True, slots=True)
class Unavailability:
    """Why no orders are taken at an instant: `by_seller`, or else for the listing alone.

    `until`: when orders are taken again, None where only an edit ends it. `next_change_time`: when the first
    of this changes.
    """

    by_seller: bool
    messages_closed: bool
    until: datetime | None
    next_change_time: datetime | None


def unavailability(seller: Calendar, listing: Calendar, at: datetime) -> Unavailability | None:
    """What keeps a listing from being ordered; None where nothing does."""
    if seller.holds(at) and listing.holds(at):
        return None
    spans = (*seller.away(), *listing.away())
    until = _end(spans, at)
    said = _said(seller, spans, at)
    change = next((bound for bound in _later(spans, at, until) if _said(seller, spans, bound) != said), until)
    by_seller, messages_closed = said
    return Unavailability(by_seller, messages_closed, until, change)


def _said(seller: Calendar, spans: Iterable[_Away], at: datetime) -> tuple[bool, bool]:
    return not seller.holds(at), any(span.messages_closed for span in spans if span.holds(at))


def _later(spans: Iterable[_Away], at: datetime, until: datetime | None) -> Sequence[datetime]:
    """Where something begins or ends after `at` and before `until`."""
    found = {bound for span in spans for bound in (span.start, span.end) if bound is not None and bound > at}
    return sorted(bound for bound in found if until is None or bound < until)


def _end(spans: Sequence[_Away], at: datetime) -> datetime | None:
    """Where the spans that reach over `at`, and those that follow without a gap, end; None: nowhere."""
    until = at
    # What began before all time comes first, whatever began when.
    for span in sorted(spans, key=lambda each: (each.start is not None, each.start or at)):
        if not span.has_begun(until):
            break
        if span.end is None:
            return None
        until = max(until, span.end)
    return until
