"""Closing, opening again and putting away."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.kernel.machine import Actor
from services.messaging.domain import events
from services.messaging.domain.conversation import MACHINE, Conversation, State
from services.messaging.domain.side import Seat, Side, side_of


def close(
    conversation: Conversation, *, actor: Actor, now: datetime
) -> tuple[Conversation, events.ConversationClosed | None]:
    """No more messages are taken, until it is opened again. Closing a closed one changes nothing."""
    state = MACHINE.move(conversation.state, "close", actor, name=conversation.name)
    if state is conversation.state:
        return conversation, None
    changed = _changed(conversation, now=now, state=state, close_time=now)
    return changed, events.ConversationClosed(changed, side_of(actor))


def reopen(
    conversation: Conversation, *, actor: Actor, now: datetime
) -> tuple[Conversation, events.ConversationReopened | None]:
    """Messages are taken again. Opening an open one changes nothing."""
    state = MACHINE.move(conversation.state, "reopen", actor, name=conversation.name)
    if state is conversation.state:
        return conversation, None
    changed = reopened(conversation, now=now)
    return changed, events.ConversationReopened(changed, side_of(actor))


def reopened(conversation: Conversation, *, now: datetime) -> Conversation:
    """The conversation after it was opened again, by whatever."""
    return _changed(conversation, now=now, state=State.OPEN, close_time=None, decline_reason=None)


def archive(conversation: Conversation, *, seat: Seat, away: bool) -> Conversation:
    """Puts it away for the side, or for who is in copy, or takes it back.

    This is nobody else's affair: no new version, no event, no time that changes.
    """
    action = "archive" if away else "unarchive"
    MACHINE.move(conversation.state, action, seat.actor, name=conversation.name)
    if seat.in_copy:
        copies = tuple(
            replace(copy, archived=away) if copy.user == seat.user else copy for copy in conversation.copies
        )
        return replace(conversation, copies=copies)
    own: frozenset[Side] = frozenset({seat.side})
    archived = conversation.archived | own if away else conversation.archived - own
    return replace(conversation, archived=archived)


def _changed(conversation: Conversation, *, now: datetime, **changes: object) -> Conversation:
    return replace(
        conversation,
        last_entry_time=max(now, conversation.last_entry_time),
        version=conversation.version + 1,
        update_time=now,
        **changes,  # type: ignore[arg-type]
    )
