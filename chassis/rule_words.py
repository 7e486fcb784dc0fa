"""What the rules of fields say to people. The library's own words quote expressions and numbers of enums."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

_SEEN_CHARACTERS: Final = "^[!-~]*$"
_WHOLLY_OPTIONAL: Final = re.compile(r"\(([^()]*)\)\?")
_GROUP: Final = re.compile(r"\(([^()]*)\)(\??)")
_NAME: Final = re.compile(r"[A-Za-z]+(/([A-Za-z]+|\*))+")


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _at_least(number: int, what: str) -> str:
    return "must not be empty" if number == 1 else f"must have at least {_many(number, what)}"


@lru_cache(maxsize=1_000)
def _of_form(pattern: str) -> str:
    if pattern == _SEEN_CHARACTERS:
        return "must consist of ASCII characters that can be seen, without spaces"
    forms = _forms_of_names(pattern)
    return f"must have the form {' or '.join(forms) or 'that the reference shows'}"


def _forms_of_names(pattern: str) -> list[str]:
    """The resource names that a pattern stands for, with `*` for what varies; none for other patterns."""
    text = pattern.removeprefix("^").removesuffix("$").replace("[^/]+", "*")
    if (whole := _WHOLLY_OPTIONAL.fullmatch(text)) is not None:
        text = whole[1]
    choices, before, after = [text], "", ""
    if (group := _GROUP.search(text)) is not None:
        choices = ["", group[1]] if group[2] else group[1].split("|")
        before, after = text[: group.start()], text[group.end() :]
    forms = [f"{before}{choice}{after}" for choice in choices]
    return forms if all(_NAME.fullmatch(form) for form in forms) else []


WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "bool.const": lambda value: f"must be {str(value).lower()}",
    "bytes.max_len": lambda limit: f"must have at most {_many(limit, 'byte')}",
    "enum.defined_only": lambda _: "must be one of the values that the reference lists",
    "enum.not_in": lambda numbers: (
        "must be chosen" if list(numbers) == [0] else "must be another of the values that the reference lists"
    ),
    "repeated.max_items": lambda limit: f"must have at most {_many(limit, 'item')}",
    "repeated.min_items": lambda limit: _at_least(limit, "item"),
    "repeated.unique": lambda _: "must not hold the same item twice",
    "required": lambda _: "must be given",
    "string.email": lambda _: "must be an email address",
    "string.email_empty": lambda _: "must be an email address",
    "string.max_len": lambda limit: f"must have at most {_many(limit, 'character')}",
    "string.min_len": lambda limit: _at_least(limit, "character"),
    "string.pattern": _of_form,
}
"""By the id of a rule, given what the rule says, what stands behind the path of the field."""


def describe(violation: Any, request: Any) -> str:
    """What is wrong with a field of a request, given its descriptor. A rule's own words are kept."""
    proto = violation.proto
    if proto.rule_id == "required" and proto.rule is None:
        return _one_of(proto.field, request)
    words = WORDS.get(proto.rule_id)
    return words(violation.rule_value) if words is not None else proto.message or proto.rule_id


def _one_of(place: Any, request: Any) -> str:
    *outer, last = place.elements
    owner = request
    for element in outer:
        owner = owner.fields_by_name[element.field_name].message_type
    names = ", ".join(field.name for field in owner.oneofs_by_name[last.field_name].fields)
    return f"exactly one of {names} must be given"
