"""Calls that are refused: every method, every way to get it wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS, Identity
from chassis.wire import timestamp
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.type.v1 import commerce_pb2
from tests.component.offers.scene import (
    ACME,
    ANA,
    BEN,
    HOUR,
    NOW,
    OPERATOR,
    ORDERS,
    OTHER,
    Scene,
    create,
    listing,
    money,
    package,
    terms,
)

INVALID, NOT_FOUND, DENIED = Kind.INVALID, Kind.NOT_FOUND, Kind.DENIED
NOBODY = "offers/0198a000-0000-7000-8000-00000000ffff"


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands when each bad call comes in."""

    request: str
    open: offer_pb2.Offer
    online: offer_pb2.Offer
    countered: offer_pb2.Offer
    accepted: offer_pb2.Offer
    draft: offer_pb2.Offer


async def ground(scene: Scene) -> Ground:
    await scene.listing("logo")
    countered = await scene.offer()
    counter = pb.CounterOfferRequest(name=countered.name, revision=1, terms=terms(80))
    accepted = await scene.offer()
    await scene.by(ANA).CounterOffer(counter)
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=accepted.name, revision=1))
    return Ground(
        request=scene.origins.add(),
        open=await scene.offer(),
        online=await scene.offer(payment_method=commerce_pb2.PAYMENT_METHOD_ONLINE),
        countered=countered,
        accepted=accepted,
        draft=await scene.offer(send=False),
    )


@dataclass(frozen=True, slots=True)
class Bad:
    """A call that is refused."""

    method: str
    who: Identity
    make: Callable[[Ground], Any]
    kind: Kind
    reason: str
    metadata: dict[str, str] | None = None
    field: str = ""


def by_name(method: str, request: Callable[..., Any], who: Identity, **needed: Any) -> list[Bad]:
    """What every method refuses that names an offer and writes."""
    return [
        Bad(method, who, lambda g: request(name="offers", **needed), INVALID, "VALIDATION_FAILED"),
        Bad(method, who, lambda g: request(name="", **needed), INVALID, "VALIDATION_FAILED"),
        Bad(method, who, lambda g: request(name="offers/A B", **needed), INVALID, "VALIDATION_FAILED"),
        Bad(method, who, lambda g: request(name="offers/\x00", **needed), INVALID, "VALIDATION_FAILED"),
        Bad(
            method,
            who,
            lambda g: request(name=NOBODY, **needed),
            NOT_FOUND,
            "NOT_FOUND",
            {"resource": NOBODY},
        ),
        Bad(method, OTHER, lambda g: request(name=g.open.name, **needed), NOT_FOUND, "NOT_FOUND"),
        Bad(method, BEN, lambda g: request(name=g.open.name, **needed), NOT_FOUND, "NOT_FOUND"),
        Bad(
            method,
            ANONYMOUS,
            lambda g: request(name=g.open.name, **needed),
            Kind.UNAUTHENTICATED,
            "UNAUTHENTICATED",
        ),
    ]


def writing(method: str, request: Callable[..., Any], who: Identity, **needed: Any) -> list[Bad]:
    """The same, and what concerns versions and roles."""
    other = ACME if who is ANA else ANA
    bad = [
        *by_name(method, request, who, **needed),
        Bad(
            method,
            who,
            lambda g: request(name=g.open.name, etag="v9", **needed),
            Kind.STALE,
            "ETAG_MISMATCH",
        ),
        Bad(
            method,
            who,
            lambda g: request(name=g.open.name, request_id="x" * 65, **needed),
            INVALID,
            "VALIDATION_FAILED",
            {"field": "request_id"},
        ),
        Bad(method, OPERATOR, lambda g: request(name=g.open.name, **needed), NOT_FOUND, "NOT_FOUND"),
        Bad(method, ORDERS, lambda g: request(name=g.open.name, **needed), NOT_FOUND, "NOT_FOUND"),
    ]
    if method != "CounterOffer":
        bad.append(
            Bad(method, other, lambda g: request(name=g.open.name, **needed), DENIED, "PERMISSION_DENIED")
        )
    return bad


