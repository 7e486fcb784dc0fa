"""Mails that came in, on the wire."""

from __future__ import annotations

from collections.abc import Callable

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import timestamp
from parley.messaging.v1 import received_mail_pb2 as pb
from services.messaging.app.mail_in import ListReceivedMails
from services.messaging.domain.mail_in import ReceivedMail


def list_received_mails_query(request: pb.ListReceivedMailsRequest) -> ListReceivedMails:
    """Decodes ListReceivedMails. Refusal PAGE_TOKEN_INVALID."""
    return ListReceivedMails(request.parent, paging.page_request(request))


def wire_received_mail(mail: ReceivedMail) -> pb.ReceivedMail:
    """A mail for the person who sent it."""
    return pb.ReceivedMail(
        name=mail.name,
        conversation=mail.conversation,
        outcome=pb.ReceivedMail.Outcome.Value(f"OUTCOME_{mail.outcome}"),
        reason=mail.reason,
        message=mail.message,
        original_text=mail.original,
        left_out_count=mail.left_out,
        create_time=timestamp(mail.create_time),
    )


def list_received_mails_response(
    request: pb.ListReceivedMailsRequest,
) -> Callable[[Page[ReceivedMail]], pb.ListReceivedMailsResponse]:
    """Encodes a page; its token is bound to the request."""

    def encode(page: Page[ReceivedMail]) -> pb.ListReceivedMailsResponse:
        return pb.ListReceivedMailsResponse(
            received_mails=[wire_received_mail(mail) for mail in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode
