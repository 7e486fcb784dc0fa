"""Languages: their codes, and which one a text is in where no engine can tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

GUESSED_CHARACTERS: Final = 2_000
"""How much of a text is looked at."""
_CODE: Final = re.compile(r"[a-z]{2,3}")
_WORD: Final = re.compile(r"[^\W\d_]+")
_KANA: Final = re.compile(r"[\u3040-\u30ff]")

# Short words that make up a third of any text and are rare in the others.
_FREQUENT: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and of to is you that it for are with this have from be not we can would your what do how "
        "hello thanks please",
        "de": "der die das und ist nicht ein eine ich sie wir mit für auf den dem zu von haben können wie "
        "bitte danke auch hallo",
        "fr": "le les et est une des vous que pour dans pas nous avec sur je ce qui du au avez bonjour merci "
        "votre être",
        "it": "il di che è per non una sono con gli della questo ma anche vorrei grazie ciao come nel alla "
        "del lo abbiamo possibile",
        "es": "el los y es una que para por con no las del se usted quisiera gracias hola pero más como está "
        "puede cuánto lo",
        "pt": "o os e é uma que para por com não as do da em você obrigado olá mas mais como está pode um ao",
        "nl": "de het een en is van ik niet dat wij met voor op zijn hebben kunnen hoe dank ook u aan bij "
        "hallo graag",
        "pl": "i w na nie się jest że do z to jak czy dziękuję proszę dla mam są można ale za od przez dzień "
        "chciałbym",
    }.items()
}


def base_language(tag: str) -> str:
    """`de` of `de-AT` and of `de_AT`; empty for what is no language at all."""
    base = re.split("[-_]", tag, maxsplit=1)[0].lower()
    return base if _CODE.fullmatch(base) is not None else ""


def guessed(text: str) -> str:
    """The language that the most frequent words speak for; empty where they do not agree on one."""
    looked_at = text[:GUESSED_CHARACTERS]
    if _KANA.search(looked_at):
        return "ja"
    words = _WORD.findall(looked_at.lower())
    counts = sorted(
        ((sum(word in frequent for word in words), language) for language, frequent in _FREQUENT.items()),
        reverse=True,
    )
    (most, language), (next_most, _) = counts[:2]
    return language if most >= 2 and most > next_most else ""
