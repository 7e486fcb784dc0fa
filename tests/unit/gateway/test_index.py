from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode import RouteConflict, RouteIndex, parse_template


def index(*routes: str) -> RouteIndex[str]:
    """Routes are written `GET /path`; the endpoint is the route itself."""
    parts = [route.split(" ") for route in routes]
    return RouteIndex((parse_template(path), method, f"{method} {path}") for method, path in parts)


def find(routes: RouteIndex[str], method: str, path: str) -> str | None:
    return routes.find(path[1:].split("/")).get(method)


ROUTES = index(
    "GET /v1/{name=offers/*}",
    "POST /v1/{name=offers/*}:accept",
    "POST /v1/offers",
    "GET /v1/offers",
    "GET /v1/offers/mine",
    "GET /v1/{name=sellers/*/orderSettings}",
    "POST /v1/{name=sellers/*/orderSettings}:simulate",
    "POST /v1/{name=sellers/*}:setPlan",
    "GET /v1/{name=sellers/*/listings/*}",
    "GET /v1/files/{path=**}",
    "GET /v1/files/{path=**}:raw",
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/offers/1", "GET /v1/{name=offers/*}"),
        ("GET", "/v1/offers/mine", "GET /v1/offers/mine"),
        ("GET", "/v1/offers/min%65", "GET /v1/offers/mine"),
        ("GET", "/v1/%6Fffers/1", "GET /v1/{name=offers/*}"),
        ("POST", "/v1/offers/1:accept", "POST /v1/{name=offers/*}:accept"),
        ("POST", "/v1/offers/a:b:accept", "POST /v1/{name=offers/*}:accept"),
        ("GET", "/v1/offers/1:accept", None),
        ("GET", "/v1/offers/1%3Aaccept", "GET /v1/{name=offers/*}"),
        ("GET", "/v1/offers/1:other", "GET /v1/{name=offers/*}"),
        ("POST", "/v1/offers", "POST /v1/offers"),
        ("GET", "/v1/sellers/a/orderSettings", "GET /v1/{name=sellers/*/orderSettings}"),
        ("POST", "/v1/sellers/a/orderSettings:simulate", "POST /v1/{name=sellers/*/orderSettings}:simulate"),
        ("POST", "/v1/sellers/a:setPlan", "POST /v1/{name=sellers/*}:setPlan"),
        ("GET", "/v1/sellers/a/listings/b", "GET /v1/{name=sellers/*/listings/*}"),
        ("GET", "/v1/files", "GET /v1/files/{path=**}"),
        ("GET", "/v1/files/a/b/c", "GET /v1/files/{path=**}"),
        ("GET", "/v1/files/a/b/c:raw", "GET /v1/files/{path=**}:raw"),
        ("GET", "/v1", None),
        ("GET", "/v1/", None),
        ("GET", "/v1/offers/", None),
        ("GET", "/v1/offers//1", None),
        ("GET", "/v1/offers/1/2", None),
        ("GET", "/", None),
        ("GET", "/v2/offers/1", None),
        ("GET", "/V1/offers/1", None),
    ],
)
def test_finding(method: str, path: str, expected: str | None) -> None:
    assert find(ROUTES, method, path) == expected


def test_all_methods_of_a_path_are_known() -> None:
    assert set(ROUTES.find(["v1", "offers"])) == {"GET", "POST"}


def test_equal_routes_are_refused() -> None:
    with pytest.raises(RouteConflict):
        index("GET /v1/{a}/x", "GET /v1/{b=*}/x")


def test_templates_that_overlap_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transcode.index.STATES_MAX", 200)
    wild = ["/".join(parts) for parts in product(("a", "*"), repeat=8)]
    with pytest.raises(RouteConflict):
        index(*(f"GET /{path}/x{number}" for number, path in enumerate(wild)))


SEGMENTS = st.sampled_from(["a", "b", "c", "*"])
TEMPLATES = st.lists(
    st.tuples(st.lists(SEGMENTS, min_size=1, max_size=4), st.booleans(), st.sampled_from(["", "", "go"])),
    min_size=1,
    max_size=8,
    unique_by=lambda route: (tuple(route[0]), route[1], route[2]),
)


@given(TEMPLATES, st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=5), st.booleans())
def test_the_index_agrees_with_a_scan(
    templates: list[tuple[list[str], bool, str]], path: list[str], with_verb: bool
) -> None:
    texts = [
        "/" + "/".join([*segments, *(["**"] if rest else [])]) + (f":{verb}" if verb else "")
        for segments, rest, verb in templates
    ]
    routes = RouteIndex((parse_template(text), "GET", text) for text in texts)
    asked = [*path[:-1], f"{path[-1]}:go"] if with_verb else path
    matching = [text for text in texts if matches(text, path, "go" if with_verb else "")]
    if with_verb and not matching:
        matching = [text for text in texts if matches(text, asked, "")]
    best = min(matching, key=specificity, default=None)
    assert routes.find(asked).get("GET") == best


def matches(text: str, path: list[str], verb: str) -> bool:
    template = parse_template(text)
    if template.verb != verb:
        return False
    segments = list(template.segments)
    if segments[-1] == "**":
        segments = segments[:-1]
        path = path[: len(segments)] if len(path) >= len(segments) else []
    return len(segments) == len(path) and all(s in ("*", p) for s, p in zip(segments, path, strict=True))


def specificity(text: str) -> list[int]:
    return [{"*": 1, "**": 2}.get(segment, 0) for segment in parse_template(text).segments]
