"""The RPCs of feedback, ratings and contact data: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.server import respond
from parley.messaging.v1 import contact_methods_pb2, feedback_pb2
from services.messaging.app.contact import ContactCommands
from services.messaging.app.feedback import FeedbackCommands, RatingQueries
from services.messaging.wire import contact
from services.messaging.wire import feedback as wire


@dataclass(frozen=True, slots=True)
class FeedbackRooms:
    """What the methods call."""

    contact: ContactCommands
    commands: FeedbackCommands
    ratings: RatingQueries


class FeedbackMethods:
    """A part of `MessagingServicer`, which sets `_feedback`."""

    _feedback: FeedbackRooms

    async def RevealPhone(
        self, request: contact_methods_pb2.RevealPhoneRequest, context: Any
    ) -> contact_methods_pb2.RevealPhoneResponse:
        reveal = self._feedback.contact.reveal_phone
        return await respond(context, request.name, reveal, contact.reveal_phone_response)

    async def LeaveFeedback(
        self, request: feedback_pb2.LeaveFeedbackRequest, context: Any
    ) -> feedback_pb2.LeaveFeedbackResponse:
        command = wire.leave_feedback_command(request)
        return await respond(context, command, self._feedback.commands.leave, wire.leave_feedback_response)

    async def GetSellerRating(
        self, request: feedback_pb2.GetSellerRatingRequest, context: Any
    ) -> feedback_pb2.GetSellerRatingResponse:
        seller = wire.rated_seller(request)
        return await respond(context, seller, self._feedback.ratings.get, wire.get_seller_rating_response)

    async def ListRatingEntries(
        self, request: feedback_pb2.ListRatingEntriesRequest, context: Any
    ) -> feedback_pb2.ListRatingEntriesResponse:
        query = wire.list_rating_entries_query(request)
        encode = wire.list_rating_entries_response(request)
        return await respond(context, query, self._feedback.ratings.entries, encode)
