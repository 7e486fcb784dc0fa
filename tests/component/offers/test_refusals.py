"""Bad input on every RPC: the right code, the right reason, and nothing written."""

from __future__ import annotations

import re

import pytest

from chassis.kernel.refusal import Kind, Refusal
from chassis.status import domain_of
from chassis.testing import refused
from gateway.openapi import load_comments
from parley.offers.v1 import error_reason_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from tests.component.offers.bad_calls import CALLS, ground
from tests.component.offers.bad_records import RECORD_CALLS
from tests.component.offers.bad_settings import SETTINGS_CALLS
from tests.component.offers.bad_templates import TEMPLATE_CALLS
from tests.component.offers.scene import ACME, ANA, Scene, create, terms

EVERY_CALL = [*CALLS, *RECORD_CALLS, *SETTINGS_CALLS, *TEMPLATE_CALLS]

# The methods whose proposals are checked alike, and what those that open an offer refuse besides.
PROPOSING = ("CreateOffer", "ReviseOffer", "CounterOffer")
ALSO_REFUSED = {
    "APPROVAL_REQUIRED": (*PROPOSING, "SendOffer", "ReviveOffer"),
    "PACKAGE_RETIRED": (*PROPOSING, "SendOffer", "ReviveOffer", "RequestNewQuote", "UpdateListing"),
    "ORIGIN_CLOSED": ("CreateOffer", "SendOffer", "ReviveOffer", "RequestNewQuote"),
    "OPEN_OFFER_EXISTS": ("CreateOffer", "SendOffer", "ReviveOffer", "RequestNewQuote"),
    "UNKNOWN_TIME_ZONE": (*PROPOSING, "ReviveOffer"),
    "OFFER_EXPIRED": ("AcceptOffer", "CounterOffer"),
    "TOO_MANY_REVISIONS": ("ReviseOffer", "CounterOffer", "ReviveOffer"),
}
# What is said once, of every method, or of the fields of a request.
SAID_ELSEWHERE = {
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "VALIDATION_FAILED",
    "ETAG_MISMATCH",
} | {
    "TRANSITION_FORBIDDEN",
    "PAGE_TOKEN_INVALID",
    "REQUEST_ID_REUSED",
}

# Reasons that need another scene than `ground`, or tests of their own; where they are produced.
ELSEWHERE = {
    "OFFER_EXPIRED": "test_negotiation.py",
    "APPROVAL_REQUIRED": "test_reviews.py",
    "ORIGIN_CLOSED": "test_origins.py",
    "PACKAGE_RETIRED": "test_retirement.py",
    "DUPLICATE_OPTION": "test_options.py",
    "TOO_MANY_REVISIONS": "test_a_chain_has_at_most_a_hundred_revisions",
}


@pytest.mark.covers("X01", "X02", "X03")
async def test_bad_calls_are_refused_and_write_nothing(scene: Scene, subtests: pytest.Subtests) -> None:
    standing = await ground(scene)
    before = await scene.written()
    for number, bad in enumerate(EVERY_CALL):
        with subtests.test(f"{number} {bad.method} by {bad.who.subject or 'nobody'}: {bad.reason}"):
            refusal = await refused(getattr(scene.by(bad.who), bad.method)(bad.make(standing)))
            assert (refusal.kind, refusal.reason) == (bad.kind, bad.reason)
            assert getattr(refusal, "domain") == domain_of(bad.reason, "offers")  # noqa: B009
            if bad.field:
                assert refusal.metadata["field"] == bad.field
            if bad.metadata is not None:
                assert refusal.metadata == bad.metadata
            check_details(refusal)
    assert await scene.written() == before


def check_details(refusal: Refusal) -> None:
    if refusal.kind is Kind.INVALID:
        assert refusal.violations
    for violation in refusal.violations:
        # The field stands beside it.
        assert not re.match(r"[\w.\[\]]+: ", violation.description), violation
    if refusal.reason == "TRANSITION_FORBIDDEN":
        assert set(refusal.metadata) == {"resource", "state", "action", "allowed_actions"}
        assert refusal.metadata["resource"].startswith("offers/")


def test_every_method_and_every_reason_is_among_them() -> None:
    methods = {method.name for method in pb.DESCRIPTOR.services_by_name["OffersService"].methods}
    assert {bad.method for bad in EVERY_CALL} == methods
    reasons = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert reasons - {"UNSPECIFIED"} <= {bad.reason for bad in EVERY_CALL} | set(ELSEWHERE)


def test_every_method_says_why_it_refuses() -> None:
    """The reference and the OpenAPI document name the errors of a method by what its comment names."""
    comments, service = load_comments(), pb.DESCRIPTOR.services_by_name["OffersService"].full_name
    refusals = {(bad.method, bad.reason) for bad in EVERY_CALL}
    refusals |= {(method, reason) for reason, methods in ALSO_REFUSED.items() for method in methods}
    for method, reason in sorted(refusals):
        if reason not in SAID_ELSEWHERE:
            assert reason in comments.of(f"{service}.{method}"), f"{method} does not say {reason}"


async def test_a_chain_has_at_most_a_hundred_revisions(scene: Scene) -> None:
    offer = await scene.offer()
    revise = pb.ReviseOfferRequest(name=offer.name, terms=terms())
    for _ in range(99):
        await scene.by(ACME).ReviseOffer(revise)
    before = await scene.written()
    for call in (
        scene.by(ACME).ReviseOffer(revise),
        scene.by(ANA).CounterOffer(pb.CounterOfferRequest(name=offer.name, revision=100, terms=terms())),
    ):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TOO_MANY_REVISIONS")
        assert refusal.metadata == {"resource": offer.name, "limit": "100"}
    assert await scene.written() == before
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=100))


async def test_a_message_of_five_megabytes_is_refused(scene: Scene) -> None:
    huge = create(scene.origins.add(), note="x" * 5 * 1024 * 1024)
    assert (await refused(scene.by(ACME).CreateOffer(huge))).reason == "PAYLOAD_TOO_LARGE"
