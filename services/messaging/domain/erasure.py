"""The wish of a person to be erased, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

SERVICES: Final = ("gating", "messaging", "offers", "orders")
"""Who keeps something about people."""


class State(StrEnum):
    """How far it is."""

    REQUESTED = "requested"
    ERASING = "erasing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Erasure:
    """`user` is who is erased, `author` who asked for it; `confirmed` are the services that have done it."""

    id: str
    user: str
    author: str
    request_time: datetime
    state: State = State.REQUESTED
    confirmed: tuple[str, ...] = ()
    done_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"erasures/{self.id}"


@dataclass(frozen=True, slots=True)
class ErasureEvent:
    """Something happened to an erasure."""

    erasure: Erasure


class ErasureRequested(ErasureEvent):
    """It was asked for."""


class ErasureDone(ErasureEvent):
    """Every service has done it."""


def begun(erasure: Erasure) -> Erasure:
    """Something is erased already."""
    return replace(erasure, state=State.ERASING) if erasure.state is State.REQUESTED else erasure


def confirm(erasure: Erasure, service: str, *, now: datetime) -> tuple[Erasure, ErasureDone | None]:
    """A service has done it; the last one ends it. Saying it again changes nothing."""
    if service in erasure.confirmed:
        return erasure, None
    confirmed = tuple(sorted({*erasure.confirmed, service}))
    if confirmed != SERVICES:
        return replace(begun(erasure), confirmed=confirmed), None
    done = replace(erasure, state=State.DONE, confirmed=confirmed, done_time=now)
    return done, ErasureDone(done)
