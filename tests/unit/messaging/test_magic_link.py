"""Magic links: who holds one, how long, and what a token is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis.kernel.ids import SequentialIds
from chassis.kernel.refusal import Refusal
from services.messaging.domain import inquiry as inquiries
from services.messaging.domain import magic_link as links
from services.messaging.domain.inquiry import Question
from services.messaging.domain.magic_link import Action, Kind, MagicLink, Subject
from services.messaging.domain.profile import MEMBERSHIP, EmailState, Profile

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
ID, SECRET = SequentialIds().new(), "s" * 43
INQUIRY = inquiries.inquire(
    Question("sellers/acme", "A logo"), conversation_id="c", buyer="users/ana", now=NOW
)
OFFER = Subject(Kind.OFFER, INQUIRY.name, "offers/o", 2)


def link(recipient: str = "users/ana", subject: Subject = OFFER) -> MagicLink:
    return links.issue(ID, recipient=recipient, subject=subject, secret=SECRET, now=NOW)


def refused_by(*arguments: object, **named: object) -> str:
    with pytest.raises(Refusal) as caught:
        arguments[0](*arguments[1:], **named)  # type: ignore[operator]
    return caught.value.reason


def test_only_the_whole_token_proves() -> None:
    token = links.token_of(ID, SECRET)
    assert links.id_in(token) == ID
    assert links.prove(link(), token) == link()
    assert SECRET not in repr(link())
    for guess in (f"{ID}.", ID, f"{ID}.{SECRET}x", f"{ID}.{SECRET[1:]}", f"{ID}.é"):
        assert refused_by(links.prove, link(), guess) == "LINK_INVALID"
    assert refused_by(links.prove, None, token) == "LINK_INVALID"
    # Not even the hash of nothing, by which an unknown one is compared.
    assert refused_by(links.prove, None, f"{ID}.") == "LINK_INVALID"
    for guess in ("", ".", "x.y", ID[:-1], f"{ID}x.{SECRET}"):
        assert refused_by(links.id_in, guess) == "LINK_INVALID"


@pytest.mark.parametrize("state", EmailState)
def test_it_holds_for_a_verified_address_only(state: EmailState) -> None:
    held = {"holder": Profile("users/ana", email_state=state), "conversation": INQUIRY}
    if state is EmailState.VERIFIED:
        links.check_live(link(), holder=held["holder"], conversation=INQUIRY, now=NOW + links.LIFE - TICK)  # type: ignore[arg-type]
        assert refused_by(links.check_live, link(), **held, now=NOW + links.LIFE) == "LINK_INVALID"
    else:
        assert refused_by(links.check_live, link(), **held, now=NOW) == "LINK_INVALID"


def test_it_holds_for_one_in_his_place_only() -> None:
    ben = Profile("users/ben", email_state=EmailState.VERIFIED)
    assert (
        refused_by(links.check_live, link("users/ben"), holder=ben, conversation=INQUIRY, now=NOW)
        == "LINK_INVALID"
    )
    # Buyers do not decline inquiries, nor do teams of others, nor who was in the team once.
    about = Subject(Kind.INQUIRY, INQUIRY.name)
    shown = {"sellers/acme": NOW + TICK - MEMBERSHIP}
    links.check_live(
        link("users/ben", about), holder=replace(ben, teams=shown), conversation=INQUIRY, now=NOW
    )
    for teams in ({}, {"sellers/rival": NOW}, {"sellers/acme": NOW - MEMBERSHIP}):
        other = replace(ben, teams=teams)
        held = {"holder": other, "conversation": INQUIRY, "now": NOW}
        assert refused_by(links.check_live, link("users/ben", about), **held) == "LINK_INVALID"


def test_it_is_used_once() -> None:
    used = links.use(link(), Action.ACCEPT, order="orders/o", now=NOW)
    assert links.use(used, Action.ACCEPT, now=NOW + links.LIFE) is used
    assert refused_by(links.use, used, Action.DECLINE, now=NOW) == "LINK_USED"
    assert len({used.key(action) for action in Action}) == 2
    assert all(len(used.key(action)) <= 64 for action in Action)


def test_it_is_for_what_its_mail_was_about() -> None:
    assert links.action_of(link(), "accept") is Action.ACCEPT
    inquiry = link(subject=Subject(Kind.INQUIRY, INQUIRY.name))
    assert links.action_of(inquiry, "decline") is Action.DECLINE
    for held, name in ((inquiry, "accept"), (link(), "ACCEPT"), (link(), ""), (link(), "counter")):
        assert refused_by(links.action_of, held, name) == "LINK_ACTION_UNKNOWN"


def test_of_an_offer_only_the_newest_revision_gets_a_link() -> None:
    newer, other = replace(OFFER, revision=3), replace(OFFER, offer="offers/p")
    inquiry = Subject(Kind.INQUIRY, INQUIRY.name)
    told = [("a", newer), ("b", OFFER), ("c", other), ("d", inquiry)]
    assert links.newest(told) == [("a", newer), ("c", other), ("d", inquiry)]
    assert links.newest([]) == []
