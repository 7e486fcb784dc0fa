"""Which counter-offers the settings of a seller answer, and how."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.offers.adapters.documents import (
    automatic_answer_document,
    read_automatic_answer,
    read_review,
    read_settings,
    review_document,
    settings_document,
)
from services.offers.domain import offer as offers
from services.offers.domain.chain import Answer, Author, AutomaticAnswer, Revision, State
from services.offers.domain.offer import Consent
from services.offers.domain.offer_settings import (
    CounterRule,
    OfferSettings,
    SettingsContent,
    automatic_answer,
    save,
)
from services.offers.domain.review import Review, Verdict
from services.offers.domain.terms import Interval, LineItem, PaymentMethod, Plan, Terms, total_of
from tests.unit.offers.negotiation import HOUR, NOW, SELLER, countered, terms

PACKAGE = f"{SELLER}/listings/logo/packages/basic"
PERCENT = st.integers(0, 100)


def settings(*rules: CounterRule) -> OfferSettings:
    return save(OfferSettings(SELLER), SettingsContent("Europe/Berlin", rules), now=NOW)


def revision(proposal: Terms, number: int = 1) -> Revision:
    author = Author.SELLER if number % 2 else Author.BUYER
    return Revision(number, author, proposal, total_of(proposal), "", NOW)


def answer_to(
    rule: CounterRule, amount: int, *, base: Terms | None = None, **changes: Any
) -> AutomaticAnswer | None:
    proposal = revision(base or terms(10_000))
    counter = revision(terms(amount, **changes), 2)
    return automatic_answer(settings(rule), proposal=proposal, counter=counter, now=NOW)


@pytest.mark.parametrize(
    ("amount", "answer"),
    [
        (10_000, Answer.ACCEPTED),
        (9_000, Answer.ACCEPTED),
        (8_999, None),
        (7_000, None),
        (6_999, Answer.DECLINED),
        (1, Answer.DECLINED),
        (20_000, Answer.ACCEPTED),
    ],
)
def test_thresholds_are_exact(amount: int, answer: Answer | None) -> None:
    found = answer_to(CounterRule("", 90, 70), amount)
    assert (found.answer if found else None) is answer
    if found is not None:
        assert (found.revision, found.answer_time, found.settings_version) == (2, NOW, 1)
        assert found.percent == (90 if answer is Answer.ACCEPTED else 70)


@given(accept=PERCENT, decline=PERCENT, whole=st.integers(1, 10**9), part=st.integers(1, 10**9))
def test_the_answer_is_a_function_of_the_two_totals(accept: int, decline: int, whole: int, part: int) -> None:
    assume(not accept or decline <= accept)
    rule = CounterRule("", accept, decline)
    first = answer_to(rule, part, base=terms(whole))
    assert first == answer_to(rule, part, base=terms(whole))
    if accept and part * 100 >= whole * accept:
        assert first is not None
        assert first.answer is Answer.ACCEPTED
    elif decline and part * 100 < whole * decline:
        assert first is not None
        assert first.answer is Answer.DECLINED
    else:
        assert first is None


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "One more draft"},
        {"delivery_days": 6},
        {"start_time": NOW + HOUR},
        {"payment_method": PaymentMethod.ONLINE},
        {"package": PACKAGE},
        {"plan": Plan(Money("EUR", 5), Interval.MONTH, 1)},
        {"line_items": (LineItem("Logo", 2, Money("EUR", 5_000)),)},
        {"line_items": (LineItem("Card", 1, Money("EUR", 10_000)),)},
        {"line_items": (LineItem("Logo", 1, Money("EUR", 9_999)), LineItem("Card", 1, Money("EUR", 1)))},
    ],
)
def test_who_asks_for_anything_else_is_answered_by_the_seller(changes: dict[str, Any]) -> None:
    assert answer_to(CounterRule("", 50, 0), 10_000, **changes) is None
    assert answer_to(CounterRule("", 0, 100), 1, **changes) is None


def test_an_expiry_of_its_own_does_not_matter() -> None:
    found = answer_to(CounterRule("", 90, 0), 9_500, expire_time=NOW + timedelta(days=1))
    assert found is not None
    assert found.answer is Answer.ACCEPTED


def test_the_rule_of_the_package_goes_before_the_rule_for_all() -> None:
    rules = settings(CounterRule("", 50, 0), CounterRule(PACKAGE, 0, 0))
    for package, answered in ((PACKAGE, False), ("", True), (f"{SELLER}/listings/logo/packages/x", True)):
        proposal, counter = revision(terms(package=package)), revision(terms(9_000, package=package), 2)
        found = automatic_answer(rules, proposal=proposal, counter=counter, now=NOW)
        assert (found is not None) is answered


@pytest.mark.parametrize(
    ("content", "reason", "field"),
    [
        (SettingsContent("Mars/Olympus"), "UNKNOWN_TIME_ZONE", "offer_settings.time_zone"),
        (
            SettingsContent(counter_rules=(CounterRule("", 1, 0), CounterRule("", 2, 0))),
            "COUNTER_RULE_INVALID",
            "offer_settings.counter_rules[1]",
        ),
        (
            SettingsContent(counter_rules=(CounterRule("", 70, 71),)),
            "COUNTER_RULE_INVALID",
            "offer_settings.counter_rules[0].auto_decline_percent",
        ),
        (
            SettingsContent(counter_rules=(CounterRule("sellers/acmes/listings/a/packages/b", 1, 0),)),
            "COUNTER_RULE_INVALID",
            "offer_settings.counter_rules[0].package",
        ),
        (
            SettingsContent(approval_limits=(Money("EUR", 1), Money("EUR", 2))),
            "APPROVAL_LIMIT_INVALID",
            "offer_settings.approval_limits[1]",
        ),
        (
            SettingsContent(approval_limits=(Money("EUR", -1),)),
            "AMOUNT_INVALID",
            "offer_settings.approval_limits[0]",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(content: SettingsContent, reason: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        save(OfferSettings(SELLER), content, now=NOW)
    assert (refused.value.reason, refused.value.metadata["field"]) == (reason, field)


def test_saving_the_same_changes_nothing() -> None:
    saved = settings(CounterRule("", 90, 70))
    assert (saved.version, saved.zone, OfferSettings(SELLER).zone) == (1, "Europe/Berlin", "UTC")
    assert save(saved, saved.content, now=NOW + HOUR) is saved
    again = save(saved, SettingsContent(), now=NOW + HOUR)
    assert (again.version, again.create_time, again.update_time) == (2, NOW, NOW + HOUR)


def test_without_a_means_of_payment_the_seller_answers() -> None:
    offer = countered(terms(8_000, payment_method=PaymentMethod.ONLINE))
    answer = AutomaticAnswer(Answer.ACCEPTED, 2, NOW, 1, 80)
    assert offers.answer_automatically(offer, answer, consent=Consent(), now=NOW) == (offer, None)
    accepted, event = offers.answer_automatically(offer, answer, consent=Consent("tok_1"), now=NOW)
    assert event is not None
    assert accepted.state is State.ACCEPTED
    assert accepted.acceptance is not None
    assert (accepted.acceptance.revision, accepted.acceptance.payment_token) == (2, "tok_1")
    declined, _ = offers.answer_automatically(
        offer, replace(answer, answer=Answer.DECLINED), consent=Consent(), now=NOW
    )
    assert (declined.state, declined.decline_reason) == (State.DECLINED, "The price is too low.")


@given(
    review=st.none()
    | st.builds(
        Review,
        st.integers(1, 100),
        st.just("users/a"),
        st.just(NOW),
        verdict=st.none() | st.sampled_from(Verdict),
        review_time=st.none() | st.just(NOW),
        review_text=st.text(max_size=5),
    )
)
def test_reviews_survive_storage(review: Review | None) -> None:
    assert read_review(review_document(review)) == review


@given(rules=st.lists(st.builds(CounterRule, st.text(max_size=5), PERCENT, PERCENT)).map(tuple))
def test_settings_and_answers_survive_storage(rules: tuple[CounterRule, ...]) -> None:
    content = SettingsContent("Europe/Berlin", rules, (Money("EUR", 5), Money("JPY", 0)))
    assert read_settings(settings_document(content)) == content
    for answer in (None, AutomaticAnswer(Answer.ACCEPTED, 2, NOW, 3, 90)):
        assert read_automatic_answer(automatic_answer_document(answer)) == answer
