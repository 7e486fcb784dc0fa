"""Who is told what, and when the mail leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.messaging.domain import verification as verifications
from services.messaging.domain.message import Kind, Message
from services.messaging.domain.notification import (
    MESSAGE_RECEIVED,
    MESSAGE_SENT,
    TOLD,
    digest_due,
    mail_due,
    notices_of,
)
from services.messaging.domain.profile import NoticeKind
from services.messaging.domain.side import Side
from services.messaging.domain.timeline import FOR_THE_TEAM, Entry, EventType, Happening, message_entry
from services.messaging.domain.verification import Verification

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def happening(kind: EventType, side: Side, amount: Money | None = None) -> Entry:
    return Entry("conversations/c", "e", NOW, Happening(kind, side, "orders/o", amount=amount))


def message(side: Side, kind: Kind = Kind.PUBLIC) -> Entry:
    return message_entry(Message("conversations/c", "m", "users/ana", side, kind, "Hello", NOW))


def sides(kind: EventType, by: Side) -> set[Side]:
    return {side for notice in notices_of(happening(kind, by)) for side in notice.sides}


def test_a_message_is_told_to_the_other_side_and_proven_to_its_author() -> None:
    received, copy = notices_of(message(Side.BUYER))
    assert (received.topic, received.sides, received.author) == (
        MESSAGE_RECEIVED,
        (Side.SELLER,),
        "users/ana",
    )
    assert (copy.topic, copy.kind, copy.sides, copy.person) == (
        MESSAGE_SENT,
        NoticeKind.SENT_COPY,
        (),
        "users/ana",
    )
    assert notices_of(message(Side.SELLER, Kind.INTERNAL_NOTE)) == ()


@pytest.mark.parametrize("kind", EventType)
@pytest.mark.parametrize("by", Side)
def test_nobody_is_told_what_he_did_himself_or_may_not_see(kind: EventType, by: Side) -> None:
    told = sides(kind, by)
    if kind in FOR_THE_TEAM:
        assert Side.BUYER not in told
    assert told <= {Side.BUYER, Side.SELLER}
    if kind not in TOLD:
        assert not told


@pytest.mark.parametrize(
    ("kind", "by", "told"),
    [
        (EventType.OFFER_SENT, Side.SELLER, {Side.BUYER}),
        (EventType.OFFER_COUNTERED, Side.BUYER, {Side.SELLER}),
        (EventType.OFFER_COUNTERED, Side.SELLER, {Side.BUYER}),
        (EventType.OFFER_ACCEPTED, Side.BUYER, {Side.SELLER}),
        # The seller's settings accepted the buyer's counter-offer.
        (EventType.OFFER_ACCEPTED, Side.SELLER, {Side.BUYER}),
        (EventType.OFFER_DECLINED, Side.BUYER, {Side.SELLER}),
        (EventType.OFFER_EXPIRED, Side.SYSTEM, {Side.BUYER, Side.SELLER}),
        (EventType.ORDER_CANCELLED, Side.SYSTEM, {Side.BUYER, Side.SELLER}),
        (EventType.OFFER_OPENED, Side.BUYER, set()),
        (EventType.REQUEST_CONVERTED, Side.SYSTEM, set()),
    ],
)
def test_the_table(kind: EventType, by: Side, told: set[Side]) -> None:
    assert sides(kind, by) == told


def test_amounts_of_nothing_are_not_told() -> None:
    (notice,) = notices_of(happening(EventType.OFFER_SENT, Side.SELLER, Money("EUR", 100)))
    assert notice.amount == Money("EUR", 100)
    (notice,) = notices_of(happening(EventType.ORDER_PLACED, Side.BUYER, Money("EUR", 0)))
    assert (notice.amount, notice.direct_only) == (None, True)


def test_messages_wait_and_what_happens_does_not() -> None:
    received, _ = notices_of(message(Side.BUYER))
    (offer,) = notices_of(happening(EventType.OFFER_SENT, Side.SELLER))
    assert mail_due(received, last_mail=None, now=NOW) == NOW
    assert mail_due(received, last_mail=NOW - 4 * MINUTE, now=NOW) == NOW + 6 * MINUTE
    assert mail_due(received, last_mail=NOW - 11 * MINUTE, now=NOW) == NOW
    assert mail_due(offer, last_mail=NOW - 4 * MINUTE, now=NOW) == NOW


@pytest.mark.parametrize(
    ("since", "zone", "due"),
    [
        ("2026-06-01T05:59:59+00:00", "Europe/Berlin", "2026-06-01T06:00:00+00:00"),
        ("2026-06-01T06:00:00+00:00", "Europe/Berlin", "2026-06-02T06:00:00+00:00"),
        ("2026-03-28T12:00:00+00:00", "Europe/Berlin", "2026-03-29T06:00:00+00:00"),
        ("2026-10-24T12:00:00+00:00", "Europe/Berlin", "2026-10-25T07:00:00+00:00"),
        ("2026-06-01T12:00:00+00:00", "Pacific/Kiritimati", "2026-06-01T18:00:00+00:00"),
    ],
)
def test_digests_leave_in_the_morning_of_their_reader(since: str, zone: str, due: str) -> None:
    assert digest_due(datetime.fromisoformat(since), zone) == datetime.fromisoformat(due)


@given(
    some.integers(0, 730 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds)),
    some.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_a_digest_is_never_early_and_at_most_a_day_late(since: datetime, zone: str) -> None:
    due = digest_due(since, zone)
    assert since < due <= since + timedelta(hours=25)


def test_a_token_works_once_for_a_day_and_only_the_newest_one() -> None:
    first = verifications.ask(Verification("users/ana"), token="one", now=NOW)
    assert first.token_hash not in ("", "one")
    used = verifications.redeem(first, token="one", now=NOW + timedelta(hours=23))
    second = verifications.ask(first, token="two", now=NOW + MINUTE)
    for held, token, at in (
        (used, "one", NOW),
        (first, "two", NOW),
        (first, "", NOW),
        (first, "one", NOW + timedelta(hours=24)),
        (second, "one", NOW + MINUTE),
        (verifications.forget(first), "one", NOW),
        (Verification("users/ana"), "", NOW),
    ):
        with pytest.raises(Refusal) as refusal:
            verifications.redeem(held, token=token, now=at)
        assert refusal.value.reason == "VERIFICATION_INVALID"


def test_nobody_can_have_mails_sent_without_end() -> None:
    held = Verification("users/ana")
    for number in range(verifications.DAILY_LIMIT):
        held = verifications.ask(held, token="t", now=NOW + number * MINUTE)
    with pytest.raises(Refusal) as refusal:
        verifications.ask(held, token="t", now=NOW + timedelta(hours=23))
    assert refusal.value.reason == "VERIFICATION_LIMIT_REACHED"
    assert refusal.value.retry_after_seconds == 3600
    assert verifications.ask(held, token="t", now=NOW + timedelta(hours=24)).token_hash
