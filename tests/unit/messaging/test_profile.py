"""Profiles: what an address and a name may be, what an update changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chassis.kernel.refusal import Refusal
from services.messaging.domain import profile as profiles
from services.messaging.domain.profile import Delivery, EmailState, NoticeKind, Profile, ProfileChange

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def changed(
    profile: Profile, *, teams: tuple[str, ...] = (), now: datetime = NOW, **values: object
) -> Profile:
    return profiles.change(profile, ProfileChange(**values), etag="", teams=teams, now=now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ana@example.org", "ana@example.org"),
        ("Ana.Lee+mail@EXAMPLE.Org", "Ana.Lee+mail@example.org"),
        ("a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de"),
        ("o'neil_{x}@a-b.co", "o'neil_{x}@a-b.co"),
        ("l" * 64 + "@example.org", "l" * 64 + "@example.org"),
    ],
)
def test_addresses_are_kept_with_a_small_domain(text: str, kept: str) -> None:
    assert profiles.email_address(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "", "ana", "@example.org", "ana@", "ana@localhost", "ana@example", "ana@@example.org",
        "ana@example.org\r\nBcc: all@example.org", "ana@example.org\n", "\nana@example.org",
        "ana@exam ple.org",
        "Ana <ana@example.org>", "ana@example.org,ben@example.org", "ana@example.org;ben@example.org",
        '"ana\r\nx"@example.org', '"a b"@example.org', ".ana@example.org", "ana.@example.org",
        "a..na@example.org", "ana@.example.org", "ana@example..org", "ana@-example.org", "ana@example.org.",
        "ana@[127.0.0.1]", "ana@127.0.0.1", "änä@example.org", "ana@münchen.de", "ana\x00@example.org",
        "l" * 65 + "@example.org", "a@" + "d" * 64 + ".org", "a@" + "abc." * 63 + "org", "ana%40example.org",
        "<script>@example.org", "ana@example.org>", "ana@example.org ORCPT=x", "ana\u2028@example.org",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        profiles.email_address(text)
    assert (refusal.value.reason, refusal.value.metadata) == ("VALIDATION_FAILED", {"field": "profile.email"})
    # A refusal ends up in logs: it must not repeat what was typed.
    assert not text or text not in refusal.value.message


@given(some.text(max_size=60))
def test_nothing_that_is_kept_can_end_a_header(text: str) -> None:
    try:
        kept = profiles.email_address(text)
    except Refusal:
        return
    assert kept.isascii()
    assert kept.isprintable()
    assert not set(kept) & set(' "<>,;:\\()[]')


@pytest.mark.parametrize("text", ["Ana", "  Ana Lee ", "Büro 21 & Söhne", "李", "Studio 1984", ""])
def test_names_are_taken(text: str) -> None:
    assert profiles.display_name(text) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "ana@example.org", "Call +49 30 123456", "0301234567", "www.example.org", "https://example.org",
        "Ana\r\nBcc: x", "Ana\u202egro", "Ana\x07", "Ana\u2028Lee",
    ],
)  # fmt: skip
def test_names_that_pass_contact_data_on_are_refused(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        profiles.display_name(text)
    assert refusal.value.metadata == {"field": "profile.display_name"}


def test_a_changed_address_has_to_be_verified() -> None:
    first = changed(Profile("users/ana"), email="ana@example.org")
    assert (first.email_state, first.version, first.create_time) == (EmailState.UNVERIFIED, 1, NOW)
    verified = Profile("users/ana", email="ana@example.org", email_state=EmailState.VERIFIED, version=3)
    assert changed(verified, email="ana@EXAMPLE.org") is verified
    assert changed(verified, phone="+4930123456").email_state is EmailState.VERIFIED
    assert changed(verified, email="ana@example.com").email_state is EmailState.UNVERIFIED
    assert changed(verified, email="").email_state is EmailState.NONE


def test_choices_are_replaced_as_a_whole_and_named_once() -> None:
    muted = changed(Profile("users/ana"), choices=((NoticeKind.OFFER, Delivery.OFF),))
    assert muted.delivery(NoticeKind.OFFER) is Delivery.OFF
    assert muted.delivery(NoticeKind.ORDER) is Delivery.EACH
    digest = changed(muted, choices=((NoticeKind.ORDER, Delivery.DIGEST),))
    assert (digest.delivery(NoticeKind.OFFER), digest.delivery(NoticeKind.ORDER)) == (
        Delivery.EACH,
        Delivery.DIGEST,
    )
    assert changed(digest, choices=((NoticeKind.ORDER, Delivery.DIGEST),)) is digest
    with pytest.raises(Refusal):
        changed(digest, choices=((NoticeKind.ORDER, Delivery.OFF), (NoticeKind.ORDER, Delivery.EACH)))


def test_a_token_is_the_truth_about_teams() -> None:
    member = changed(Profile("users/otto"), teams=("sellers/acme", "sellers/zeta"))
    assert member.member_of(NOW) == ("sellers/acme", "sellers/zeta")
    assert member.member_of(NOW + timedelta(days=90)) == ()
    later = NOW + timedelta(days=2)
    assert profiles.shown_again(member, teams=("sellers/acme",), now=NOW + timedelta(hours=1)) == {
        "sellers/acme": NOW
    }
    assert profiles.shown_again(member, teams=("sellers/acme", "sellers/zeta"), now=NOW) is None
    assert profiles.shown_again(member, teams=("sellers/acme",), now=later) == {"sellers/acme": later}


@pytest.mark.parametrize(
    ("locale", "language"),
    [("", "en"), ("de", "de"), ("de-AT", "de"), ("fr-CA", "fr"), ("pt", "en"), ("ja", "en"), ("it", "it")],
)
def test_mails_are_written_in_five_languages(locale: str, language: str) -> None:
    assert Profile("users/ana", locale=locale).language == language
