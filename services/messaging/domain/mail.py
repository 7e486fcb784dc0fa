"""A mail on its way: what it is made of, when it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.money import Money
from services.messaging.domain.profile import EmailState, Profile
from services.messaging.domain.side import Side

TRY_FOR: Final = timedelta(days=3)
"""How long a mail is tried while its server cannot take it."""
ITEM_LIMIT: Final = 50
"""Notices that one mail spells out; of more it only says how many."""
NOT_ASKED_ANY_MORE: Final = "NOT_ASKED_ANY_MORE"
"""Why a mail that asks for a proof fails when another one was asked for, or none is needed."""


class Purpose(StrEnum):
    """What a mail is for."""

    NOTICES = "notices"
    DIGEST = "digest"
    VERIFICATION = "verification"


class State(StrEnum):
    """What became of it."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Item:
    """One notice in a mail. `counterpart` is what the recipient may read of the other side: a display name or
    a seller's id; empty where there is none. `text` is his own message, where the mail is its copy. `link` is
    the token by which he can answer; empty where he cannot.
    """

    topic: str
    conversation: str
    side: Side
    counterpart: str
    time: datetime
    amount: Money | None = None
    text: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one person. `token` proves that he reads it, where that is its purpose. `reply_to` is the
    address to which he answers, `bounce_to` where it comes back to; empty where nothing listens there.
    """

    id: str
    recipient: Profile
    purpose: Purpose
    create_time: datetime
    items: tuple[Item, ...] = ()
    token: str = ""
    reply_to: str = ""
    bounce_to: str = ""

    def undeliverable(self) -> str:
        """Why it must not leave any more; empty where it may."""
        state = self.recipient.email_state
        if state is EmailState.NONE:
            return "NO_ADDRESS"
        if self.purpose is Purpose.VERIFICATION:
            return "" if self.token and state is not EmailState.VERIFIED else NOT_ASKED_ANY_MORE
        return "" if state is EmailState.VERIFIED else "ADDRESS_NOT_VERIFIED"

    def is_overdue(self, now: datetime) -> bool:
        """Whether it was tried for long enough."""
        return now >= self.create_time + TRY_FOR
