"""What the app hands to the wire: an aggregate, and who looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.kernel.machine import Actor
from services.messaging.domain.conversation import Conversation


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as `actor` sees it at `now`."""

    conversation: Conversation
    actor: Actor
    now: datetime
