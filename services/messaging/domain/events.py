"""What messaging tells the other services: facts without any text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.messaging.domain.conversation import Conversation
    from services.messaging.domain.message import Message
    from services.messaging.domain.receipt import ReadReceipt


@dataclass(frozen=True, slots=True)
class ConversationStarted:
    """A conversation began."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message was sent."""

    conversation: Conversation
    message: Message


@dataclass(frozen=True, slots=True)
class MessagesRead:
    """A participant read further than before."""

    conversation: Conversation
    receipt: ReadReceipt


Event = ConversationStarted | MessageSent | MessagesRead
