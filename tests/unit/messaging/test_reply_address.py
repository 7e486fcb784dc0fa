"""Reply addresses: nobody makes one but us, whatever a mail server does with its case."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain import reply_address as addresses
from services.messaging.domain.reply_address import Purpose

KEY = "k" * 32
MAIL = "0190a000-0000-7000-8000-000000000001"


@given(st.binary(min_size=16, max_size=16), st.sampled_from(Purpose))
def test_what_we_made_is_known_and_fits(random: bytes, purpose: Purpose) -> None:
    address_id = addresses.id_of(random)
    local = addresses.local_part(purpose, address_id, KEY)
    assert len(local) <= 64
    assert addresses.read(local.upper(), KEY) == (purpose, address_id)
    assert addresses.read(local, "another key, long enough for it all") is None
    other = {Purpose.REPLY: "b", Purpose.BOUNCE: "r"}[purpose]
    assert addresses.read(other + local[1:], KEY) is None
    changed = "a" if local[-1] != "a" else "b"
    assert addresses.read(local[:-1] + changed, KEY) is None


@given(st.text())
def test_nothing_else_is(local: str) -> None:
    assert addresses.read(local, KEY) is None


def test_a_mail_is_found_by_where_it_comes_back_to() -> None:
    assert addresses.mail_of(addresses.bounce_id(MAIL)) == MAIL
