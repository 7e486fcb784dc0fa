"""Magic links, and offers as their buyers see them."""

from __future__ import annotations

from chassis.kernel.machine import ActionState
from chassis.wire import optional_instant, timestamp, wire_money, write_actions
from parley.messaging.v1 import conversation_pb2
from parley.messaging.v1 import magic_link_pb2 as pb
from parley.offers.v1 import offer_pb2
from parley.type.v1 import commerce_pb2
from services.messaging.app.magic_link_ports import Consent, OfferNow, PostalAddress
from services.messaging.app.magic_links import SUPERSEDED, LinkView, UseMagicLink
from services.messaging.domain.conversation import DeclineReason
from services.messaging.domain.magic_link import Kind, MagicLink
from services.messaging.wire.values import DECLINE_REASONS_SENT

_EXPLANATIONS = {SUPERSEDED: "a newer revision took its place"}
_KINDS = {Kind.OFFER: pb.MagicLink.KIND_OFFER, Kind.INQUIRY: pb.MagicLink.KIND_INQUIRY}


def get_magic_link_query(request: pb.GetMagicLinkRequest) -> str:
    """The token."""
    return request.token


def use_magic_link_command(request: pb.UseMagicLinkRequest) -> UseMagicLink:
    """Decodes UseMagicLink."""
    unsaid = request.decline_reason == conversation_pb2.Conversation.DECLINE_REASON_UNSPECIFIED
    return UseMagicLink(
        token=request.token,
        action=request.action,
        consent=Consent(
            request.payment_token, _address(request, "billing_address"), _address(request, "delivery_address")
        ),
        reason=DeclineReason.OTHER if unsaid else DECLINE_REASONS_SENT[request.decline_reason],
    )


def get_magic_link_response(view: LinkView) -> pb.GetMagicLinkResponse:
    """Encodes GetMagicLink."""
    subject = view.link.subject
    link = pb.MagicLink(
        kind=_KINDS[subject.kind],
        conversation=subject.conversation,
        offer=subject.offer,
        revision=subject.revision,
        total=None if subject.total is None else wire_money(subject.total),
        counterpart=view.counterpart,
        expire_time=timestamp(view.expire_time),
        payment_token_required=view.needs_payment_token,
    )
    write_actions(link, view.actions, explanations={**view.explanations, **_EXPLANATIONS})
    return pb.GetMagicLinkResponse(link=link)


def use_magic_link_response(link: MagicLink) -> pb.UseMagicLinkResponse:
    """Encodes UseMagicLink."""
    assert link.use is not None
    return pb.UseMagicLinkResponse(
        action=link.use.action.value,
        use_time=timestamp(link.use.time),
        conversation=link.subject.conversation,
        offer=link.subject.offer,
        order=link.use.order,
    )


def offer_now(offer: offer_pb2.Offer) -> OfferNow:
    """What its buyer can do about an offer."""
    terms = offer.current_revision.terms
    missing = tuple(ActionState(each.action, False, each.reason) for each in offer.unavailable_actions)
    return OfferNow(
        revision=offer.current_revision.number,
        expire_time=optional_instant(terms, "expire_time"),
        is_online=terms.payment_method == commerce_pb2.PAYMENT_METHOD_ONLINE,
        actions=(*(ActionState(action, True, "") for action in offer.allowed_actions), *missing),
        explanations={each.reason: each.explanation for each in offer.unavailable_actions},
    )


def wire_address(address: PostalAddress | None) -> commerce_pb2.Address | None:
    """The wire form of an address."""
    if address is None:
        return None
    return commerce_pb2.Address(
        recipient=address.recipient,
        organization=address.organization,
        address_lines=address.address_lines,
        postal_code=address.postal_code,
        locality=address.locality,
        region_code=address.region_code,
    )


def _address(request: pb.UseMagicLinkRequest, field: str) -> PostalAddress | None:
    if not request.HasField(field):  # type: ignore[arg-type]
        return None
    sent: commerce_pb2.Address = getattr(request, field)
    return PostalAddress(
        sent.recipient,
        sent.organization,
        tuple(sent.address_lines),
        sent.postal_code,
        sent.locality,
        sent.region_code,
    )
