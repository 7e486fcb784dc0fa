"""Requests and answers about the review of drafts."""

from __future__ import annotations

from parley.offers.v1 import offers_service_pb2
from services.offers.app.commands.review import ApproveOffer, ReturnOffer, SubmitOffer
from services.offers.app.views import OfferView
from services.offers.domain.terms import check_text
from services.offers.wire.offer_resource import wire_offer
from services.offers.wire.values import offer_name


def submit_offer_command(request: offers_service_pb2.SubmitOfferRequest) -> SubmitOffer:
    """What SubmitOffer asks for."""
    text = check_text(request.text, field="text")
    return SubmitOffer(offer_name(request.name), text=text, etag=request.etag)


def approve_offer_command(request: offers_service_pb2.ApproveOfferRequest) -> ApproveOffer:
    """What ApproveOffer asks for."""
    return ApproveOffer(offer_name(request.name), etag=request.etag)


def return_offer_command(request: offers_service_pb2.ReturnOfferRequest) -> ReturnOffer:
    """What ReturnOffer asks for."""
    text = check_text(request.text, field="text")
    return ReturnOffer(offer_name(request.name), text=text, etag=request.etag)


def submit_offer_response(view: OfferView) -> offers_service_pb2.SubmitOfferResponse:
    """The answer of SubmitOffer."""
    return offers_service_pb2.SubmitOfferResponse(offer=wire_offer(view))


def approve_offer_response(view: OfferView) -> offers_service_pb2.ApproveOfferResponse:
    """The answer of ApproveOffer."""
    return offers_service_pb2.ApproveOfferResponse(offer=wire_offer(view))


def return_offer_response(view: OfferView) -> offers_service_pb2.ReturnOfferResponse:
    """The answer of ReturnOffer."""
    return offers_service_pb2.ReturnOfferResponse(offer=wire_offer(view))
