"""Verified buyers, and whom a seller asks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.kernel.refusal import Refusal
from services.gating.domain.gate import BuyerFacts, GateReason, Outcome
from services.gating.domain.settings import Audience
from services.gating.domain.verification import BuyerVerification, Vouched, set_verification
from tests.unit.gating.examples import BUYER, NOON, decide, nights, rules, settings_with

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
OPERATOR = "users/operator"


def test_a_verification_holds_until_it_lapses_or_is_taken_back() -> None:
    first, event = set_verification(
        BuyerVerification(BUYER), Vouched(True, NOON + HOUR, OPERATOR), etag="v0", now=NOON
    )
    assert event is not None
    assert (first.version, first.author, first.set_time) == (1, OPERATOR, NOON)
    assert first.holds(NOON + HOUR - TICK)
    assert not first.holds(NOON + HOUR)
    second, _ = set_verification(first, Vouched(False, None, OPERATOR), etag="v1", now=NOON)
    assert (second.version, second.holds(NOON)) == (2, False)


def test_saying_the_same_again_changes_nothing_whoever_says_it() -> None:
    held = BuyerVerification(BUYER, True, None, OPERATOR, NOON, 3)
    assert set_verification(held, Vouched(True, None, "services/x"), etag="", now=NOON) == (held, None)
    unknown = BuyerVerification(BUYER)
    assert set_verification(unknown, Vouched(False, None, OPERATOR), etag="", now=NOON) == (unknown, None)


@pytest.mark.parametrize(
    ("etag", "lapse", "reason"), [("v2", HOUR, "ETAG_MISMATCH"), ("", timedelta(), "TIME_OUT_OF_RANGE")]
)
def test_what_cannot_be_said(etag: str, lapse: timedelta, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        set_verification(BuyerVerification(BUYER), Vouched(True, NOON + lapse, OPERATOR), etag=etag, now=NOON)
    assert caught.value.reason == reason


RETURNING = BuyerFacts(has_confirmed_order=True)
VERIFIED = BuyerFacts(verification=BuyerVerification(BUYER, True))
BOTH = BuyerFacts(has_confirmed_order=True, verification=BuyerVerification(BUYER, True))
LAPSED = BuyerFacts(verification=BuyerVerification(BUYER, True, NOON))


@pytest.mark.covers("X17", "G15")
@pytest.mark.parametrize(
    ("audience", "facts", "reason"),
    [
        (Audience.ALL_BUYERS, BOTH, GateReason.ALWAYS),
        (Audience.NEW_BUYERS, VERIFIED, GateReason.ALWAYS),
        (Audience.NEW_BUYERS, RETURNING, GateReason.RETURNING_BUYER),
        (Audience.UNVERIFIED_BUYERS, RETURNING, GateReason.ALWAYS),
        (Audience.UNVERIFIED_BUYERS, VERIFIED, GateReason.VERIFIED_BUYER),
        (Audience.UNVERIFIED_BUYERS, LAPSED, GateReason.ALWAYS),
        (Audience.NEW_UNVERIFIED_BUYERS, VERIFIED, GateReason.VERIFIED_BUYER),
        (Audience.NEW_UNVERIFIED_BUYERS, RETURNING, GateReason.RETURNING_BUYER),
        (Audience.NEW_UNVERIFIED_BUYERS, BOTH, GateReason.RETURNING_BUYER),
        (Audience.NEW_UNVERIFIED_BUYERS, BuyerFacts(), GateReason.ALWAYS),
    ],
)
def test_who_is_asked(audience: Audience, facts: BuyerFacts, reason: GateReason) -> None:
    assert decide(rules(settings_with(audience=audience)), NOON, facts).verdict.reason is reason


def test_a_verified_buyer_orders_until_the_verification_or_the_window_ends() -> None:
    night = NOON + timedelta(hours=8)
    chosen = rules(settings_with(windows=nights().windows, audience=Audience.UNVERIFIED_BUYERS))
    for expire_time, expected in (
        (night + HOUR, night + HOUR),
        (night + 24 * HOUR, night + 8 * HOUR),
        (None, night + 8 * HOUR),
    ):
        facts = BuyerFacts(verification=BuyerVerification(BUYER, True, expire_time))
        verdict = decide(chosen, night, facts).verdict
        assert (verdict.outcome, verdict.reason) == (Outcome.ALLOWED, GateReason.VERIFIED_BUYER)
        assert verdict.next_change_time == expected
