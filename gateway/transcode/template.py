"""The path templates of `google.api.http`: `/v1/{name=offers/*}:accept`.

Grammar (from `google/api/http.proto`)::

    Template  = "/" Segments [ ":" LITERAL ]
    Segments  = Segment { "/" Segment }
    Segment   = "*" | "**" | LITERAL | Variable
    Variable  = "{" FieldPath [ "=" Segments ] "}"

`**` matches zero or more segments and may only come last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

ANY_SEGMENT = "*"
ANY_SEGMENTS = "**"

_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_LITERAL = re.compile(r"[^*{}/:=?#\s]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_SLASH = re.compile(r"(%2[Ff])")


class TemplateError(ValueError):
    """The template does not follow the grammar."""


class EncodingError(ValueError):
    """Text of a URL is not valid percent-encoded UTF-8; says of that text what it holds."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A captured part of the path: segments `start` up to `stop` (`None`: the end) go into `field_path`."""

    field_path: str
    start: int
    stop: int | None
    is_multi: bool
    """More than one segment: an encoded slash inside it stays encoded, or it would become a separator."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template; `segments` holds literals (decoded), `*` and, only last, `**`."""

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str

    def capture(self, variable: Variable, raw_segments: list[str]) -> str:
        """The decoded value of a variable in a path that matches; raises EncodingError."""
        raw = "/".join(raw_segments[variable.start : variable.stop])
        if self.verb and variable.stop in (None, len(self.segments)):
            raw = raw.removesuffix(f":{self.verb}")
        return decode_multi(raw) if variable.is_multi else decode(raw)


def parse_template(text: str) -> Template:
    """Parses a template; raises TemplateError."""
    if not text.startswith("/"):
        raise TemplateError(f"{text!r} does not start with a slash")
    body, verb = _split_verb(text)
    segments: list[str] = []
    variables: list[Variable] = []
    for part in _split_outside_braces(body[1:]):
        if part.startswith("{"):
            variables.append(_variable(text, part, segments))
        else:
            segments.append(_segment(text, part))
    if ANY_SEGMENTS in segments[:-1]:
        raise TemplateError(f"{text!r}: ** may only come last")
    paths = [variable.field_path for variable in variables]
    if len(set(paths)) < len(paths):
        raise TemplateError(f"{text!r} binds a field twice")
    return Template(text, tuple(segments), tuple(variables), verb)


def decode(raw: str) -> str:
    """Reverses percent-encoding; raises EncodingError on a broken escape or on bytes that are not UTF-8."""
    if "%" not in raw:
        return raw
    if _BAD_ESCAPE.search(raw):
        raise EncodingError("holds a percent sign that is not followed by two hexadecimal digits")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise EncodingError("holds percent-encoded bytes that are not UTF-8") from None


def decode_multi(raw: str) -> str:
    """Like `decode`, but `%2F` and `%2f` are left as they are."""
    if "%" not in raw:
        return raw
    return "".join(
        part if index % 2 else decode(part) for index, part in enumerate(_ENCODED_SLASH.split(raw))
    )


def _split_verb(text: str) -> tuple[str, str]:
    colon, brace = text.rfind(":"), text.rfind("}")
    if colon < 0 or colon < max(brace, text.rfind("/")):
        return text, ""
    verb = text[colon + 1 :]
    if not _LITERAL.fullmatch(verb):
        raise TemplateError(f"{text!r} has an invalid verb")
    return text[:colon], verb


def _split_outside_braces(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        elif char == "/" and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _segment(text: str, part: str) -> str:
    if part in (ANY_SEGMENT, ANY_SEGMENTS):
        return part
    if not _LITERAL.fullmatch(part):
        raise TemplateError(f"{text!r} has an invalid segment {part!r}")
    try:
        return decode(part)
    except EncodingError as error:
        raise TemplateError(f"{text!r}: {error}") from None


def _variable(text: str, part: str, segments: list[str]) -> Variable:
    """Appends the segments that the variable stands for and returns where they are."""
    if not part.endswith("}"):
        raise TemplateError(f"{text!r} has text after a variable or an open brace")
    field_path, equals, pattern = part[1:-1].partition("=")
    if not _FIELD_PATH.fullmatch(field_path):
        raise TemplateError(f"{text!r} has an invalid field path {field_path!r}")
    inner = [_segment(text, piece) for piece in (pattern if equals else ANY_SEGMENT).split("/")]
    start = len(segments)
    segments.extend(inner)
    ends_open = inner[-1] == ANY_SEGMENTS
    return Variable(field_path, start, None if ends_open else len(segments), is_multi=inner != [ANY_SEGMENT])
