"""Spans of time that somebody asks about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chassis.kernel.refusal import invalid

DEFAULT_SPAN: Final = timedelta(days=90)
"""What is looked at where no beginning is named."""


@dataclass(frozen=True, slots=True)
class Interval:
    """`start` inclusive, `end` exclusive."""

    start: datetime
    end: datetime

    def contains(self, instant: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.start <= instant < self.end


def past_interval(
    start: datetime | None, end: datetime | None, *, longest: timedelta, now: datetime
) -> Interval:
    """What is asked about, as far as it has passed. Refusal INVALID for more than `longest`."""
    until = now if end is None else min(end, now)
    since = until - DEFAULT_SPAN if start is None else start
    if until - since > longest:
        raise invalid("start_time", f"at most {longest.days} days before the period's end")
    return Interval(since, until)
