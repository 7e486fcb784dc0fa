"""Which language a text is in, where no engine can tell."""

from __future__ import annotations

import pytest

from services.messaging.domain.language import base_language, guessed


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello, I would like a logo with an owl for my shop.", "en"),
        ("Ich hätte gerne ein Logo mit einer Eule für den Laden.", "de"),
        ("Bonjour, je voudrais un logo avec une chouette pour le magasin.", "fr"),
        ("Ciao, vorrei un logo con un gufo per il negozio della mamma.", "it"),
        ("Hola, quisiera un logo con una lechuza para el negocio.", "es"),
        ("Olá, você pode fazer um logotipo com uma coruja para o negócio?", "pt"),
        ("Hallo, ik wil graag een logo met een uil voor de winkel.", "nl"),
        ("Dzień dobry, czy można zrobić logo z sową dla sklepu? Dziękuję.", "pl"),
        ("フクロウのロゴをお願いします。", "ja"),
        ("Xyzzy plugh", ""),
        ("", ""),
    ],
)
def test_frequent_words_tell_the_language(text: str, language: str) -> None:
    assert guessed(text) == language


def test_regions_do_not_matter() -> None:
    assert [base_language(tag) for tag in ("de-AT", "pt_BR", "en", "")] == ["de", "pt", "en", ""]
    assert {base_language(tag) for tag in ("english", "e\x00", "<b>", "x" * 1_000)} == {""}
