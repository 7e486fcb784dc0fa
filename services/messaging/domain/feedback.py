"""What the buyer says of how he was served."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.messaging.domain import events, refusals
from services.messaging.domain.conversation import MACHINE, Conversation, Feedback
from services.messaging.domain.side import Seat


def leave(
    conversation: Conversation, *, seat: Seat, rating: int, text: str, now: datetime
) -> tuple[Conversation, events.FeedbackLeft]:
    """Once for each conversation: Refusal FEEDBACK_EXISTS."""
    MACHINE.move(conversation.state, "leaveFeedback", seat.actor, name=conversation.name)
    if conversation.feedback is not None:
        raise refusals.feedback_exists(conversation.name)
    changed = replace(
        conversation,
        feedback=Feedback(rating, text, now),
        last_entry_time=max(now, conversation.last_entry_time),
        version=conversation.version + 1,
        update_time=now,
    )
    return changed, events.FeedbackLeft(changed, rating)
