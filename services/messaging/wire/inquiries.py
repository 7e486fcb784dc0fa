"""Inquiries."""

from __future__ import annotations

from parley.messaging.v1 import conversation_methods_pb2 as pb
from parley.messaging.v1 import messaging_service_pb2
from services.messaging.app.inquiries import CreateInquiry, DeclineInquiry, StartedInquiry
from services.messaging.app.views import ConversationView
from services.messaging.domain.inquiry import Question
from services.messaging.wire.consents import CONSENTS_SENT
from services.messaging.wire.conversations import wire_conversation
from services.messaging.wire.messages import wire_message
from services.messaging.wire.values import DECLINE_REASONS_SENT


def create_inquiry_command(request: messaging_service_pb2.CreateInquiryRequest) -> CreateInquiry:
    """Decodes CreateInquiry."""
    question = Question(request.seller, request.title, request.summary, request.marketplace, request.observer)
    return CreateInquiry(question, request.text, tuple(CONSENTS_SENT[kind] for kind in request.consents))


def decline_inquiry_command(request: pb.DeclineInquiryRequest) -> DeclineInquiry:
    """Decodes DeclineInquiry."""
    return DeclineInquiry(request.name, DECLINE_REASONS_SENT[request.reason], request.text, request.etag)


def create_inquiry_response(begun: StartedInquiry) -> messaging_service_pb2.CreateInquiryResponse:
    """Encodes CreateInquiry."""
    return messaging_service_pb2.CreateInquiryResponse(
        conversation=wire_conversation(begun.conversation), message=wire_message(begun.message)
    )


def decline_inquiry_response(view: ConversationView) -> pb.DeclineInquiryResponse:
    """Encodes DeclineInquiry."""
    return pb.DeclineInquiryResponse(conversation=wire_conversation(view))
