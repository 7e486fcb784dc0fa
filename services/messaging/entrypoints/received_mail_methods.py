"""The RPCs of mails that came in: decode, call, encode."""

from __future__ import annotations

from typing import Any

from chassis.server import respond
from parley.messaging.v1 import received_mail_pb2 as pb
from services.messaging.app.mail_in import ReceivedMailQueries
from services.messaging.wire import received_mails as wire


class ReceivedMailMethods:
    """A part of `MessagingServicer`, which sets `_received_mails`."""

    _received_mails: ReceivedMailQueries

    async def ListReceivedMails(
        self, request: pb.ListReceivedMailsRequest, context: Any
    ) -> pb.ListReceivedMailsResponse:
        query = wire.list_received_mails_query(request)
        encode = wire.list_received_mails_response(request)
        return await respond(context, query, self._received_mails.list_received_mails, encode)
