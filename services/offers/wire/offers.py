"""Requests and answers about offers."""

from __future__ import annotations

from chassis.kernel.page import Page
from chassis.kernel.refusal import invalid
from chassis.paging import next_page_token, page_request
from chassis.wire import wire_money
from parley.offers.v1 import offer_difference_pb2, offer_pb2, offers_service_pb2
from services.offers.app.commands.offer import (
    AcceptOffer,
    CounterOffer,
    CreateOffer,
    DeclineOffer,
    OpenOffer,
    RequestNewQuote,
    ReviseOffer,
    ReviveOffer,
    SendOffer,
    WithdrawOffer,
)
from services.offers.app.queries import CompareRevisions, GetOffer, ListOffers, ListRevisions
from services.offers.app.views import DifferenceView, OfferView, RevisionView
from services.offers.domain.chain import State
from services.offers.domain.difference import LineItemChange
from services.offers.domain.offer import Consent
from services.offers.domain.refusals import origin_required
from services.offers.domain.terms import check_text
from services.offers.wire.offer_resource import STATE_PREFIX, wire_offer, wire_revision
from services.offers.wire.templates import template_name
from services.offers.wire.values import (
    offer_name,
    origin_name,
    read_address,
    read_expiry,
    read_terms,
    seller_name,
    wire_line_item,
)

# ------------------------------------------------------------------------------------------- requests


def create_offer_command(request: offers_service_pb2.CreateOfferRequest) -> CreateOffer:
    """What CreateOffer asks for. Refusals ORIGIN_REQUIRED, and those of terms."""
    field = request.WhichOneof("origin")
    origin = getattr(request, field) if field else ""
    if not field or not origin:
        raise origin_required()
    if request.HasField("terms") == bool(request.template):
        raise invalid("terms", "is needed, unless a template is named in its place")
    if request.template:
        template_name(request.template, field="template")
    return CreateOffer(
        origin=origin_name(origin, field=field),
        terms=None if request.template else read_terms(request.terms),
        note=check_text(request.note, field="note"),
        send=request.send,
        template=request.template,
    )


def get_offer_query(request: offers_service_pb2.GetOfferRequest) -> GetOffer:
    """What GetOffer asks for."""
    return GetOffer(offer_name(request.name))


def list_offers_query(request: offers_service_pb2.ListOffersRequest) -> ListOffers:
    """What ListOffers asks for. Refusal PAGE_TOKEN_INVALID."""
    return ListOffers(
        seller=seller_name(request.seller, field="seller") if request.seller else "",
        states=frozenset(
            State(offer_pb2.Offer.State.Name(state).removeprefix(STATE_PREFIX)) for state in request.states
        ),
        origin=origin_name(request.origin, field="origin") if request.origin else "",
        page=page_request(request),
    )


def list_revisions_query(request: offers_service_pb2.ListOfferRevisionsRequest) -> ListRevisions:
    """What ListOfferRevisions asks for. Refusal PAGE_TOKEN_INVALID."""
    return ListRevisions(offer_name(request.name), page_request(request))


def compare_revisions_query(request: offers_service_pb2.CompareOfferRevisionsRequest) -> CompareRevisions:
    """What CompareOfferRevisions asks for."""
    return CompareRevisions(offer_name(request.name), request.from_revision, request.to_revision)


def send_offer_command(request: offers_service_pb2.SendOfferRequest) -> SendOffer:
    """What SendOffer asks for."""
    return SendOffer(offer_name(request.name), etag=request.etag)


def open_offer_command(request: offers_service_pb2.OpenOfferRequest) -> OpenOffer:
    """What OpenOffer asks for."""
    return OpenOffer(offer_name(request.name), etag=request.etag)


def revise_offer_command(request: offers_service_pb2.ReviseOfferRequest) -> ReviseOffer:
    """What ReviseOffer asks for. Refusals as for terms."""
    return ReviseOffer(
        name=offer_name(request.name),
        revision=request.revision,
        terms=read_terms(request.terms),
        note=check_text(request.note, field="note"),
        etag=request.etag,
    )


def counter_offer_command(request: offers_service_pb2.CounterOfferRequest) -> CounterOffer:
    """What CounterOffer asks for. Refusals as for terms."""
    return CounterOffer(
        name=offer_name(request.name),
        revision=request.revision,
        terms=read_terms(request.terms),
        note=check_text(request.note, field="note"),
        consent=_read_consent(request),
        etag=request.etag,
    )


def accept_offer_command(request: offers_service_pb2.AcceptOfferRequest) -> AcceptOffer:
    """What AcceptOffer asks for."""
    return AcceptOffer(
        name=offer_name(request.name),
        revision=request.revision,
        consent=_read_consent(request),
        etag=request.etag,
    )


def _read_consent(
    request: offers_service_pb2.AcceptOfferRequest | offers_service_pb2.CounterOfferRequest,
) -> Consent:
    return Consent(
        payment_token=check_text(request.payment_token, field="payment_token"),
        billing_address=read_address(request, "billing_address"),
        delivery_address=read_address(request, "delivery_address"),
    )


def decline_offer_command(request: offers_service_pb2.DeclineOfferRequest) -> DeclineOffer:
    """What DeclineOffer asks for."""
    return DeclineOffer(
        name=offer_name(request.name),
        revision=request.revision,
        reason=check_text(request.reason, field="reason"),
        etag=request.etag,
    )


