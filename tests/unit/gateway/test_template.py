from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode.template import (
    EncodingError,
    Template,
    TemplateError,
    decode,
    decode_multi,
    parse_template,
)


def captured(template: Template, path: str) -> dict[str, str]:
    segments = path[1:].rpartition(f":{template.verb}")[0] if template.verb else path[1:]
    return {v.field_path: template.capture(v, segments.split("/")) for v in template.variables}


@pytest.mark.parametrize(
    ("text", "segments", "variables", "verb"),
    [
        ("/v1/offers", ("v1", "offers"), [], ""),
        ("/v1/{id}", ("v1", "*"), [("id", 1, 2, False)], ""),
        ("/v1/{id=*}", ("v1", "*"), [("id", 1, 2, False)], ""),
        ("/v1/{name=offers/*}:accept", ("v1", "offers", "*"), [("name", 1, 3, True)], "accept"),
        ("/v1/{a.b=x/*/y/*}/z", ("v1", "x", "*", "y", "*", "z"), [("a.b", 1, 5, True)], ""),
        ("/v1/{path=**}", ("v1", "**"), [("path", 1, None, True)], ""),
        ("/v1/{path=files/**}:get", ("v1", "files", "**"), [("path", 1, None, True)], "get"),
        ("/v1/*/x/**", ("v1", "*", "x", "**"), [], ""),
        ("/v1/{a}/{b}", ("v1", "*", "*"), [("a", 1, 2, False), ("b", 2, 3, False)], ""),
        ("/v1/a%20b", ("v1", "a b"), [], ""),
    ],
)
def test_the_grammar(
    text: str, segments: tuple[str, ...], variables: list[tuple[str, int, int | None, bool]], verb: str
) -> None:
    template = parse_template(text)
    assert template.segments == segments
    assert [(v.field_path, v.start, v.stop, v.is_multi) for v in template.variables] == variables
    assert template.verb == verb


@pytest.mark.parametrize(
    "text",
    ["", "v1", "/", "/v1//x", "/v1/{a", "/v1/{a}b", "/v1/{}", "/v1/{a=}", "/v1/{1a}", "/v1/{a={b}}",
     "/v1/**/x", "/v1/{a=**}/x", "/v1/x:", "/v1/x:a/b",
     "/v1/{a}/{a}", "/v1/a b", "/v1/a%2", "/v1/x?y", "/v1/***"],
)  # fmt: skip
def test_what_the_grammar_forbids(text: str) -> None:
    with pytest.raises(TemplateError):
        parse_template(text)


def test_a_variable_of_one_segment_is_decoded_fully() -> None:
    assert captured(parse_template("/v1/{id}"), "/v1/a%2Fb%20c%3Ad") == {"id": "a/b c:d"}


def test_an_encoded_slash_stays_encoded_in_a_variable_of_several_segments() -> None:
    template = parse_template("/v1/{name=offers/*}")
    assert captured(template, "/v1/offers/a%2Fb%2fc%20d") == {"name": "offers/a%2Fb%2fc d"}


@pytest.mark.parametrize("raw", ["%", "%2", "%zz", "%ff", "%C3", "a%E2%82", "%%20"])
def test_broken_encoding_is_refused(raw: str) -> None:
    with pytest.raises(EncodingError):
        decode(raw)
    with pytest.raises(EncodingError):
        decode_multi(f"x%2F{raw}")


NOT_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(NOT_SURROGATES, NOT_SURROGATES)
def test_values_survive_the_path(one: str, two: str) -> None:
    template = parse_template("/v1/{one}/x/{two}:go")
    path = f"/v1/{quote(one, safe='')}/x/{quote(two, safe='')}:go"
    assert captured(template, path) == {"one": one, "two": two}


@given(st.lists(NOT_SURROGATES.filter(lambda text: "/" not in text), min_size=2, max_size=2))
def test_names_survive_the_path(ids: list[str]) -> None:
    template = parse_template("/v1/{name=sellers/*/listings/*}")
    name = f"sellers/{ids[0]}/listings/{ids[1]}"
    assert captured(template, f"/v1/{quote(name, safe='/')}") == {"name": name}
