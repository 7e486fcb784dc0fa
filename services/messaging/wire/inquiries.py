"""Inquiries."""

from __future__ import annotations

from parley.messaging.v1 import messaging_service_pb2
from services.messaging.app.inquiries import CreateInquiry, StartedInquiry
from services.messaging.wire.conversations import wire_conversation
from services.messaging.wire.messages import wire_message


def create_inquiry_command(request: messaging_service_pb2.CreateInquiryRequest) -> CreateInquiry:
    """Decodes CreateInquiry."""
    return CreateInquiry(request.seller, request.title, request.text, request.marketplace)


def create_inquiry_response(begun: StartedInquiry) -> messaging_service_pb2.CreateInquiryResponse:
    """Encodes CreateInquiry."""
    return messaging_service_pb2.CreateInquiryResponse(
        conversation=wire_conversation(begun.conversation), message=wire_message(begun.message)
    )
