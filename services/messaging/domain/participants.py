"""People in copy, forwards and blocks: who else reads, and who may not write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.kernel.refusal import denied
from services.messaging.domain import events, refusals
from services.messaging.domain.conversation import COPIES_LIMIT, MACHINE, Conversation, Copy
from services.messaging.domain.mail_in_refusals import recipient_bounced
from services.messaging.domain.side import Seat


@dataclass(frozen=True, slots=True)
class Forward:
    """A conversation that was forwarded to an e-mail `address`; `user` was put in copy by it, or is empty."""

    conversation: str
    id: str
    address: str
    user: str
    author: str
    create_time: datetime

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.conversation}/forwards/{self.id}"


def add(
    conversation: Conversation, *, seat: Seat, user: str, share_history: bool, now: datetime
) -> tuple[Conversation, events.ParticipantAdded | None]:
    """Puts `user` in copy. Doing it again changes nothing.

    Refusals: ALREADY_A_PARTY, TOO_MANY_PARTICIPANTS.
    """
    MACHINE.move(conversation.state, "addParticipant", seat.actor, name=conversation.name)
    changed = _granted(conversation, seat=seat, user=user, share_history=share_history, now=now)
    if changed is conversation:
        return conversation, None
    return changed, events.ParticipantAdded(changed, user, seat.side, seat.user)


def remove(
    conversation: Conversation, *, seat: Seat, user: str, now: datetime
) -> tuple[Conversation, events.ParticipantRemoved | None]:
    """Takes `user` out of copy. Doing it again changes nothing.

    Only the side that granted it, and he himself: Refusal PERMISSION_DENIED.
    """
    MACHINE.move(conversation.state, "removeParticipant", seat.actor, name=conversation.name)
    copy = conversation.copy_of(user)
    if seat.in_copy and user != seat.user:
        raise denied("RemoveParticipant", conversation.name)
    if copy is None:
        return conversation, None
    if copy.side is not seat.side:
        raise denied("RemoveParticipant", conversation.name)
    copies = tuple(held for held in conversation.copies if held.user != user)
    changed = _next(conversation, now=now, copies=copies)
    return changed, events.ParticipantRemoved(changed, user, copy.side, seat.user)


def forward(
    conversation: Conversation,
    *,
    seat: Seat,
    address: str,
    user: str,
    forward_id: str,
    is_bounced: bool,
    now: datetime,
) -> tuple[Conversation, Forward, events.ConversationForwarded]:
    """Archives to whom and when it was forwarded; `user`, if any, is put in copy with the history.

    `is_bounced`: mails to the address come back. Refusals: RECIPIENT_BOUNCED, ALREADY_A_PARTY,
    TOO_MANY_PARTICIPANTS.
    """
    MACHINE.move(conversation.state, "forward", seat.actor, name=conversation.name)
    if is_bounced:
        raise recipient_bounced(conversation.name)
    changed = _next(conversation, now=now)
    if user:
        granted = _granted(conversation, seat=seat, user=user, share_history=True, now=now)
        changed = replace(changed, copies=granted.copies)
    made = Forward(conversation.name, forward_id, address, user, seat.user, now)
    return changed, made, events.ConversationForwarded(changed, made)


def _granted(
    conversation: Conversation, *, seat: Seat, user: str, share_history: bool, now: datetime
) -> Conversation:
    if user in (conversation.buyer, seat.user):
        raise refusals.already_a_party(conversation.name, user)
    if conversation.copy_of(user) is not None:
        return conversation
    if len(conversation.copies) >= COPIES_LIMIT:
        raise refusals.too_many_participants(conversation.name, COPIES_LIMIT)
    copy = Copy(user, seat.side, seat.user, now, None if share_history else now)
    return _next(conversation, now=now, copies=(*conversation.copies, copy))


def _next(conversation: Conversation, *, now: datetime, **changes: object) -> Conversation:
    return replace(
        conversation,
        last_entry_time=max(now, conversation.last_entry_time),
        version=conversation.version + 1,
        update_time=now,
        **changes,  # type: ignore[arg-type]
    )
