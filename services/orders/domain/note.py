"""Notes of the seller's team about an order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.kernel.refusal import invalid
from services.orders.domain import refusals
from services.orders.domain.order import Order

NOTES_LIMIT: Final = 1_000
"""How many notes an order may have."""


@dataclass(frozen=True, slots=True)
class Note:
    """What `author` (`users/{user}`) wrote down about an order of `seller`."""

    id: str
    order: str
    seller: str
    author: str
    text: str
    create_time: datetime

    @property
    def name(self) -> str:
        """`orders/{order}/notes/{note}`."""
        return f"{self.order}/notes/{self.id}"


@dataclass(frozen=True, slots=True)
class NoteFilter:
    """A note by `author` (anybody if empty), written from `start_time` on and before `end_time`."""

    author: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None


def write(order: Order, text: str, *, note_id: str, author: str, held: int, now: datetime) -> Note:
    """One more note, beside the `held` that are there. Refusals VALIDATION_FAILED and TOO_MANY_NOTES."""
    text = text.strip()
    if not text:
        raise invalid("text", "is blank")
    if held >= NOTES_LIMIT:
        raise refusals.too_many_notes(order.name, NOTES_LIMIT)
    return Note(note_id, order.name, order.seller, author, text, now)
