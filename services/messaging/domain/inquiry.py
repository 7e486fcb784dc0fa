"""Inquiries: conversations that a buyer begins before any request or order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from services.messaging.domain import events, refusals
from services.messaging.domain.conversation import MACHINE, Conversation, DeclineReason
from services.messaging.domain.side import Seat


@dataclass(frozen=True, slots=True)
class Question:
    """What a buyer asks, and whom (`sellers/{seller}`). `observer` and `marketplace` may be empty."""

    seller: str
    title: str
    summary: str = ""
    marketplace: str = ""
    observer: str = ""


def inquire(question: Question, *, conversation_id: str, buyer: str, now: datetime) -> Conversation:
    """A conversation that a buyer begins before any request or order."""
    return Conversation(
        name=f"conversations/{conversation_id}",
        subject="",
        origin="",
        seller=question.seller,
        buyer=buyer,
        title=question.title,
        summary=question.summary,
        marketplace=question.marketplace,
        observer=question.observer,
        create_time=now,
        update_time=now,
        last_entry_time=now,
    )


def decline(
    conversation: Conversation, *, seat: Seat, reason: DeclineReason, now: datetime
) -> tuple[Conversation, events.InquiryDeclined]:
    """The seller says no, which closes the inquiry. Refusals: NOT_AN_INQUIRY, TRANSITION_FORBIDDEN."""
    if conversation.subject:
        raise refusals.not_an_inquiry(conversation.name, conversation.subject)
    changed = replace(
        conversation,
        state=MACHINE.move(conversation.state, "decline", seat.actor, name=conversation.name),
        decline_reason=reason,
        close_time=now,
        archived=frozenset(),
        last_entry_time=max(now, conversation.last_entry_time),
        version=conversation.version + 1,
        update_time=now,
    )
    return changed, events.InquiryDeclined(changed, seat.user, reason)
