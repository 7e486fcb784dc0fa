"""Contact data that is shown on demand."""

from __future__ import annotations

from parley.messaging.v1 import contact_methods_pb2 as pb
from services.messaging.app.contact import Revealed
from services.messaging.wire.conversations import wire_conversation


def reveal_phone_response(revealed: Revealed) -> pb.RevealPhoneResponse:
    """Encodes RevealPhone: the only answer that holds a number of somebody else."""
    return pb.RevealPhoneResponse(conversation=wire_conversation(revealed.conversation), phone=revealed.phone)
