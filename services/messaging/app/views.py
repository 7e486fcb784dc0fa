"""What the app hands to the wire: an aggregate, and who looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.messaging.domain.conversation import Conversation
from services.messaging.domain.side import Seat


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as it is seen from `seat` at `now`."""

    conversation: Conversation
    seat: Seat
    now: datetime
