"""Text of the contract as HTML: escaped, with code, emphasis, lists and links to reasons."""

from __future__ import annotations

import html
import re
from collections.abc import Collection

_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")
_REASON = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_ERRORS = re.compile(r"\s*Errors: [^.]*\.")


def escape(text: str) -> str:
    """Text for content and for quoted attributes."""
    return html.escape(text, quote=True)


class Markup:
    """Renders text; names of known reasons become links to their explanation."""

    def __init__(self, reasons: Collection[str]) -> None:
        self._reasons = frozenset(reasons)

    def inline(self, text: str) -> str:
        """One run of text."""
        parts = _CODE.split(text)
        return "".join(
            f"<code>{escape(part)}</code>" if number % 2 else self._plain(part)
            for number, part in enumerate(parts)
        )

    def block(self, text: str) -> str:
        """Paragraphs and lists."""
        return "".join(self._paragraph(paragraph) for paragraph in text.split("\n\n") if paragraph.strip())

    def method(self, text: str) -> str:
        """The words about a method, without the list of its errors, which a table shows."""
        return self.block(_ERRORS.sub("", text))

    def _paragraph(self, text: str) -> str:
        lines = text.strip().split("\n")
        if all(line.startswith(("- ", "* ")) for line in lines):
            return "<ul>" + "".join(f"<li>{self.inline(line[2:])}</li>" for line in lines) + "</ul>"
        return f"<p>{self.inline(' '.join(lines))}</p>"

    def _plain(self, text: str) -> str:
        shown = _STRONG.sub(r"<strong>\1</strong>", escape(text))
        return _REASON.sub(lambda word: self._link(word[0]), shown)

    def _link(self, word: str) -> str:
        return f'<a href="#error-{word}">{word}</a>' if word in self._reasons else word
