"""Calls about a seller's settings that are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS, Identity
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offer_settings_pb2 import CounterRule, OfferSettings
from tests.component.offers.bad_calls import DENIED, INVALID, NOT_FOUND, Bad, on, writing
from tests.component.offers.scene import ACME, ACME_AGENT, ANA, OPERATOR, ORDERS, OTHER, money

NAME = "sellers/acme/offerSettings"
LOGO = "sellers/acme/listings/logo"
FOREIGN = "sellers/other/listings/logo/packages/basic"


def saving(request_id: str = "", paths: tuple[str, ...] = (), **fields: Any) -> Callable[[Any], Any]:
    settings = OfferSettings(**{"name": NAME, **fields})
    mask = FieldMask(paths=paths) if paths else None
    return lambda ground: pb.UpdateOfferSettingsRequest(
        offer_settings=settings, update_mask=mask, request_id=request_id
    )


def reading(name: str = NAME) -> Callable[[Any], Any]:
    return lambda ground: pb.GetOfferSettingsRequest(name=name)


def rule(accept: int, decline: int = 0, package: str = "") -> CounterRule:
    return CounterRule(package=package, auto_accept_percent=accept, auto_decline_percent=decline)


def _get(who: Identity, kind: Kind, reason: str, name: str = NAME) -> Bad:
    return Bad("GetOfferSettings", who, reading(name), kind, reason)


def _update(
    make: Callable[[Any], Any], reason: str = "VALIDATION_FAILED", kind: Kind = INVALID, who: Identity = ACME
) -> Bad:
    return Bad("UpdateOfferSettings", who, make, kind, reason)


SETTINGS_CALLS = [
    _get(ACME, INVALID, "VALIDATION_FAILED", "sellers/acme"),
    _get(ACME, INVALID, "VALIDATION_FAILED", ""),
    _get(ANONYMOUS, Kind.UNAUTHENTICATED, "UNAUTHENTICATED"),
    _get(ANA, NOT_FOUND, "NOT_FOUND"),
    _get(OTHER, NOT_FOUND, "NOT_FOUND"),
    _get(ORDERS, NOT_FOUND, "NOT_FOUND"),
    _update(saving(), "UNAUTHENTICATED", Kind.UNAUTHENTICATED, ANONYMOUS),
    _update(saving(), "NOT_FOUND", NOT_FOUND, ANA),
    _update(saving(), "NOT_FOUND", NOT_FOUND, OTHER),
    _update(saving(), "NOT_FOUND", NOT_FOUND, OPERATOR),
    _update(saving(), "PERMISSION_DENIED", DENIED, ACME_AGENT),
    _update(saving(name="sellers/acme")),
    _update(lambda ground: pb.UpdateOfferSettingsRequest()),
    _update(saving(request_id="x" * 65)),
    _update(saving(etag="v9", time_zone="UTC"), "ETAG_MISMATCH", Kind.STALE),
    _update(saving(paths=("colour",)), "UNKNOWN_FIELD_PATH"),
    _update(saving(paths=("etag",)), "UNKNOWN_FIELD_PATH"),
    _update(saving(time_zone="x" * 65)),
    _update(saving(time_zone="Mars/Olympus"), "UNKNOWN_TIME_ZONE"),
    _update(saving(counter_rules=[rule(101)])),
    _update(saving(counter_rules=[rule(-1)])),
    _update(saving(counter_rules=[rule(90, 101)])),
    _update(saving(counter_rules=[rule(90, package="basic")])),
    _update(saving(counter_rules=[rule(90)] * 101)),
    *writing("SubmitOffer", pb.SubmitOfferRequest, ACME),
    *writing("ApproveOffer", pb.ApproveOfferRequest, ACME),
    *writing("ReturnOffer", pb.ReturnOfferRequest, ACME),
    on("SubmitOffer", ACME, "draft", (Kind.PRECONDITION, "APPROVAL_NOT_NEEDED")),
    on("SubmitOffer", ACME_AGENT, "draft", (Kind.PRECONDITION, "APPROVAL_NOT_NEEDED")),
    on("SubmitOffer", ACME, "open", (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")),
    on("SubmitOffer", ACME, "draft", (INVALID, "VALIDATION_FAILED"), field="text", text="x" * 2001),
    on("SubmitOffer", ACME, "draft", (INVALID, "VALIDATION_FAILED"), field="text", text="\x00"),
    on("ReturnOffer", ACME, "draft", (INVALID, "VALIDATION_FAILED"), field="text", text="\x00"),
    on("ApproveOffer", ACME, "draft", (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")),
    on("ApproveOffer", ACME_AGENT, "draft", (DENIED, "PERMISSION_DENIED")),
    on("ReturnOffer", ACME_AGENT, "draft", (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")),
    on("SubmitOffer", ANA, "draft", (NOT_FOUND, "NOT_FOUND")),
    on("ApproveOffer", ANA, "draft", (NOT_FOUND, "NOT_FOUND")),
    on("ReturnOffer", ANA, "draft", (NOT_FOUND, "NOT_FOUND")),
    _update(saving(approval_limits=[money(-1)]), "AMOUNT_INVALID"),
    _update(saving(approval_limits=[money(1, "EURO")]), "AMOUNT_INVALID"),
    _update(saving(approval_limits=[money(1)] * 201)),
    _update(saving(approval_limits=[money(1), money(2)]), "APPROVAL_LIMIT_INVALID"),
    _update(saving(counter_rules=[rule(90), rule(80)]), "COUNTER_RULE_INVALID"),
    _update(saving(counter_rules=[rule(90, 91)]), "COUNTER_RULE_INVALID"),
    _update(saving(counter_rules=[rule(90, package=FOREIGN)]), "COUNTER_RULE_INVALID"),
    _update(saving(counter_rules=[rule(90, package=f"{LOGO}/packages/gold")]), "COUNTER_RULE_INVALID"),
    _update(saving(counter_rules=[rule(90, package=f"{LOGO}-x/packages/basic")]), "COUNTER_RULE_INVALID"),
]
