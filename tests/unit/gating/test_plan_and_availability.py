"""What the operator and sellers declare."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chassis.kernel.refusal import Kind, Refusal
from services.gating.domain.availability import Availability, Declared, declare
from services.gating.domain.plan import SellerPlan, Tier, set_plan
from tests.unit.gating.examples import LISTING, NOON, SELLER

HOUR = timedelta(hours=1)


def test_a_plan_entitles_until_it_lapses() -> None:
    plan, event = set_plan(SellerPlan(SELLER), tier=Tier.PREMIUM, expire_time=NOON + HOUR, etag="", now=NOON)
    assert event is not None
    assert (plan.version, plan.etag, event.plan) == (1, "v1", plan)
    assert plan.entitled(NOON + HOUR - timedelta(microseconds=1))
    assert not plan.entitled(NOON + HOUR)
    assert not SellerPlan(SELLER).entitled(NOON)


def test_setting_the_same_plan_again_changes_nothing() -> None:
    plan = SellerPlan(SELLER, Tier.PREMIUM, None, 2)
    assert set_plan(plan, tier=Tier.PREMIUM, expire_time=None, etag="v2", now=NOON) == (plan, None)


@pytest.mark.parametrize("expire_time", [NOON, NOON - HOUR])
def test_a_plan_does_not_lapse_in_the_past(expire_time: datetime) -> None:
    with pytest.raises(Refusal) as caught:
        set_plan(SellerPlan(SELLER), tier=Tier.PREMIUM, expire_time=expire_time, etag="", now=NOON)
    assert (caught.value.kind, caught.value.reason) == (Kind.INVALID, "TIME_OUT_OF_RANGE")
    assert caught.value.metadata == {"field": "expire_time"}


def test_a_plan_without_the_gate_has_nothing_to_lapse() -> None:
    with pytest.raises(Refusal) as caught:
        set_plan(SellerPlan(SELLER), tier=Tier.BASIC, expire_time=NOON + HOUR, etag="", now=NOON)
    assert (caught.value.kind, caught.value.metadata) == (Kind.INVALID, {"field": "expire_time"})


def test_a_stale_plan_or_availability_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        set_plan(SellerPlan(SELLER), tier=Tier.PREMIUM, expire_time=None, etag="v1", now=NOON)
    assert caught.value.metadata["resource"] == SELLER
    with pytest.raises(Refusal) as caught:
        declare(Availability(LISTING), Declared(False), etag="v1", now=NOON)
    assert caught.value.metadata["resource"] == LISTING


@pytest.mark.covers("G29")
def test_unavailability_ends_by_itself() -> None:
    found, event = declare(Availability(SELLER), Declared(False, NOON + HOUR, True), etag="v0", now=NOON)
    assert event is not None
    assert (found.version, found.messages_closed) == (1, True)
    assert not found.holds(NOON)
    assert not found.holds(NOON + HOUR - timedelta(microseconds=1))
    assert found.holds(NOON + HOUR)


def test_declaring_the_same_again_changes_nothing() -> None:
    found = Availability(SELLER, False, None, False, 4)
    assert declare(found, Declared(False), etag="", now=NOON) == (found, None)
    assert declare(Availability(SELLER), Declared(True), etag="", now=NOON)[1] is None


@pytest.mark.parametrize(
    ("declared", "reason", "field"),
    [
        (Declared(False, NOON), "TIME_OUT_OF_RANGE", "end_time"),
        (Declared(True, NOON + HOUR), "VALIDATION_FAILED", "end_time"),
        (Declared(True, None, True), "VALIDATION_FAILED", "messages_closed"),
    ],
)
def test_contradictions_are_refused(declared: Declared, reason: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        declare(Availability(SELLER), declared, etag="", now=NOON)
    assert (caught.value.reason, caught.value.metadata["field"]) == (reason, field)
