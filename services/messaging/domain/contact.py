"""The buyer's phone number: shown on demand, and each time recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.messaging.domain import events, refusals
from services.messaging.domain.conversation import MACHINE, Conversation
from services.messaging.domain.side import Seat


def reveal_phone(
    conversation: Conversation, *, seat: Seat, now: datetime
) -> tuple[Conversation, events.PhoneRevealed]:
    """The conversation after somebody of the team looked at the number. Refusal NO_PHONE."""
    MACHINE.move(conversation.state, "revealPhone", seat.actor, name=conversation.name)
    if not conversation.has_phone:
        raise refusals.no_phone(conversation.name)
    changed = replace(conversation, version=conversation.version + 1, update_time=now)
    return changed, events.PhoneRevealed(changed, seat.user)