def proposing(method: str, make: Callable[[Ground, offer_pb2.OfferTerms], Any], who: Identity) -> list[Bad]:
    """What every method refuses that takes terms."""
    foreign = "sellers/other/listings/logo/packages/basic"
    missing = "sellers/acme/listings/logo/packages/gold"
    past, far = timestamp(NOW), timestamp(NOW + 6 * 366 * 24 * HOUR)
    usd = commerce_pb2.LineItem(title="b", quantity=1, unit_price=money(1, "USD"))
    free = [commerce_pb2.LineItem(title="b", quantity=1, unit_price=money(0))]
    cases: list[tuple[offer_pb2.OfferTerms, str, str]] = [
        (offer_pb2.OfferTerms(), "VALIDATION_FAILED", "terms.line_items"),
        (terms(payment_method=99), "VALIDATION_FAILED", "terms.payment_method"),
        (terms(delivery_days=366), "VALIDATION_FAILED", "terms.delivery_days"),
        (terms(package="packages/1"), "VALIDATION_FAILED", "terms.package"),
        (terms(scope="\x00"), "VALIDATION_FAILED", "terms.scope"),
        (terms(-5), "AMOUNT_INVALID", "terms.line_items[0].unit_price"),
        (terms(currency="EURO"), "AMOUNT_INVALID", "terms.line_items[0].unit_price"),
        (terms(line_items=[usd]), "CURRENCY_MISMATCH", "terms.line_items[1].unit_price"),
        (terms(expire_time=past), "TIME_OUT_OF_RANGE", "terms.expire_time"),
        (terms(start_time=far), "TIME_OUT_OF_RANGE", "terms.start_time"),
        (terms(expire_time=Timestamp(seconds=2**60)), "TIME_OUT_OF_RANGE", "terms.expire_time"),
        (terms(package=foreign), "PACKAGE_UNKNOWN", "terms.package"),
        (terms(package=missing), "PACKAGE_UNKNOWN", "terms.package"),
    ]
    nothing = terms()
    del nothing.line_items[:]
    nothing.line_items.extend(free)
    cases.append((nothing, "AMOUNT_INVALID", "terms.line_items"))

    def bad(proposal: offer_pb2.OfferTerms, reason: str, field: str) -> Bad:
        return Bad(method, who, lambda g: make(g, proposal), INVALID, reason, field=field)

    return [bad(*case) for case in cases]


