"""Verified buyers."""

from __future__ import annotations

from chassis.kernel.ids import parse_name
from chassis.paging import next_page_token, page_request
from chassis.wire import optional_instant, optional_timestamp
from parley.gating.v1 import buyer_verification_pb2 as pb
from services.gating.app.verifications import (
    ListBuyerVerifications,
    SetBuyerVerification,
    VerificationsView,
    VerificationView,
)
from services.gating.domain.verification import BuyerVerification, Vouched


def set_buyer_verification_command(
    request: pb.SetBuyerVerificationRequest, *, author: str
) -> SetBuyerVerification:
    """What `author` says of a buyer."""
    parse_name(request.name, "users/*")
    vouched = Vouched(request.verified, optional_instant(request, "expire_time"), author)
    return SetBuyerVerification(request.name, vouched, request.etag)


def verification_message(
    verification: BuyerVerification, *, effective: bool, author: str = ""
) -> pb.BuyerVerification:
    """A verification."""
    return pb.BuyerVerification(
        buyer=verification.buyer,
        verified=verification.verified,
        expire_time=optional_timestamp(verification.expire_time),
        effective=effective,
        set_time=optional_timestamp(verification.set_time),
        author=author,
        etag=verification.etag,
    )


def set_buyer_verification_response(view: VerificationView) -> pb.SetBuyerVerificationResponse:
    """The verification."""
    found = view.verification
    message = verification_message(found, effective=found.holds(view.now), author=found.author)
    return pb.SetBuyerVerificationResponse(buyer_verification=message)


def list_buyer_verifications_query(request: pb.ListBuyerVerificationsRequest) -> ListBuyerVerifications:
    """Of whom, from where on."""
    parse_name(request.parent, "users/*", field="parent")
    return ListBuyerVerifications(request.parent, page_request(request))


def list_buyer_verifications_response(
    request: pb.ListBuyerVerificationsRequest, view: VerificationsView
) -> pb.ListBuyerVerificationsResponse:
    """A page, and where to go on."""
    messages = [
        verification_message(
            version,
            effective=version.version == view.newest.version and version.holds(view.now),
            author=version.author,
        )
        for version in view.page.items
    ]
    return pb.ListBuyerVerificationsResponse(
        buyer_verifications=messages, next_page_token=next_page_token(request, view.page.next_cursor)
    )
