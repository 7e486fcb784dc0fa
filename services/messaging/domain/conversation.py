"""A conversation: who takes part, and whether messages are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chassis.kernel.machine import Actor, Machine, Transition
from services.messaging.domain import events
from services.messaging.domain.receipt import ReadReceipt
from services.messaging.domain.side import Side


class State(StrEnum):
    """Whether messages are taken."""

    OPEN = "open"
    CLOSED = "closed"


PARTIES = (Actor.BUYER, Actor.SELLER)
MACHINE: Machine[State] = Machine(
    "conversation",
    (
        Transition((State.OPEN,), "sendMessage", PARTIES),
        Transition((State.OPEN, State.CLOSED), "markRead", PARTIES),
    ),
)
"""Closing and reopening have no method yet; reading is possible in every state."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The thread about one `subject` (an order request or an order; empty for an inquiry).

    `unread` counts, for each side, the public messages of the other that it has not read.
    """

    name: str
    subject: str
    origin: str
    seller: str
    buyer: str
    create_time: datetime
    update_time: datetime
    last_entry_time: datetime
    state: State = State.OPEN
    title: str = ""
    marketplace: str = ""
    unread: Mapping[Side, int] = field(default_factory=lambda: {Side.BUYER: 0, Side.SELLER: 0})
    receipts: tuple[ReadReceipt, ...] = ()
    version: int = 1

    def receipt_of(self, user: str) -> ReadReceipt | None:
        """Up to where `user` has read; None before he read anything."""
        return next((receipt for receipt in self.receipts if receipt.user == user), None)


def about(*, subject: str, origin: str, seller: str, buyer: str, now: datetime) -> Conversation:
    """The conversation about an order request or an order; its id is the subject's."""
    return Conversation(
        name=f"conversations/{subject.rpartition('/')[2]}",
        subject=subject,
        origin=origin,
        seller=seller,
        buyer=buyer,
        create_time=now,
        update_time=now,
        last_entry_time=now,
    )


def started(conversation: Conversation) -> events.ConversationStarted:
    """The event that tells of a new conversation."""
    return events.ConversationStarted(conversation)


def inquire(
    *, conversation_id: str, seller: str, buyer: str, title: str, marketplace: str, now: datetime
) -> Conversation:
    """A conversation that a buyer begins before any request or order."""
    return Conversation(
        name=f"conversations/{conversation_id}",
        subject="",
        origin="",
        seller=seller,
        buyer=buyer,
        title=title,
        marketplace=marketplace,
        create_time=now,
        update_time=now,
        last_entry_time=now,
    )