def listing_calls() -> list[Bad]:
    def made(**fields: Any) -> Callable[[Ground], Any]:
        return lambda g: pb.CreateListingRequest(**{"parent": "sellers/acme", "listing": listing(), **fields})

    def get(name: str) -> Callable[[Ground], Any]:
        return lambda g: pb.GetListingRequest(name=name)

    def listed(**fields: Any) -> Callable[[Ground], Any]:
        return lambda g: pb.ListListingsRequest(**{"parent": "sellers/acme", **fields})

    def updated(name: str) -> Callable[[Ground], Any]:
        changed = listing(name=name)
        return lambda g: pb.UpdateListingRequest(listing=changed)

    missing = "sellers/acme/listings/none"
    failed = (INVALID, "VALIDATION_FAILED")
    return [
        Bad("CreateListing", ACME, made(parent="acme"), *failed),
        Bad("CreateListing", ACME, made(parent=""), *failed),
        Bad("CreateListing", ACME, made(listing=None), *failed, {"field": "listing"}),
        Bad("CreateListing", ACME, made(listing_id="Logo!"), *failed, {"field": "listing_id"}),
        Bad("CreateListing", ACME, made(listing=listing(intake=99)), *failed, {"field": "listing.intake"}),
        Bad("CreateListing", ACME, made(listing=listing(title="\x00")), *failed, {"field": "listing.title"}),
        Bad("CreateListing", ACME, made(listing=listing(packages=[package()])), INVALID, "DUPLICATE_PACKAGE"),
        Bad(
            "CreateListing",
            ACME,
            made(listing=listing(packages=[package("plus", currency="USD")])),
            INVALID,
            "CURRENCY_MISMATCH",
        ),
        Bad(
            "CreateListing",
            ACME,
            made(listing=listing(packages=[package("plus", -1)])),
            INVALID,
            "AMOUNT_INVALID",
        ),
        Bad("CreateListing", ACME, made(listing_id="logo"), Kind.EXISTS, "LISTING_EXISTS"),
        Bad("CreateListing", OTHER, made(), NOT_FOUND, "NOT_FOUND"),
        Bad("CreateListing", ANA, made(), NOT_FOUND, "NOT_FOUND"),
        Bad("CreateListing", ANONYMOUS, made(), Kind.UNAUTHENTICATED, "UNAUTHENTICATED"),
        Bad("GetListing", ACME, get("listings/logo"), *failed),
        Bad("GetListing", ACME, get("sellers/acme/listings/\x00"), *failed),
        Bad("GetListing", ACME, get(missing), NOT_FOUND, "NOT_FOUND", {"resource": missing}),
        Bad("ListListings", ACME, listed(parent=""), *failed),
        Bad("ListListings", ACME, listed(page_size=-1), *failed, {"field": "page_size"}),
        Bad("ListListings", ACME, listed(page_size=1001), *failed, {"field": "page_size"}),
        Bad("ListListings", ACME, listed(page_token="nonsense"), INVALID, "PAGE_TOKEN_INVALID"),
        Bad(
            "UpdateListing",
            ACME,
            updated("sellers/acme/listings"),
            *failed,
            {"field": "listing.name", "form": "sellers/*/listings/*"},
        ),
        Bad("UpdateListing", ACME, updated(""), *failed),
        Bad("UpdateListing", ACME, updated(missing), NOT_FOUND, "NOT_FOUND"),
        Bad("UpdateListing", OTHER, updated("sellers/acme/listings/logo"), NOT_FOUND, "NOT_FOUND"),
    ]


def listing_moves() -> list[Bad]:
    def moved(method: str, name: str) -> Callable[[Ground], Any]:
        return lambda g: getattr(pb, f"{method}Request")(name=name)

    missing = "sellers/acme/listings/none"
    failed = (INVALID, "VALIDATION_FAILED", {"field": "name"})
    return [
        bad
        for method in ("RetireListing", "PublishListing", "UnpublishListing")
        for bad in (
            Bad(method, ACME, moved(method, ""), *failed),
            Bad(method, ACME, moved(method, "sellers/acme"), *failed),
            Bad(method, ACME, moved(method, missing), NOT_FOUND, "NOT_FOUND", {"resource": missing}),
        )
    ]


