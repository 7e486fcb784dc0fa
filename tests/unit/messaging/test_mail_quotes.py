"""What is new in an answer: found in every language, never longer than what came, and never slow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.mail_html import text_of
from services.messaging.domain.mail_quotes import READ_LIMIT, written

LONG = READ_LIMIT * 2


@pytest.mark.parametrize(
    "head",
    [
        "On Mon, 1 Jun 2026 at 14:00, Parley <r.a@reply.parley.example> wrote:",
        "On 1 June 2026 Parley\n<r.a@reply.parley.example>\nwrote:",
        "Am 01.06.2026 um 14:00 schrieb Parley <r.a@reply.parley.example>:",
        "Am Mo., 1. Juni 2026 hat Parley geschrieben:",
        "Le lun. 1 juin 2026 à 14:00, Parley a écrit :",
        "Le 1 juin 2026, Parley a écrit\u00a0:",
        "Il giorno lun 1 giu 2026 alle ore 14:00 Parley ha scritto:",
        "El lun, 1 jun 2026 a las 14:00, Parley escribió:",
        "-----Original Message-----",
        "----- Ursprüngliche Nachricht -----",
        "---------- Forwarded message ---------",
        "-----Message d'origine-----",
        "-----Messaggio originale-----",
        "-----Mensaje original-----",
        "From: Parley\nSent: Monday\nTo: Otto",
        "*Von:* Parley\n*Gesendet:* Montag",
        "De : Parley\nEnvoyé : lundi",
        "Da: Parley\nInviato: lunedì",
        "De: Parley\nEnviado: lunes",
        "________________________________\nFrom: Parley\nDate: Monday",
    ],
)
def test_a_quotation_ends_an_answer(head: str) -> None:
    assert written(f"Yes.\n\nTwo owls.\n\n{head}\n\nOLD\nOLD") == "Yes.\n\nTwo owls."
    assert written(f"Yes.\n{head}\n> OLD\n".replace("\n", "\r\n")) == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "On Monday he wrote: two owls.\nThat is all.",
        "On 1 June he wrote that:\nI do not know.",
        "From: me\nTo: you",
        "Am 1. Mai geht es.\nBis dann",
        "a > b\nc --\n--- d",
        "__________\nThat was a line.",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert written(text) == text


def test_answers_stand_below_and_between_quotations() -> None:
    text = "On 1 June Parley wrote:\n\n> One?\nTwo.\n > Three?\n>> Four?\nFive.\n\n\n\n\nSix.\n-- \nOtto"
    assert written(text) == "Two.\nFive.\n\n\nSix."
    # A signature alone is what he wrote.
    assert written("--\nOtto") == "--\nOtto"


words = st.sampled_from(
    ["On 1 wrote:", ">", "-- ", "\n", "\r", "From:", "Sent:", "a", " ", "___________", "---"]
)


@given(st.text() | st.lists(words, max_size=60).map("".join))
def test_it_is_total_and_never_longer(text: str) -> None:
    new = written(text)
    assert len(new) <= len(text)
    assert all(line.strip("\u200b\ufeff ") in text for line in new.split("\n"))
    assert isinstance(text_of(text), str)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece",
    [
        "On ", "On 1\n", ">", "> \n", "\n", " ", "-", "_", "_\n", "From:\n", "wrote:", "On 1 wrote", "\u200b",
        "On 1 wrote:\n", "a" * 997 + "\n", "<", "<!--", "<script>", "<blockquote>", "<p", "&", "&#", "\t",
        "</blockquote>", "<a '", "İ<p>",
    ],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    hostile = piece * (LONG // len(piece))
    assert len(written(hostile)) <= READ_LIMIT
    text_of(hostile)


def test_html_shows_what_its_reader_sees() -> None:
    page = (
        "<!doctype html><head><title>OLD</title><style>p{}</style></head><body><!-- OLD -->"
        "<p>Two&nbsp;owls &amp; &lt;one&gt;</p><SCRIPT>OLD</SCRIPT><div>3 < 4<br/>five</div>"
        "<blockquote><p>OLD</p></blockquote>"
    )
    assert written(text_of(page)) == "Two owls & <one>\n\n3 < 4\nfive"
