"""Where the caller sits in a conversation."""

from __future__ import annotations

from chassis.call import Call
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.side import Seat


def seat_of(call: Call, found: Conversation) -> Seat:
    """The caller's place in a conversation that was just loaded.

    Refusal NOT_FOUND for somebody who takes no part, DENIED for one whose role the method does not list.
    """
    actor = call.party(buyer=found.buyer, seller=found.seller, name=found.name, copies=found.copied)
    return found.seat(actor, call.principal)
