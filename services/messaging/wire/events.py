"""Our own events on the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message as ProtoMessage

from chassis.envelope import EventRecord, record_for
from chassis.kernel.ids import Ids
from chassis.wire import timestamp
from parley.messaging.v1 import erasure_pb2
from parley.messaging.v1 import events_pb2 as messaging_events
from services.messaging.domain import events
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.erasure import ErasureEvent, ErasureRequested
from services.messaging.wire.values import CHANNELS, DECLINE_REASONS, KINDS, SIDES, STATES


def _facts(conversation: Conversation) -> messaging_events.ConversationFacts:
    return messaging_events.ConversationFacts(
        name=conversation.name,
        version=conversation.version,
        subject=conversation.subject,
        seller=conversation.seller,
        buyer=conversation.buyer,
        state=STATES[conversation.state],
        observer=conversation.observer,
        marketplace=conversation.marketplace,
    )


def event_record(event: events.Event | ErasureEvent, *, ids: Ids) -> EventRecord:
    """The record of a domain event, for the outbox."""
    if isinstance(event, ErasureEvent):
        return _erasure_record(event, ids=ids)
    conversation = event.conversation
    return record_for(
        _MESSAGES[type(event)](event),
        aggregate=conversation.name,
        version=conversation.version,
        ids=ids,
        time=conversation.update_time,
    )


def _erasure_record(event: ErasureEvent, *, ids: Ids) -> EventRecord:
    found = event.erasure
    if isinstance(event, ErasureRequested):
        asked = erasure_pb2.ErasureRequested(erasure=found.name, user=found.user)
        return record_for(asked, aggregate=found.name, version=1, ids=ids, time=found.request_time)
    assert found.done_time is not None
    done = erasure_pb2.ErasureDone(erasure=found.name)
    return record_for(done, aggregate=found.name, version=2, ids=ids, time=found.done_time)


def _message_sent(event: events.MessageSent) -> ProtoMessage:
    return messaging_events.MessageSent(
        conversation=_facts(event.conversation),
        message=event.message.name,
        author=event.message.author,
        side=SIDES[event.message.side],
        kind=KINDS[event.message.kind],
        channel=CHANNELS[event.message.channel],
    )


def _messages_read(event: events.MessagesRead) -> ProtoMessage:
    receipt = event.receipt
    return messaging_events.MessagesRead(
        conversation=_facts(event.conversation),
        reader=receipt.user,
        side=SIDES[receipt.side],
        message=f"{event.conversation.name}/messages/{receipt.message_id}",
        read_time=timestamp(receipt.read_time),
    )


def _conversation_started(event: events.ConversationStarted) -> ProtoMessage:
    return messaging_events.ConversationStarted(conversation=_facts(event.conversation))


def _inquiry_declined(event: events.InquiryDeclined) -> ProtoMessage:
    return messaging_events.InquiryDeclined(
        conversation=_facts(event.conversation),
        author=event.author,
        reason=DECLINE_REASONS[event.reason],
    )


def _conversation_closed(event: events.ConversationClosed) -> ProtoMessage:
    return messaging_events.ConversationClosed(
        conversation=_facts(event.conversation), side=SIDES[event.side]
    )


def _conversation_reopened(event: events.ConversationReopened) -> ProtoMessage:
    return messaging_events.ConversationReopened(
        conversation=_facts(event.conversation), side=SIDES[event.side]
    )


def _participant_added(event: events.ParticipantAdded) -> ProtoMessage:
    return messaging_events.ParticipantAdded(
        conversation=_facts(event.conversation),
        participant=event.participant,
        side=SIDES[event.side],
        author=event.author,
    )


def _participant_removed(event: events.ParticipantRemoved) -> ProtoMessage:
    return messaging_events.ParticipantRemoved(
        conversation=_facts(event.conversation),
        participant=event.participant,
        side=SIDES[event.side],
        author=event.author,
    )


def _conversation_forwarded(event: events.ConversationForwarded) -> ProtoMessage:
    return messaging_events.ConversationForwarded(
        conversation=_facts(event.conversation), forward=event.forward.name, author=event.forward.author
    )


def _attachment_downloaded(event: events.AttachmentDownloaded) -> ProtoMessage:
    return messaging_events.AttachmentDownloaded(
        conversation=_facts(event.conversation),
        attachment=event.attachment.name,
        reader=event.reader,
        side=SIDES[event.side],
    )


def _phone_revealed(event: events.PhoneRevealed) -> ProtoMessage:
    return messaging_events.PhoneRevealed(conversation=_facts(event.conversation), author=event.author)


def _feedback_left(event: events.FeedbackLeft) -> ProtoMessage:
    return messaging_events.FeedbackLeft(conversation=_facts(event.conversation), rating=event.rating)


_MESSAGES: Mapping[type[events.Event], Callable[[Any], ProtoMessage]] = {
    events.ConversationStarted: _conversation_started,
    events.MessageSent: _message_sent,
    events.MessagesRead: _messages_read,
    events.InquiryDeclined: _inquiry_declined,
    events.ConversationClosed: _conversation_closed,
    events.ConversationReopened: _conversation_reopened,
    events.ParticipantAdded: _participant_added,
    events.ParticipantRemoved: _participant_removed,
    events.ConversationForwarded: _conversation_forwarded,
    events.AttachmentDownloaded: _attachment_downloaded,
    events.PhoneRevealed: _phone_revealed,
    events.FeedbackLeft: _feedback_left,
}
