"""The rows of gating and offers."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from parley.gating.v1 import absence_pb2, buyer_verification_pb2, order_request_pb2, order_settings_pb2
from parley.gating.v1 import gating_service_pb2 as gating
from parley.offers.v1 import listing_pb2, offer_pb2, offer_settings_pb2, offer_template_pb2
from parley.offers.v1 import offers_service_pb2 as offers
from parley.type.v1 import commerce_pb2
from tests.e2e.rows import DENIED, NOT_FOUND, OK, Foreign, Row, euro


def _terms(foreign: Foreign) -> offer_pb2.OfferTerms:
    return offer_pb2.OfferTerms(
        line_items=[commerce_pb2.LineItem(title="Work", quantity=1, unit_price=euro(90))],
        package=foreign.package,
        delivery_days=3,
        payment_method=commerce_pb2.PAYMENT_METHOD_OFFLINE,
    )


def _absence() -> absence_pb2.Absence:
    return absence_pb2.Absence(
        start_time=Timestamp(seconds=4_000_000_000), end_time=Timestamp(seconds=4_000_086_400)
    )


def _listing(name: str = "") -> listing_pb2.Listing:
    package = listing_pb2.Package(package_id="basic", title="Basic", price=euro(10), delivery_days=1)
    return listing_pb2.Listing(
        name=name,
        title="Mine now",
        intake=listing_pb2.Listing.INTAKE_INSTANT,
        published=True,
        packages=[package],
    )


GATING: Mapping[str, Row] = {
    "GetOrderSettings": Row(lambda f: gating.GetOrderSettingsRequest(name=f"{f.seller}/orderSettings")),
    "UpdateOrderSettings": Row(
        lambda f: gating.UpdateOrderSettingsRequest(
            order_settings=order_settings_pb2.OrderSettings(name=f"{f.seller}/orderSettings", time_zone="UTC")
        )
    ),
    "SetSellerPlan": Row(
        lambda f: gating.SetSellerPlanRequest(name=f.seller, tier=order_settings_pb2.SellerPlan.TIER_PREMIUM)
    ),
    "SetAvailability": Row(lambda f: gating.SetAvailabilityRequest(name=f.listing, available=True)),
    "CreateAbsence": Row(lambda f: absence_pb2.CreateAbsenceRequest(parent=f.listing, absence=_absence())),
    "ListAbsences": Row(lambda f: absence_pb2.ListAbsencesRequest(parent=f.seller)),
    "DeleteAbsence": Row(lambda f: absence_pb2.DeleteAbsenceRequest(name=f"{f.seller}/absences/1")),
    # Who vouches for buyers is no party of anything: everybody else is told that he may not.
    "SetBuyerVerification": Row(
        lambda _: buyer_verification_pb2.SetBuyerVerificationRequest(name="users/ana", verified=True),
        buyer=DENIED,
        seller=DENIED,
    ),
    "ListBuyerVerifications": Row(
        lambda _: buyer_verification_pb2.ListBuyerVerificationsRequest(parent="users/ana"),
        buyer=DENIED,
        seller=DENIED,
    ),
    # Anybody who buys may ask about any published package, for himself.
    "EvaluateGate": Row(lambda f: gating.EvaluateGateRequest(package=f.package), buyer=OK, seller=DENIED),
    # A buyer makes a request of his own; it is no resource of anybody else.
    "CreateOrderRequest": Row(
        lambda f: gating.CreateOrderRequestRequest(
            package=f.gated_package, needs=order_request_pb2.Needs(text="The same, please.")
        ),
        buyer=OK,
        seller=DENIED,
    ),
    "GetOrderRequest": Row(lambda f: gating.GetOrderRequestRequest(name=f.request)),
    "ListOrderRequests": Row(lambda f: gating.ListOrderRequestsRequest(seller=f.seller)),
    "AskInformation": Row(lambda f: gating.AskInformationRequest(name=f.request, question="Why?")),
    "AnswerInformation": Row(lambda f: gating.AnswerInformationRequest(name=f.request, answer="So.")),
    "DeclineOrderRequest": Row(
        lambda f: gating.DeclineOrderRequestRequest(
            name=f.request, reason=order_request_pb2.OrderRequest.DECLINE_REASON_BUDGET
        )
    ),
    "WithdrawOrderRequest": Row(lambda f: gating.WithdrawOrderRequestRequest(name=f.request)),
    "CloseOrderRequest": Row(lambda f: gating.CloseOrderRequestRequest(name=f.request)),
    "DismissOrderRequest": Row(lambda f: gating.DismissOrderRequestRequest(name=f.request)),
    "SimulateGate": Row(lambda f: gating.SimulateGateRequest(name=f"{f.seller}/orderSettings")),
    "ListOrderSettingsVersions": Row(
        lambda f: gating.ListOrderSettingsVersionsRequest(parent=f"{f.seller}/orderSettings")
    ),
    "GetGateMetrics": Row(lambda f: gating.GetGateMetricsRequest(name=f"{f.seller}/gateMetrics")),
    # Anybody who buys may look at any published listing.
    "RecordVisit": Row(lambda f: gating.RecordVisitRequest(name=f.listing), buyer=OK, seller=DENIED),
}

OFFERS: Mapping[str, Row] = {
    "CreateListing": Row(lambda f: offers.CreateListingRequest(parent=f.seller, listing=_listing())),
    "GetListing": Row(lambda f: offers.GetListingRequest(name=f.unpublished), anonymous=NOT_FOUND),
    # The list is public; that it leaves out the unpublished ones is asserted beside the matrix.
    "ListListings": Row(
        lambda f: offers.ListListingsRequest(parent=f.seller), buyer=OK, seller=OK, anonymous=OK
    ),
    "UpdateListing": Row(lambda f: offers.UpdateListingRequest(listing=_listing(f.listing))),
    "RetireListing": Row(lambda f: offers.RetireListingRequest(name=f.listing)),
    "PublishListing": Row(lambda f: offers.PublishListingRequest(name=f.listing)),
    "UnpublishListing": Row(lambda f: offers.UnpublishListingRequest(name=f.listing)),
    "CreateOffer": Row(lambda f: offers.CreateOfferRequest(order_request=f.request, terms=_terms(f))),
    "GetOffer": Row(lambda f: offers.GetOfferRequest(name=f.offer)),
    "ListOffers": Row(lambda f: offers.ListOffersRequest(seller=f.seller)),
    "ListOfferRevisions": Row(lambda f: offers.ListOfferRevisionsRequest(name=f.offer)),
    "CompareOfferRevisions": Row(lambda f: offers.CompareOfferRevisionsRequest(name=f.offer)),
    "SendOffer": Row(lambda f: offers.SendOfferRequest(name=f.offer)),
    "OpenOffer": Row(lambda f: offers.OpenOfferRequest(name=f.offer)),
    "ReviseOffer": Row(lambda f: offers.ReviseOfferRequest(name=f.offer, terms=_terms(f))),
    "CounterOffer": Row(lambda f: offers.CounterOfferRequest(name=f.offer, revision=1, terms=_terms(f))),
    "AcceptOffer": Row(lambda f: offers.AcceptOfferRequest(name=f.offer, revision=1)),
    "DeclineOffer": Row(lambda f: offers.DeclineOfferRequest(name=f.offer)),
    "WithdrawOffer": Row(lambda f: offers.WithdrawOfferRequest(name=f.offer)),
    "CreateOfferTemplate": Row(
        lambda f: offers.CreateOfferTemplateRequest(
            parent=f.seller,
            offer_template=offer_template_pb2.OfferTemplate(title="Mine now", terms=_terms(f)),
        )
    ),
    "GetOfferTemplate": Row(lambda f: offers.GetOfferTemplateRequest(name=f"{f.seller}/offerTemplates/x")),
    "ListOfferTemplates": Row(lambda f: offers.ListOfferTemplatesRequest(parent=f.seller)),
    "UpdateOfferTemplate": Row(
        lambda f: offers.UpdateOfferTemplateRequest(
            offer_template=offer_template_pb2.OfferTemplate(name=f"{f.seller}/offerTemplates/x")
        )
    ),
    "DeleteOfferTemplate": Row(
        lambda f: offers.DeleteOfferTemplateRequest(name=f"{f.seller}/offerTemplates/x")
    ),
    "SubmitOffer": Row(lambda f: offers.SubmitOfferRequest(name=f.offer)),
    "ApproveOffer": Row(lambda f: offers.ApproveOfferRequest(name=f.offer)),
    "ReturnOffer": Row(lambda f: offers.ReturnOfferRequest(name=f.offer)),
    "GetOfferSettings": Row(lambda f: offers.GetOfferSettingsRequest(name=f"{f.seller}/offerSettings")),
    "UpdateOfferSettings": Row(
        lambda f: offers.UpdateOfferSettingsRequest(
            offer_settings=offer_settings_pb2.OfferSettings(name=f"{f.seller}/offerSettings")
        )
    ),
    "RequestNewQuote": Row(lambda f: offers.RequestNewQuoteRequest(name=f.offer)),
    "ReviveOffer": Row(lambda f: offers.ReviveOfferRequest(name=f.offer)),
}