def reading_calls() -> list[Bad]:
    def listed(**fields: Any) -> Callable[[Ground], Any]:
        return lambda g: pb.ListOffersRequest(**fields)

    def revisions(**fields: Any) -> Callable[[Ground], Any]:
        return lambda g: pb.ListOfferRevisionsRequest(name=g.open.name, **fields)

    def compared(**fields: Any) -> Callable[[Ground], Any]:
        return lambda g: pb.CompareOfferRevisionsRequest(name=g.open.name, **fields)

    failed = (INVALID, "VALIDATION_FAILED")
    return [
        *by_name("GetOffer", pb.GetOfferRequest, ANA),
        *by_name("ListOfferRevisions", pb.ListOfferRevisionsRequest, ANA),
        Bad("ListOfferRevisions", ANA, revisions(page_size=-1), *failed, {"field": "page_size"}),
        Bad("ListOfferRevisions", ANA, revisions(page_token="x"), INVALID, "PAGE_TOKEN_INVALID"),
        Bad("ListOfferRevisions", ORDERS, revisions(), NOT_FOUND, "NOT_FOUND"),
        Bad("GetOffer", ANA, lambda g: pb.GetOfferRequest(name=g.draft.name), NOT_FOUND, "NOT_FOUND"),
        *by_name("CompareOfferRevisions", pb.CompareOfferRevisionsRequest, ANA),
        Bad("CompareOfferRevisions", ANA, compared(from_revision=-1), *failed, {"field": "from_revision"}),
        Bad("CompareOfferRevisions", ANA, compared(to_revision=-1), *failed, {"field": "to_revision"}),
        Bad("CompareOfferRevisions", ANA, compared(to_revision=2), NOT_FOUND, "NOT_FOUND"),
        Bad("CompareOfferRevisions", ANA, compared(from_revision=2), NOT_FOUND, "NOT_FOUND"),
        Bad("ListOffers", ANONYMOUS, listed(), Kind.UNAUTHENTICATED, "UNAUTHENTICATED"),
        Bad("ListOffers", ORDERS, listed(), DENIED, "PERMISSION_DENIED"),
        Bad("ListOffers", ANA, listed(page_size=-1), *failed, {"field": "page_size"}),
        Bad("ListOffers", ANA, listed(page_token="x"), INVALID, "PAGE_TOKEN_INVALID"),
        Bad("ListOffers", ANA, listed(states=[99]), *failed),
        Bad("ListOffers", ANA, listed(origin="offers/1"), *failed, {"field": "origin"}),
        Bad("ListOffers", ANA, listed(seller="acme"), *failed, {"field": "seller"}),
        Bad("ListOffers", ANA, listed(seller="sellers/acme"), NOT_FOUND, "NOT_FOUND"),
        Bad("ListOffers", OTHER, listed(seller="sellers/acme"), NOT_FOUND, "NOT_FOUND"),
    ]


def creating_calls() -> list[Bad]:
    def made(**fields: Any) -> Callable[[Ground], Any]:
        return lambda g: pb.CreateOfferRequest(**{"order_request": g.request, "terms": terms(), **fields})

    failed = (INVALID, "VALIDATION_FAILED")
    return [
        *proposing("CreateOffer", lambda g, t: create(g.request, send=True, terms=t), ACME),
        Bad("CreateOffer", ACME, lambda g: pb.CreateOfferRequest(terms=terms()), INVALID, "ORIGIN_REQUIRED"),
        Bad("CreateOffer", ACME, made(order_request="orders/1"), *failed, {"field": "order_request"}),
        Bad("CreateOffer", ACME, made(terms=None), *failed, {"field": "terms"}),
        Bad("CreateOffer", ACME, made(note="x" * 2001), *failed, {"field": "note"}),
        Bad("CreateOffer", ACME, made(note="\x00"), *failed, {"field": "note"}),
        Bad("CreateOffer", ANONYMOUS, made(), Kind.UNAUTHENTICATED, "UNAUTHENTICATED"),
        Bad(
            "CreateOffer",
            ACME,
            lambda g: create(g.open.order_request, send=True),
            Kind.EXISTS,
            "OPEN_OFFER_EXISTS",
        ),
    ]


def changing_calls() -> list[Bad]:
    counter = pb.CounterOfferRequest
    return [
        *writing("SendOffer", pb.SendOfferRequest, ACME),
        *writing("OpenOffer", pb.OpenOfferRequest, ANA),
        *writing("ReviseOffer", pb.ReviseOfferRequest, ACME, terms=terms(), revision=1),
        *writing("CounterOffer", counter, ANA, terms=terms(), revision=1),
        *writing("AcceptOffer", pb.AcceptOfferRequest, ANA, revision=1),
        *writing("DeclineOffer", pb.DeclineOfferRequest, ANA),
        *writing("WithdrawOffer", pb.WithdrawOfferRequest, ACME),
        *writing("ReviveOffer", pb.ReviveOfferRequest, ACME),
        *writing("RequestNewQuote", pb.RequestNewQuoteRequest, ANA),
        *proposing("ReviseOffer", lambda g, t: pb.ReviseOfferRequest(name=g.open.name, terms=t), ACME),
        *proposing("CounterOffer", lambda g, t: counter(name=g.open.name, revision=1, terms=t), ANA),
    ]


