"""MessagingService over gRPC, put together from the methods of each topic."""

from __future__ import annotations

from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceServicer
from services.messaging.app.magic_links import MagicLinks
from services.messaging.app.mail_in import ReceivedMailQueries
from services.messaging.app.participants import ParticipantCommands
from services.messaging.entrypoints.attachment_methods import AttachmentMethods, AttachmentRooms
from services.messaging.entrypoints.conversation_methods import ConversationMethods, ConversationRooms
from services.messaging.entrypoints.feedback_methods import FeedbackMethods, FeedbackRooms
from services.messaging.entrypoints.lead_methods import LeadMethods, LeadRooms
from services.messaging.entrypoints.magic_link_methods import MagicLinkMethods
from services.messaging.entrypoints.message_methods import MessageMethods, MessageRooms
from services.messaging.entrypoints.participant_methods import ParticipantMethods
from services.messaging.entrypoints.personal_data_methods import PersonalDataMethods, PersonalDataRooms
from services.messaging.entrypoints.profile_methods import ProfileMethods, ProfileRooms
from services.messaging.entrypoints.received_mail_methods import ReceivedMailMethods
from services.messaging.entrypoints.webhook_methods import WebhookMethods, WebhookRooms


class MessagingServicer(
    AttachmentMethods,
    ConversationMethods,
    FeedbackMethods,
    LeadMethods,
    MagicLinkMethods,
    MessageMethods,
    ParticipantMethods,
    PersonalDataMethods,
    ProfileMethods,
    ReceivedMailMethods,
    WebhookMethods,
    MessagingServiceServicer,
):
    """parley.messaging.v1.MessagingService."""

    def __init__(
        self,
        *,
        conversations: ConversationRooms,
        feedback: FeedbackRooms,
        messages: MessageRooms,
        participants: ParticipantCommands,
        profiles: ProfileRooms,
        attachments: AttachmentRooms,
        webhooks: WebhookRooms,
        leads: LeadRooms,
        personal: PersonalDataRooms,
        magic_links: MagicLinks,
        received_mails: ReceivedMailQueries,
    ) -> None:
        self._leads = leads
        self._personal = personal
        self._received_mails = received_mails
        self._webhooks = webhooks
        self._magic_links = magic_links
        self._participants = participants
        self._feedback = feedback
        self._conversations = conversations
        self._messages = messages
        self._profiles = profiles
        self._attachments = attachments
