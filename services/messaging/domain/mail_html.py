"""The text of an HTML mail. It goes forward through the mail once; what cannot be read is left out."""

from __future__ import annotations

import html
import re
from typing import Final

HTML_LIMIT: Final = 1_000_000
"""Characters that are read."""
_DEPTH_MAX: Final = 5

_DROPPED: Final = frozenset({"script", "style", "head", "title", "noscript", "template", "svg", "iframe"})
"""What these hold is for machines."""
_NEW_LINE: Final = frozenset(
    {"br", "p", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre"}
)
_NAME: Final = re.compile(r"/?[a-zA-Z][a-zA-Z0-9]{0,20}")
_SPACES: Final = re.compile(r"[ \t\r\n\f\v]+")


class _Page:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0

    def say(self, text: str) -> None:
        said = _SPACES.sub(" ", text)
        if said:
            self._line.append(said)

    def end_line(self) -> None:
        line = "".join(self._line).strip(" ")
        self._line.clear()
        if line or (self.lines and self.lines[-1].strip("> ")):
            self.lines.append("> " * self._quotes + line)

    def quote(self, step: int) -> None:
        self.end_line()
        self._quotes = min(_DEPTH_MAX, max(0, self._quotes + step))


def text_of(page: str) -> str:
    """What a reader sees, line by line; quotations are marked by `>`."""
    source = page[:HTML_LIMIT]
    lowered = source.lower()
    if len(lowered) != len(source):
        # Some letters get longer: places in one would not be places in the other.
        lowered = source
    found, at = _Page(), 0
    while at < len(source):
        start = source.find("<", at)
        if start < 0:
            found.say(html.unescape(source[at:]))
            break
        found.say(html.unescape(source[at:start]))
        at = _after_mark(source, lowered, start, found)
    found.end_line()
    return "\n".join(found.lines).replace("\u00a0", " ")


def _after_mark(source: str, lowered: str, start: int, found: _Page) -> int:
    """Where the text goes on after the `<` at `start`."""
    if source.startswith("<!--", start):
        end = source.find("-->", start + 4)
        return len(source) if end < 0 else end + 3
    name_found = _NAME.match(lowered, start + 1)
    if name_found is None:
        if source.startswith(("<!", "<?"), start):
            return _after(source, start)
        found.say("<")
        return start + 1
    name = name_found[0]
    end = _after(source, start)
    if name in _DROPPED:
        close = lowered.find(f"</{name}", end)
        return len(source) if close < 0 else _after(source, close)
    if name.lstrip("/") == "blockquote":
        found.quote(-1 if name.startswith("/") else 1)
    elif name.lstrip("/") in _NEW_LINE:
        found.end_line()
    return end


def _after(source: str, start: int) -> int:
    end = source.find(">", start)
    return len(source) if end < 0 else end + 1
