"""OffersService: each method decodes, calls the app, encodes."""

from __future__ import annotations

from functools import partial
from typing import Any

from chassis import personal_data
from chassis.personal_data import PersonalRecords
from chassis.server import respond
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1 import personal_data_pb2
from parley.offers.v1.offers_service_pb2_grpc import OffersServiceServicer
from services.offers.app.commands.listing import ListingCommands
from services.offers.app.commands.offer import OfferCommands
from services.offers.app.commands.review import ReviewCommands
from services.offers.app.offer_settings import OfferSettingsOfTeam
from services.offers.app.queries import ListingQueries, OfferQueries
from services.offers.app.templates import TemplatesOfTeam
from services.offers.wire import listings, offer_settings, offers, review, templates


class OffersServicer(OffersServiceServicer):
    """Every RPC of the service."""

    def __init__(
        self,
        *,
        listing_commands: ListingCommands,
        listing_queries: ListingQueries,
        offer_commands: OfferCommands,
        offer_queries: OfferQueries,
        offer_settings: OfferSettingsOfTeam,
        review_commands: ReviewCommands,
        templates: TemplatesOfTeam,
        personal: PersonalRecords,
    ) -> None:
        self._listing_commands = listing_commands
        self._listing_queries = listing_queries
        self._offer_commands = offer_commands
        self._offer_queries = offer_queries
        self._offer_settings = offer_settings
        self._review_commands = review_commands
        self._templates = templates
        self._personal = personal

    async def CreateListing(self, request: pb.CreateListingRequest, context: Any) -> pb.CreateListingResponse:
        command = listings.create_listing_command(request)
        return await respond(
            context, command, self._listing_commands.create, listings.create_listing_response
        )

    async def GetListing(self, request: pb.GetListingRequest, context: Any) -> pb.GetListingResponse:
        query = listings.get_listing_query(request)
        return await respond(context, query, self._listing_queries.get, listings.get_listing_response)

    async def ListListings(self, request: pb.ListListingsRequest, context: Any) -> pb.ListListingsResponse:
        query = listings.list_listings_query(request)
        encode = partial(listings.list_listings_response, request)
        return await respond(context, query, self._listing_queries.list, encode)

    async def UpdateListing(self, request: pb.UpdateListingRequest, context: Any) -> pb.UpdateListingResponse:
        command = listings.update_listing_command(request)
        return await respond(
            context, command, self._listing_commands.update, listings.update_listing_response
        )

    async def RetireListing(self, request: pb.RetireListingRequest, context: Any) -> pb.RetireListingResponse:
        command = listings.move_listing_command(request)
        return await respond(
            context, command, self._listing_commands.retire, listings.retire_listing_response
        )

    async def PublishListing(
        self, request: pb.PublishListingRequest, context: Any
    ) -> pb.PublishListingResponse:
        command = listings.move_listing_command(request)
        return await respond(
            context, command, self._listing_commands.publish, listings.publish_listing_response
        )

    async def UnpublishListing(
        self, request: pb.UnpublishListingRequest, context: Any
    ) -> pb.UnpublishListingResponse:
        command = listings.move_listing_command(request)
        return await respond(
            context, command, self._listing_commands.unpublish, listings.unpublish_listing_response
        )

    async def CreateOffer(self, request: pb.CreateOfferRequest, context: Any) -> pb.CreateOfferResponse:
        command = offers.create_offer_command(request)
        return await respond(context, command, self._offer_commands.create, offers.create_offer_response)

    async def GetOffer(self, request: pb.GetOfferRequest, context: Any) -> pb.GetOfferResponse:
        query = offers.get_offer_query(request)
        return await respond(context, query, self._offer_queries.get, offers.get_offer_response)

    async def ListOffers(self, request: pb.ListOffersRequest, context: Any) -> pb.ListOffersResponse:
        query = offers.list_offers_query(request)
        encode = partial(offers.list_offers_response, request)
        return await respond(context, query, self._offer_queries.list, encode)

    async def ListOfferRevisions(
        self, request: pb.ListOfferRevisionsRequest, context: Any
    ) -> pb.ListOfferRevisionsResponse:
        query = offers.list_revisions_query(request)
        encode = partial(offers.list_revisions_response, request)
        return await respond(context, query, self._offer_queries.revisions, encode)

    async def CompareOfferRevisions(
        self, request: pb.CompareOfferRevisionsRequest, context: Any
    ) -> pb.CompareOfferRevisionsResponse:
        query = offers.compare_revisions_query(request)
        return await respond(context, query, self._offer_queries.compare, offers.compare_revisions_response)

    async def SendOffer(self, request: pb.SendOfferRequest, context: Any) -> pb.SendOfferResponse:
        command = offers.send_offer_command(request)
        return await respond(context, command, self._offer_commands.send, offers.send_offer_response)

    async def OpenOffer(self, request: pb.OpenOfferRequest, context: Any) -> pb.OpenOfferResponse:
        command = offers.open_offer_command(request)
        return await respond(context, command, self._offer_commands.open, offers.open_offer_response)

    async def ReviseOffer(self, request: pb.ReviseOfferRequest, context: Any) -> pb.ReviseOfferResponse:
        command = offers.revise_offer_command(request)
        return await respond(context, command, self._offer_commands.revise, offers.revise_offer_response)

    async def CounterOffer(self, request: pb.CounterOfferRequest, context: Any) -> pb.CounterOfferResponse:
        command = offers.counter_offer_command(request)
        return await respond(context, command, self._offer_commands.counter, offers.counter_offer_response)

    async def AcceptOffer(self, request: pb.AcceptOfferRequest, context: Any) -> pb.AcceptOfferResponse:
        command = offers.accept_offer_command(request)
        return await respond(context, command, self._offer_commands.accept, offers.accept_offer_response)

    async def DeclineOffer(self, request: pb.DeclineOfferRequest, context: Any) -> pb.DeclineOfferResponse:
        command = offers.decline_offer_command(request)
        return await respond(context, command, self._offer_commands.decline, offers.decline_offer_response)

    async def WithdrawOffer(self, request: pb.WithdrawOfferRequest, context: Any) -> pb.WithdrawOfferResponse:
        command = offers.withdraw_offer_command(request)
        return await respond(context, command, self._offer_commands.withdraw, offers.withdraw_offer_response)

    async def ReviveOffer(self, request: pb.ReviveOfferRequest, context: Any) -> pb.ReviveOfferResponse:
        command = offers.revive_offer_command(request)
        return await respond(context, command, self._offer_commands.revive, offers.revive_offer_response)

    async def RequestNewQuote(
        self, request: pb.RequestNewQuoteRequest, context: Any
    ) -> pb.RequestNewQuoteResponse:
        command = offers.request_new_quote_command(request)
        return await respond(
            context, command, self._offer_commands.request_new_quote, offers.request_new_quote_response
        )

    async def GetOfferSettings(
        self, request: pb.GetOfferSettingsRequest, context: Any
    ) -> pb.GetOfferSettingsResponse:
        query = offer_settings.get_offer_settings_query(request)
        return await respond(
            context, query, self._offer_settings.get, offer_settings.get_offer_settings_response
        )

    async def UpdateOfferSettings(
        self, request: pb.UpdateOfferSettingsRequest, context: Any
    ) -> pb.UpdateOfferSettingsResponse:
        command = offer_settings.update_offer_settings_command(request)
        return await respond(
            context, command, self._offer_settings.update, offer_settings.update_offer_settings_response
        )

    async def SubmitOffer(self, request: pb.SubmitOfferRequest, context: Any) -> pb.SubmitOfferResponse:
        command = review.submit_offer_command(request)
        return await respond(context, command, self._review_commands.submit, review.submit_offer_response)

    async def ApproveOffer(self, request: pb.ApproveOfferRequest, context: Any) -> pb.ApproveOfferResponse:
        command = review.approve_offer_command(request)
        return await respond(context, command, self._review_commands.approve, review.approve_offer_response)

    async def ReturnOffer(self, request: pb.ReturnOfferRequest, context: Any) -> pb.ReturnOfferResponse:
        command = review.return_offer_command(request)
        return await respond(context, command, self._review_commands.give_back, review.return_offer_response)

    async def CreateOfferTemplate(
        self, request: pb.CreateOfferTemplateRequest, context: Any
    ) -> pb.CreateOfferTemplateResponse:
        command = templates.create_template_command(request)
        return await respond(context, command, self._templates.create, templates.create_template_response)

    async def GetOfferTemplate(
        self, request: pb.GetOfferTemplateRequest, context: Any
    ) -> pb.GetOfferTemplateResponse:
        query = templates.get_template_query(request)
        return await respond(context, query, self._templates.get, templates.get_template_response)

    async def UpdateOfferTemplate(
        self, request: pb.UpdateOfferTemplateRequest, context: Any
    ) -> pb.UpdateOfferTemplateResponse:
        command = templates.update_template_command(request)
        return await respond(context, command, self._templates.update, templates.update_template_response)

    async def DeleteOfferTemplate(
        self, request: pb.DeleteOfferTemplateRequest, context: Any
    ) -> pb.DeleteOfferTemplateResponse:
        command = templates.delete_template_command(request)
        return await respond(context, command, self._templates.delete, templates.delete_template_response)

    async def ListOfferTemplates(
        self, request: pb.ListOfferTemplatesRequest, context: Any
    ) -> pb.ListOfferTemplatesResponse:
        query = templates.list_templates_query(request)
        encode = partial(templates.list_templates_response, request)
        return await respond(context, query, self._templates.list, encode)

    async def ListOffersRecords(
        self, request: personal_data_pb2.ListOffersRecordsRequest, context: Any
    ) -> personal_data_pb2.ListOffersRecordsResponse:
        query = personal_data.list_query(request)
        encode = personal_data.list_response(request, personal_data_pb2.ListOffersRecordsResponse)
        answer: personal_data_pb2.ListOffersRecordsResponse = await respond(
            context, query, self._personal.list, encode
        )
        return answer