def on(
    method: str, who: Identity, which: str, outcome: tuple[Kind, str], *, field: str = "", **fields: Any
) -> Bad:
    """A call on the offer of the ground that `which` names."""
    request = getattr(pb, f"{method}Request")
    return Bad(method, who, lambda g: request(name=getattr(g, which).name, **fields), *outcome, field=field)


def untimely_calls() -> list[Bad]:
    """Refused for the state, the revision or the turn."""
    stale, forbidden = (Kind.STALE, "REVISION_STALE"), (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
    turn, currency = (Kind.PRECONDITION, "NOT_YOUR_TURN"), (INVALID, "CURRENCY_MISMATCH")
    return [
        on("SendOffer", ACME, "accepted", forbidden),
        on("OpenOffer", ANA, "accepted", forbidden),
        on("ReviseOffer", ACME, "accepted", forbidden, terms=terms()),
        on("ReviseOffer", ACME, "open", stale, terms=terms(), revision=2),
        on("ReviseOffer", ACME, "open", currency, terms=terms(currency="USD")),
        on("CounterOffer", ANA, "open", currency, terms=terms(currency="USD"), revision=1),
        on("CounterOffer", ANA, "open", stale, terms=terms(), revision=2),
        on("CounterOffer", ANA, "countered", turn, terms=terms(), revision=2),
        on("CounterOffer", ACME, "open", turn, terms=terms(), revision=1),
        on("CounterOffer", ANA, "accepted", forbidden, terms=terms(), revision=1),
        on("AcceptOffer", ANA, "open", stale, revision=2),
        on("AcceptOffer", ANA, "countered", stale, revision=1),
        on("AcceptOffer", ANA, "countered", turn, revision=2),
        on("AcceptOffer", ANA, "online", (INVALID, "PAYMENT_TOKEN_REQUIRED"), revision=1),
        on("DeclineOffer", ANA, "open", stale, revision=2),
        on("DeclineOffer", ANA, "accepted", forbidden),
        on("WithdrawOffer", ACME, "accepted", forbidden),
        on("ReviveOffer", ACME, "open", forbidden),
        on("RequestNewQuote", ANA, "open", forbidden),
        on("RequestNewQuote", ANA, "accepted", forbidden),
        on("ReviveOffer", ACME, "accepted", forbidden),
    ]


def incomplete_calls() -> list[Bad]:
    """Refused for a field, whatever the state."""
    failed = (INVALID, "VALIDATION_FAILED")
    nobody = commerce_pb2.Address(address_lines=["1 Way"], locality="Graz", region_code="AT")
    late = (INVALID, "TIME_OUT_OF_RANGE")
    return [
        on("ReviseOffer", ACME, "open", failed, field="revision", terms=terms(), revision=-1),
        on("ReviseOffer", ACME, "open", failed, field="terms"),
        on("CounterOffer", ANA, "open", failed, field="revision", terms=terms()),
        on("CounterOffer", ANA, "open", failed, field="terms", revision=1),
        on("AcceptOffer", ANA, "open", failed, field="revision"),
        on(
            "AcceptOffer",
            ANA,
            "open",
            failed,
            field="billing_address.recipient",
            revision=1,
            billing_address=nobody,
        ),
        on("AcceptOffer", ANA, "open", failed, field="payment_token", revision=1, payment_token="x" * 201),
        on("DeclineOffer", ANA, "open", failed, field="reason", reason="x" * 2001),
        on("RequestNewQuote", ANA, "open", failed, field="text", text="x" * 2001),
        on("RequestNewQuote", ANA, "open", failed, field="text", text="\x00"),
        on("ReviveOffer", ACME, "open", late, field="expire_time", expire_time=Timestamp(seconds=2**60)),
    ]


CALLS = [
    *listing_calls(),
    *listing_moves(),
    *reading_calls(),
    *creating_calls(),
    *changing_calls(),
    *untimely_calls(),
    *incomplete_calls(),
]
