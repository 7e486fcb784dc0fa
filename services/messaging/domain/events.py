"""What messaging tells the other services: facts without any text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.messaging.domain.attachment import Attachment
    from services.messaging.domain.conversation import Conversation, DeclineReason
    from services.messaging.domain.message import Message
    from services.messaging.domain.participants import Forward
    from services.messaging.domain.receipt import ReadReceipt
    from services.messaging.domain.side import Side


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


@dataclass(frozen=True, slots=True)
class InquiryDeclined:
    """The seller declined an inquiry, which closed it."""

    conversation: Conversation
    author: str
    reason: DeclineReason


@dataclass(frozen=True, slots=True)
class ConversationClosed:
    """No more messages are taken; `side` closed it."""

    conversation: Conversation
    side: Side


@dataclass(frozen=True, slots=True)
class ConversationReopened:
    """Messages are taken again; `side` opened it."""

    conversation: Conversation
    side: Side


@dataclass(frozen=True, slots=True)
class ParticipantAdded:
    """`participant` is in copy now, on `side`."""

    conversation: Conversation
    participant: str
    side: Side
    author: str


@dataclass(frozen=True, slots=True)
class ParticipantRemoved:
    """`participant` is no longer in copy."""

    conversation: Conversation
    participant: str
    side: Side
    author: str


@dataclass(frozen=True, slots=True)
class ConversationForwarded:
    """The seller forwarded the conversation."""

    conversation: Conversation
    forward: Forward


@dataclass(frozen=True, slots=True)
class AttachmentDownloaded:
    """Somebody of the other side downloaded a document for the first time."""

    conversation: Conversation
    attachment: Attachment
    reader: str
    side: Side


@dataclass(frozen=True, slots=True)
class PhoneRevealed:
    """`author` looked at the buyer's phone number."""

    conversation: Conversation
    author: str


@dataclass(frozen=True, slots=True)
class FeedbackLeft:
    """The buyer said how he was served."""

    conversation: Conversation
    rating: int


Event = (
    ConversationStarted
    | MessageSent
    | MessagesRead
    | InquiryDeclined
    | ConversationClosed
    | ConversationReopened
    | ParticipantAdded
    | ParticipantRemoved
    | ConversationForwarded
    | AttachmentDownloaded
    | PhoneRevealed
    | FeedbackLeft
)
