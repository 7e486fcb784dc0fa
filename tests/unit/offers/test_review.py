"""Drafts above the limit of an agent, and the owner."""

from __future__ import annotations

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind, Refusal
from services.offers.domain import offer as offers
from services.offers.domain import reviewing
from services.offers.domain.chain import Offer, State, actions
from services.offers.domain.review import OWNER, Clearance, Verdict, check_proposal, is_approved
from tests.unit.offers.negotiation import AGENT, HOUR, NOW, drafted, in_state, terms


def reason(offer: Offer, clearance: Clearance) -> str:
    try:
        check_proposal(offer, clearance)
    except Refusal as refusal:
        return refusal.reason
    return ""


@pytest.mark.parametrize(
    ("amount", "currency", "clearance", "refused"),
    [
        (5_000, "EUR", AGENT, ""),
        (5_001, "EUR", AGENT, "APPROVAL_REQUIRED"),
        (5_001, "EUR", OWNER, ""),
        (5_001, "JPY", AGENT, ""),
        (1, "EUR", Clearance(is_owner=False, limits=(Money("EUR", 0),)), "APPROVAL_REQUIRED"),
        (10**9, "EUR", Clearance(is_owner=False), ""),
        (10**9, "EUR", Clearance(is_owner=True, limits=AGENT.limits), ""),
    ],
)
def test_the_limit_itself_is_within_it(
    amount: int, currency: str, clearance: Clearance, refused: str
) -> None:
    assert reason(drafted(terms(amount, currency=currency)), clearance) == refused


def test_an_approval_is_for_one_revision() -> None:
    submitted = in_state(State.IN_REVIEW)
    assert submitted.review is not None
    assert (submitted.review.revision, submitted.review.verdict) == (1, None)
    approved = reviewing.approve(submitted, actor=Actor.SELLER, user="users/owner", now=NOW + HOUR)
    assert approved.review is not None
    assert (approved.state, approved.review.verdict) == (State.DRAFT, Verdict.APPROVED)
    assert (approved.review.reviewer, approved.review.review_time) == ("users/owner", NOW + HOUR)
    assert reason(approved, AGENT) == ""
    # Once is enough, and there is nothing left to submit.
    assert reviewing.approve(approved, actor=Actor.SELLER, user="users/x", now=NOW) is approved
    with pytest.raises(Refusal) as refused:
        reviewing.submit(approved, actor=Actor.SELLER, user="u", clearance=AGENT, text="", now=NOW)
    assert refused.value.reason == "APPROVAL_NOT_NEEDED"
    changed, _ = offers.revise(approved, actor=Actor.SELLER, seen=1, terms=terms(6_000), note="", now=NOW)
    assert not is_approved(changed)
    assert reason(changed, AGENT) == "APPROVAL_REQUIRED"


def test_what_was_given_back_can_be_submitted_again() -> None:
    submitted = in_state(State.IN_REVIEW)
    returned = reviewing.give_back(submitted, actor=Actor.SELLER, user="users/owner", text="Less", now=NOW)
    assert returned.review is not None
    assert (returned.state, returned.review.review_text) == (State.DRAFT, "Less")
    assert reason(returned, AGENT) == "APPROVAL_REQUIRED"
    again = reviewing.submit(returned, actor=Actor.SELLER, user="u", clearance=AGENT, text="Now", now=NOW)
    assert again.review is not None
    assert (again.review.verdict, again.review.submit_text, again.review.review_text) == (None, "Now", "")


@pytest.mark.parametrize("clearance", [OWNER, Clearance(is_owner=False)])
def test_who_needs_no_approval_submits_nothing(clearance: Clearance) -> None:
    with pytest.raises(Refusal) as refused:
        reviewing.submit(drafted(), actor=Actor.SELLER, user="u", clearance=clearance, text="", now=NOW)
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "APPROVAL_NOT_NEEDED")


def test_an_agent_is_told_that_he_cannot_approve() -> None:
    listed = {a.action: a for a in actions(in_state(State.IN_REVIEW), Actor.SELLER, now=NOW, clearance=AGENT)}
    assert (listed["approve"].allowed, listed["approve"].reason) == (False, "PERMISSION_DENIED")
    assert listed["returnToDraft"].allowed
    listed = {a.action: a for a in actions(drafted(), Actor.SELLER, now=NOW, clearance=AGENT)}
    assert listed["send"].reason == "APPROVAL_REQUIRED"
    assert listed["submitForReview"].allowed
    listed = {a.action: a for a in actions(drafted(), Actor.SELLER, now=NOW)}
    assert listed["send"].allowed
    assert listed["submitForReview"].reason == "APPROVAL_NOT_NEEDED"
