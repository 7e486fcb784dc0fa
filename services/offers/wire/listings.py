"""Requests and answers about listings."""

from __future__ import annotations

from chassis.admission import check_rules
from chassis.field_mask import masked_paths, overlay
from chassis.kernel.machine import Actor
from chassis.kernel.money import exponent
from chassis.kernel.page import Page
from chassis.kernel.refusal import Refusal, invalid
from chassis.paging import next_page_token, page_request
from chassis.wire import optional_timestamp, timestamp, wire_money, write_actions
from parley.offers.v1 import listing_pb2, offers_service_pb2
from parley.type.v1 import commerce_pb2
from services.offers.app.commands.listing import CreateListing, MoveListing, UpdateListing
from services.offers.app.queries import GetListing, ListListings
from services.offers.app.views import ListingView
from services.offers.domain.listing import (
    MACHINE,
    Intake,
    Listing,
    ListingContent,
    ListingKind,
    ListingState,
    Package,
)
from services.offers.domain.refusals import amount_invalid, currency_mismatch
from services.offers.domain.search import ListingOrder, ListingSearch, check, query_words
from services.offers.domain.terms import check_text
from services.offers.wire.options import read_option, wire_option
from services.offers.wire.values import (
    listing_name,
    read_money,
    read_plan,
    seller_name,
    wire_plan,
)

_INTAKE_PREFIX = "INTAKE_"
_UPDATABLE = ("title", "description", "intake", "published", "packages", "kind")

_INTAKES = {listing_pb2.Listing.Intake.Value(_INTAKE_PREFIX + intake): intake for intake in Intake}
_KINDS = {commerce_pb2.ListingKind.Value(f"LISTING_KIND_{kind}"): kind for kind in ListingKind}
_STATES = {listing_pb2.Listing.State.Value(f"STATE_{state}"): state for state in ListingState}
_ORDERS = {offers_service_pb2.ListingOrder.Value(f"LISTING_ORDER_{order}"): order for order in ListingOrder}

MoveRequest = (
    offers_service_pb2.RetireListingRequest
    | offers_service_pb2.PublishListingRequest
    | offers_service_pb2.UnpublishListingRequest
)


def create_listing_command(request: offers_service_pb2.CreateListingRequest) -> CreateListing:
    """What CreateListing asks for."""
    return CreateListing(
        seller=seller_name(request.parent, field="parent"),
        listing_id=request.listing_id,
        content=_read_content(request.listing),
    )


def update_listing_command(request: offers_service_pb2.UpdateListingRequest) -> UpdateListing:
    """What UpdateListing asks for. Refusals UNKNOWN_FIELD_PATH, and VALIDATION_FAILED once it is applied."""
    sent = request.listing
    name = listing_name(sent.name, field="listing.name")
    paths = masked_paths(request.update_mask, sent, updatable=_UPDATABLE)

    def edit(listing: Listing) -> ListingContent:
        merged = overlay(_wire_content(listing), sent, paths)
        # Wrapped, so that the paths of violations are those of the request.
        wrapped = offers_service_pb2.CreateListingRequest(parent=listing.seller, listing=merged)
        check_rules(wrapped)
        return _read_content(merged)

    return UpdateListing(name=name, etag=sent.etag, edit=edit)


def move_listing_command(request: MoveRequest) -> MoveListing:
    """What RetireListing, PublishListing and UnpublishListing ask for."""
    return MoveListing(listing_name(request.name), request.etag)


def get_listing_query(request: offers_service_pb2.GetListingRequest) -> GetListing:
    """What GetListing asks for."""
    return GetListing(listing_name(request.name))


def list_listings_query(request: offers_service_pb2.ListListingsRequest) -> ListListings:
    """What ListListings asks for.

    Refusals PAGE_TOKEN_INVALID, AMOUNT_INVALID, CURRENCY_MISMATCH, VALIDATION_FAILED.
    """
    seller = seller_name(request.parent, field="parent")
    return ListListings(seller, _read_search(request), page_request(request))


def _read_search(request: offers_service_pb2.ListListingsRequest) -> ListingSearch:
    currency, prices = request.currency_code, {}
    if currency:
        _check_currency(currency)
    for field in ("min_price", "max_price"):
        if request.HasField(field):
            price = read_money(getattr(request, field), field=field)
            if price.amount < 0:
                raise amount_invalid(field, "must not be negative", price)
            currency = currency or price.currency
            if price.currency != currency:
                raise currency_mismatch(field, expected=currency, actual=price.currency)
            prices[field] = price.amount
    order = _ORDERS.get(request.order_by)
    search = ListingSearch(
        words=query_words(check_text(request.text, field="text")),
        intake=_INTAKES.get(request.intake),
        state=_STATES.get(request.state),
        has_plan=request.has_plan if request.HasField("has_plan") else None,
        kind=_KINDS.get(request.kind),
        currency=currency,
        min_price=prices.get("min_price"),
        max_price=prices.get("max_price"),
        order=order or (ListingOrder.PRICE_ASCENDING if prices else ListingOrder.NAME),
    )
    check(search)
    return search


