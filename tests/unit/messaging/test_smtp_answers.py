"""What the answer of a mail server says about an address."""

from __future__ import annotations

import pytest

from services.messaging.adapters.mail_smtp import recipient_refused


@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])
def test_the_address_is_the_reason(code: str) -> None:
    refusal = recipient_refused(550, f"{code} <ana@mail.example>: who?")
    assert (refusal.code, refusal.lasting, refusal.recipient) == (f"550 {code}", True, True)


@pytest.mark.parametrize("code", ["5.1.7", "5.1.8", "5.2.2", "5.2.3", "5.3.0", "5.4.4", "5.7.1", "5.7.26"])
def test_something_else_is_the_reason(code: str) -> None:
    refusal = recipient_refused(550, f"{code} ana@mail.example\n{code} more")
    assert (refusal.code, refusal.lasting, refusal.recipient) == (f"550 {code}", True, False)


@pytest.mark.parametrize(
    "text", ["", "no such user", "5.1.1x", "5.0.0 undefined", "5.1.0 rejected", "version 5.7.1"]
)
def test_without_an_enhanced_code_the_basic_one_counts(text: str) -> None:
    for code, is_address in ((550, True), (551, True), (553, True), (552, False), (554, False), (451, False)):
        refusal = recipient_refused(code, text)
        assert (refusal.lasting, refusal.recipient) == (code >= 500, is_address)
