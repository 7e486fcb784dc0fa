"""When a seller is reminded, and what follows an offer in vain."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from services.gating.domain import order_request as requests
from services.gating.domain.events import RequestVerb
from services.gating.domain.order_request import OrderRequest, State
from services.gating.domain.request_offers import OfferState, follow_offers
from services.gating.domain.request_rules import ReofferPolicy, RequestRules
from services.gating.domain.settings import OrderSettings, SettingsChange, save
from tests.unit.gating.examples import NOON, SELLER, offer_fact, submitted

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
POINTS = st.lists(st.integers(1, 99), max_size=2, unique=True).map(lambda found: tuple(sorted(found)))


def moved(found: requests.Moved | None) -> OrderRequest:
    assert found is not None
    return found[0]


def test_the_defaults_are_half_and_nine_tenths_of_a_week() -> None:
    rules = OrderSettings(SELLER).request_rules
    assert rules == RequestRules()
    times = [rules.reminder_time(number, NOON + rules.ttl) for number in range(3)]
    assert times == [NOON + timedelta(hours=84), NOON + timedelta(hours=151.2), None]


@pytest.mark.covers("X05")
def test_each_reminder_comes_once_and_not_before_its_time() -> None:
    request = submitted(ttl=10 * HOUR)
    assert request.next_reminder_time == NOON + 5 * HOUR
    assert requests.remind(request, now=NOON + 5 * HOUR - TICK) is None
    found = requests.remind(request, now=NOON + 5 * HOUR)
    assert found is not None
    first, event = found
    assert (first.state, first.reminders, first.version) == (State.PENDING, 1, 2)
    assert (event.verb, first.expire_time) == (RequestVerb.REMINDED, request.expire_time)
    assert requests.remind(first, now=NOON + 9 * HOUR - TICK) is None
    second = moved(requests.remind(first, now=NOON + 10 * HOUR - TICK))
    assert (second.reminders, second.next_reminder_time) == (2, None)
    assert requests.remind(second, now=NOON + 10 * HOUR - TICK) is None


def test_nobody_is_reminded_of_what_is_over() -> None:
    request = submitted(ttl=10 * HOUR)
    assert requests.remind(request, now=NOON + 10 * HOUR) is None
    withdrawn, _ = requests.withdraw(request, actor=Actor.BUYER, now=NOON)
    assert withdrawn.next_reminder_time is None
    assert requests.remind(withdrawn, now=NOON + 6 * HOUR) is None


# Whoever answers later answers nothing: the request is over.
LONGEST_REST_SECONDS = requests.TIME_TO_ANSWER // timedelta(seconds=1) - 1


@pytest.mark.covers("X05", "X21")
@given(
    points=POINTS,
    rests=st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, LONGEST_REST_SECONDS)), max_size=5),
    minutes=st.integers(60, 129_600),
)
def test_only_time_in_which_the_seller_is_waited_for_counts(
    points: tuple[int, ...], rests: list[tuple[int, int]], minutes: int
) -> None:
    ttl = timedelta(minutes=minutes)
    request, now, waited = submitted(ttl=ttl, reminder_points=points), NOON, timedelta()
    for waiting, rest in rests:
        step = timedelta(seconds=waiting)
        if waited + step >= ttl:
            break
        now, waited = now + step, waited + step
        request = moved(requests.ask_information(request, "?", actor=Actor.SELLER, now=now))
        assert (request.next_reminder_time, requests.remind(request, now=now + 99 * DAY)) == (None, None)
        now += timedelta(seconds=rest)
        request = moved(requests.answer_information(request, "!", actor=Actor.BUYER, now=now))
    for number, point in enumerate(points):
        due = request.next_reminder_time
        assert due is not None
        assert due - now + waited == ttl - ttl * (100 - point) / 100
        assert due < NOON + ttl + (now - NOON - waited)
        # Whether it comes in time or, after a rest or an outage, late: it is the same one, once.
        request = moved(requests.remind(request, now=max(due, now)))
        assert request.reminders == number + 1
    assert request.next_reminder_time is None


@pytest.mark.parametrize("ended", [OfferState.DECLINED, OfferState.WITHDRAWN, OfferState.EXPIRED])
def test_a_second_chance_begins_with_a_deadline_and_reminders_of_its_own(ended: OfferState) -> None:
    reminded = moved(requests.remind(submitted(), now=NOON + 4 * DAY))
    offered = moved(follow_offers(reminded, [offer_fact()], answered=NOON, now=NOON + 5 * DAY))
    again = moved(follow_offers(offered, [offer_fact(ended)], answered=NOON, now=NOON + 30 * DAY))
    assert (again.state, again.expire_time, again.reminders) == (State.PENDING, NOON + 37 * DAY, 0)
    assert again.next_reminder_time == NOON + 33.5 * DAY


@pytest.mark.parametrize("ended", [OfferState.DECLINED, OfferState.WITHDRAWN, OfferState.EXPIRED])
def test_a_seller_who_offers_once_closes_it(ended: OfferState) -> None:
    request = submitted(reoffer_policy=ReofferPolicy.CLOSE)
    offered = moved(follow_offers(request, [offer_fact()], answered=NOON, now=NOON))
    found = follow_offers(offered, [offer_fact(ended, version=3)], answered=NOON, now=NOON + DAY)
    assert found is not None
    closed, event = found
    assert (closed.state, closed.expire_time, event.verb) == (State.CLOSED, None, RequestVerb.CLOSED)
    # Neither a revived offer nor another end opens it again, but an order that exists counts.
    assert follow_offers(closed, [offer_fact(version=4)], answered=NOON, now=NOON) is None
    assert follow_offers(closed, [offer_fact(ended, version=5)], answered=NOON, now=NOON) is None
    accepted = follow_offers(closed, [offer_fact(OfferState.ACCEPTED, version=5)], answered=NOON, now=NOON)
    assert moved(accepted).state is State.CONVERTED


def test_settings_keep_the_points_rising() -> None:
    change = SettingsChange(reminder_points=(80, 20), reoffer_policy=ReofferPolicy.CLOSE)
    saved = save(OrderSettings(SELLER), change, etag="", now=NOON).settings
    assert (saved.reminder_points, saved.reoffer_policy) == ((20, 80), ReofferPolicy.CLOSE)
    assert save(saved, SettingsChange(reminder_points=(20, 80)), etag="", now=NOON).event is None
    assert save(saved, SettingsChange(reminder_points=()), etag="", now=NOON).settings.reminder_points == ()