def withdraw_offer_command(request: offers_service_pb2.WithdrawOfferRequest) -> WithdrawOffer:
    """What WithdrawOffer asks for."""
    return WithdrawOffer(offer_name(request.name), etag=request.etag)


def request_new_quote_command(request: offers_service_pb2.RequestNewQuoteRequest) -> RequestNewQuote:
    """What RequestNewQuote asks for."""
    text = check_text(request.text, field="text")
    return RequestNewQuote(offer_name(request.name), text=text, etag=request.etag)


def revive_offer_command(request: offers_service_pb2.ReviveOfferRequest) -> ReviveOffer:
    """What ReviveOffer asks for. Refusal TIME_OUT_OF_RANGE."""
    return ReviveOffer(offer_name(request.name), expiry=read_expiry(request, path=""), etag=request.etag)


# ------------------------------------------------------------------------------------------- answers


def create_offer_response(view: OfferView) -> offers_service_pb2.CreateOfferResponse:
    """The answer of CreateOffer."""
    return offers_service_pb2.CreateOfferResponse(offer=wire_offer(view))


def get_offer_response(view: OfferView) -> offers_service_pb2.GetOfferResponse:
    """The answer of GetOffer."""
    return offers_service_pb2.GetOfferResponse(offer=wire_offer(view))


def list_offers_response(
    request: offers_service_pb2.ListOffersRequest, page: Page[OfferView]
) -> offers_service_pb2.ListOffersResponse:
    """The answer of ListOffers."""
    return offers_service_pb2.ListOffersResponse(
        offers=[wire_offer(view) for view in page.items],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def list_revisions_response(
    request: offers_service_pb2.ListOfferRevisionsRequest, page: Page[RevisionView]
) -> offers_service_pb2.ListOfferRevisionsResponse:
    """The answer of ListOfferRevisions."""
    revisions = [wire_revision(view.offer, view.revision, view.actor) for view in page.items]
    return offers_service_pb2.ListOfferRevisionsResponse(
        revisions=revisions, next_page_token=next_page_token(request, page.next_cursor)
    )


def compare_revisions_response(view: DifferenceView) -> offers_service_pb2.CompareOfferRevisionsResponse:
    """The answer of CompareOfferRevisions."""
    found = view.difference
    message = offer_difference_pb2.OfferDifference(
        to=wire_revision(view.offer, found.after, view.actor),
        changed_fields=found.fields,
        line_items=[_wire_change(change) for change in found.line_items],
        total_change=None if found.total_change is None else wire_money(found.total_change),
    )
    # Python cannot spell the name of this field.
    getattr(message, "from").CopyFrom(wire_revision(view.offer, found.before, view.actor))
    return offers_service_pb2.CompareOfferRevisionsResponse(difference=message)


def _wire_change(change: LineItemChange) -> offer_difference_pb2.LineItemChange:
    kinds = offer_difference_pb2.LineItemChange
    kind = kinds.KIND_CHANGED
    if change.before is None:
        kind = kinds.KIND_ADDED
    elif change.after is None:
        kind = kinds.KIND_REMOVED
    return offer_difference_pb2.LineItemChange(
        kind=kind,
        before=None if change.before is None else wire_line_item(change.before),
        after=None if change.after is None else wire_line_item(change.after),
    )


def send_offer_response(view: OfferView) -> offers_service_pb2.SendOfferResponse:
    """The answer of SendOffer."""
    return offers_service_pb2.SendOfferResponse(offer=wire_offer(view))


def open_offer_response(view: OfferView) -> offers_service_pb2.OpenOfferResponse:
    """The answer of OpenOffer."""
    return offers_service_pb2.OpenOfferResponse(offer=wire_offer(view))


def revise_offer_response(view: OfferView) -> offers_service_pb2.ReviseOfferResponse:
    """The answer of ReviseOffer."""
    return offers_service_pb2.ReviseOfferResponse(offer=wire_offer(view))


def counter_offer_response(view: OfferView) -> offers_service_pb2.CounterOfferResponse:
    """The answer of CounterOffer."""
    return offers_service_pb2.CounterOfferResponse(offer=wire_offer(view))


def accept_offer_response(view: OfferView) -> offers_service_pb2.AcceptOfferResponse:
    """The answer of AcceptOffer."""
    return offers_service_pb2.AcceptOfferResponse(offer=wire_offer(view), order=view.offer.order)


def decline_offer_response(view: OfferView) -> offers_service_pb2.DeclineOfferResponse:
    """The answer of DeclineOffer."""
    return offers_service_pb2.DeclineOfferResponse(offer=wire_offer(view))


def withdraw_offer_response(view: OfferView) -> offers_service_pb2.WithdrawOfferResponse:
    """The answer of WithdrawOffer."""
    return offers_service_pb2.WithdrawOfferResponse(offer=wire_offer(view))


def revive_offer_response(view: OfferView) -> offers_service_pb2.ReviveOfferResponse:
    """The answer of ReviveOffer."""
    return offers_service_pb2.ReviveOfferResponse(offer=wire_offer(view))


def request_new_quote_response(view: OfferView) -> offers_service_pb2.RequestNewQuoteResponse:
    """The answer of RequestNewQuote."""
    return offers_service_pb2.RequestNewQuoteResponse(offer=wire_offer(view))