def _check_currency(currency: str) -> None:
    try:
        exponent(currency)
    except Refusal as refusal:
        (violation,) = refusal.violations
        raise invalid(
            "currency_code", violation.description, reason=refusal.reason, currency=currency
        ) from None


def create_listing_response(view: ListingView) -> offers_service_pb2.CreateListingResponse:
    """The answer of CreateListing."""
    return offers_service_pb2.CreateListingResponse(listing=wire_listing_view(view))


def get_listing_response(view: ListingView) -> offers_service_pb2.GetListingResponse:
    """The answer of GetListing."""
    return offers_service_pb2.GetListingResponse(listing=wire_listing_view(view))


def update_listing_response(view: ListingView) -> offers_service_pb2.UpdateListingResponse:
    """The answer of UpdateListing."""
    return offers_service_pb2.UpdateListingResponse(listing=wire_listing_view(view))


def retire_listing_response(view: ListingView) -> offers_service_pb2.RetireListingResponse:
    """The answer of RetireListing."""
    return offers_service_pb2.RetireListingResponse(listing=wire_listing_view(view))


def publish_listing_response(view: ListingView) -> offers_service_pb2.PublishListingResponse:
    """The answer of PublishListing."""
    return offers_service_pb2.PublishListingResponse(listing=wire_listing_view(view))


def unpublish_listing_response(view: ListingView) -> offers_service_pb2.UnpublishListingResponse:
    """The answer of UnpublishListing."""
    return offers_service_pb2.UnpublishListingResponse(listing=wire_listing_view(view))


def list_listings_response(
    request: offers_service_pb2.ListListingsRequest, page: Page[ListingView]
) -> offers_service_pb2.ListListingsResponse:
    """The answer of ListListings."""
    return offers_service_pb2.ListListingsResponse(
        listings=[wire_listing_view(view) for view in page.items],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def wire_listing_view(view: ListingView) -> listing_pb2.Listing:
    """A listing as one caller sees it."""
    message = wire_listing(view.listing)
    actions = MACHINE.explain(view.listing.state, Actor.SELLER) if view.is_team else ()
    write_actions(message, actions, explanations={})
    return message


def wire_listing(listing: Listing) -> listing_pb2.Listing:
    """A listing without what depends on the caller."""
    message = _wire_content(listing)
    message.name = listing.name
    message.state = listing_pb2.Listing.State.Value(f"STATE_{listing.state}")
    message.etag = listing.etag
    message.create_time.CopyFrom(timestamp(listing.create_time))
    message.update_time.CopyFrom(timestamp(listing.update_time))
    message.retired_packages.extend(_wire_package(listing, package) for package in listing.retired)
    if listing.retire_time is not None:
        message.published = False
        message.retire_time.CopyFrom(timestamp(listing.retire_time))
    return message


def _wire_content(listing: Listing) -> listing_pb2.Listing:
    content = listing.content
    return listing_pb2.Listing(
        title=content.title,
        description=content.description,
        intake=listing_pb2.Listing.Intake.Value(_INTAKE_PREFIX + content.intake),
        published=content.published,
        packages=[_wire_package(listing, package) for package in content.packages],
        kind=commerce_pb2.ListingKind.Value(f"LISTING_KIND_{content.kind}"),
    )


def _wire_package(listing: Listing, package: Package) -> listing_pb2.Package:
    return listing_pb2.Package(
        package_id=package.package_id,
        name=listing.package_name(package.package_id),
        title=package.title,
        description=package.description,
        price=wire_money(package.price),
        delivery_days=package.delivery_days,
        plan=wire_plan(package.plan),
        retire_time=optional_timestamp(package.retire_time),
        options=[wire_option(option) for option in package.options],
    )


def _read_content(message: listing_pb2.Listing) -> ListingContent:
    return ListingContent(
        title=check_text(message.title, field="listing.title"),
        description=check_text(message.description, field="listing.description"),
        intake=Intake(listing_pb2.Listing.Intake.Name(message.intake).removeprefix(_INTAKE_PREFIX)),
        published=message.published,
        packages=tuple(_read_package(package, index) for index, package in enumerate(message.packages)),
        kind=_KINDS.get(message.kind, ListingKind.SERVICE),
    )


def _read_package(message: listing_pb2.Package, index: int) -> Package:
    field = f"listing.packages[{index}]"
    return Package(
        package_id=message.package_id,
        title=check_text(message.title, field=f"{field}.title"),
        description=check_text(message.description, field=f"{field}.description"),
        price=read_money(message.price, field=f"{field}.price"),
        delivery_days=message.delivery_days,
        plan=read_plan(message, field=f"{field}.plan"),
        options=tuple(
            read_option(option, field=f"{field}.options[{number}]")
            for number, option in enumerate(message.options)
        ),
    )
