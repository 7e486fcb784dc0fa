"""Requests that succeed, and what the service sees of them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import httpx
import pytest

from tests.integration.gateway.conftest import Opener, Stage
from tests.unit.gateway import sample

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CLOSE = "/v1/racks/a/things/b:close"


async def test_a_read(stage: Stage) -> None:
    answer = await stage.client.get("/v1/racks/a/things/b%20c", headers=stage.ana)
    assert answer.status_code == 200
    assert answer.json() == {
        "thing": {
            "name": "racks/a/things/b c", "title": "", "count": 0, "etag": "v3", "kind": "KIND_GOOD",
            "labels": [],
        }
    }  # fmt: skip
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == '"v3"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_an_additional_binding_reaches_the_same_method(stage: Stage) -> None:
    answer = await stage.client.get("/v1/bins/x", headers=stage.ana)
    assert answer.json()["thing"]["name"] == "bins/x"


async def test_query_parameters_arrive(stage: Stage) -> None:
    await stage.client.get(
        "/v1/racks/a/things?pageSize=5&filter.kind=KIND_GOOD&filter.labels=x&filter.labels=y"
    )
    assert stage.upstream.last.request == sample.new(
        "ListThingsRequest", parent="racks/a", page_size=5, filter={"kind": 1, "labels": ["x", "y"]}
    )


async def test_a_body_for_one_field(stage: Stage) -> None:
    answer = await stage.client.patch(
        "/v1/racks/a/things/b?updateMask=title", json={"title": "x"}, headers=stage.ana
    )
    assert answer.json()["request"] == {
        "thing": {
            "name": "racks/a/things/b", "title": "x", "count": 0, "etag": "", "kind": "KIND_UNSPECIFIED",
            "labels": [],
        },
        "updateMask": "title",
        "requestId": "",
    }  # fmt: skip


async def test_a_part_of_the_response_as_the_body(stage: Stage) -> None:
    assert (await stage.client.get("/v1/files/a/b%2Fc")).json() == ["a", "b%2Fc"]


async def test_a_call_without_a_body(stage: Stage) -> None:
    answer = await stage.client.post(CLOSE, headers=stage.ana)
    assert answer.status_code == 200
    assert stage.upstream.last.request.name == "racks/a/things/b"


async def test_delete_needs_no_body(stage: Stage) -> None:
    answer = await stage.client.delete("/v1/racks/a/things/b", headers={**stage.ana, "idempotency-key": "k"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert stage.upstream.last.request.request_id == "k"


async def test_json_of_any_type_and_charset(stage: Stage) -> None:
    for kind in ("application/json; charset=utf-8", "application/merge-patch+json", "APPLICATION/JSON"):
        answer = await stage.client.post(
            "/v1/everything:echo", content='{"text": "ä"}', headers={"content-type": kind}
        )
        assert answer.json()["text"] == "ä"


async def test_head_is_get_without_a_body(stage: Stage) -> None:
    answer = await stage.client.head("/v1/racks/a/things/b", headers=stage.ana)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 10


# -------------------------------------------------------------------------------- headers -> fields


@pytest.mark.parametrize("key", ["k-1", '"k-1"'])
async def test_the_idempotency_key_becomes_the_request_id(stage: Stage, key: str) -> None:
    await stage.client.post(CLOSE, json={}, headers={**stage.ana, "idempotency-key": key})
    assert stage.upstream.last.request.request_id == "k-1"


async def test_the_key_may_be_said_twice_but_not_differently(stage: Stage) -> None:
    headers = {**stage.ana, "idempotency-key": "k"}
    assert (await stage.client.post(CLOSE, json={"requestId": "k"}, headers=headers)).status_code == 200
    answer = await stage.client.post(CLOSE, json={"requestId": "other"}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["violations"] == [
        {
            "field": "requestId",
            "description": "differs from the header Idempotency-Key",
            "reason": "MALFORMED_REQUEST",
        }
    ]
    assert len(stage.upstream.calls) == 1


async def test_a_refusal_names_the_header_or_the_parameter_at_fault(stage: Stage) -> None:
    for name in ("Idempotency-Key", "If-Match"):
        headers = {key.encode(): value.encode() for key, value in stage.ana.items()}
        headers[name.encode()] = b"k\xc3\xa9"
        problem = (await stage.client.post(CLOSE, json={}, headers=headers)).json()
        assert problem["detail"] == f"{name} must be ASCII"
        assert problem["violations"] == [
            {"field": name, "description": "must be ASCII", "reason": "MALFORMED_REQUEST"}
        ]
    for query, place in (("pageToken=100%25&pageSize=%", "pageSize"), ("=%", "the query")):
        problem = (await stage.client.get(f"/v1/racks/a/things?{query}", headers=stage.ana)).json()
        said = "holds a percent sign that is not followed by two hexadecimal digits"
        assert (problem["reason"], problem["detail"]) == ("MALFORMED_REQUEST", f"{place} {said}")
    assert stage.upstream.calls == []


async def test_a_key_for_a_method_without_request_id_is_ignored(stage: Stage) -> None:
    headers = {**stage.ana, "idempotency-key": "k"}
    assert (await stage.client.get("/v1/racks/a/things/b", headers=headers)).status_code == 200


@pytest.mark.parametrize(("tag", "etag"), [('"v3"', "v3"), ('W/"v3"', "v3"), ("*", "")])
async def test_if_match_becomes_the_etag(stage: Stage, tag: str, etag: str) -> None:
    await stage.client.post(CLOSE, json={}, headers={**stage.ana, "if-match": tag})
    assert stage.upstream.last.request.etag == etag
    await stage.client.patch("/v1/racks/a/things/b", json={}, headers={**stage.ana, "if-match": tag})
    assert stage.upstream.last.request.thing.etag == etag


# -------------------------------------------------------------------------------- callers and traces


async def test_the_token_is_passed_on_and_nothing_is_added(stage: Stage) -> None:
    headers = stage.ana
    await stage.client.get("/v1/racks/a/things/b", headers={**headers, "x-secret": "no"})
    metadata = stage.upstream.last.metadata
    assert metadata["authorization"] == headers["authorization"]
    assert set(metadata) <= {"authorization", "traceparent", "user-agent"}


async def test_a_public_method_needs_no_token(stage: Stage) -> None:
    assert (await stage.client.get("/v1/racks/a/things")).status_code == 200
    assert "authorization" not in stage.upstream.last.metadata


async def test_a_trace_is_continued(stage: Stage) -> None:
    answer = await stage.client.get("/v1/racks/a/things", headers={"traceparent": TRACE})
    assert stage.upstream.last.metadata["traceparent"] == TRACE
    assert answer.headers["traceparent"] == TRACE


@pytest.mark.parametrize("sent", [None, "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
async def test_a_trace_is_begun_where_none_came_in(stage: Stage, sent: str | None) -> None:
    answer = await stage.client.get("/v1/racks/a/things", headers={"traceparent": sent} if sent else {})
    trace = stage.upstream.last.metadata["traceparent"]
    assert trace == answer.headers["traceparent"]
    assert trace != sent


async def test_the_deadline_travels(stage: Stage) -> None:
    await stage.client.get("/v1/racks/a/things")
    assert 13 < stage.upstream.last.seconds_left < 15.5
    await stage.client.get("/v1/racks/a/things", headers={"x-request-timeout": "2.5"})
    assert 1 < stage.upstream.last.seconds_left < 3
    await stage.client.get("/v1/racks/a/things", headers={"x-request-timeout": "999"})
    assert 13 < stage.upstream.last.seconds_left < 15.5


# -------------------------------------------------------------------------------- repeating


def failing(times: int, code: grpc.StatusCode) -> Any:
    """An answer that fails so many times before it succeeds."""
    left = [times]

    async def answer(request: Any, context: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            await context.abort(code, "10.0.0.1 is down")
        return sample.new(request.DESCRIPTOR.name.replace("Request", "Response"))

    return answer


# How a service ends what it cannot take, and, depending on the moment, what it cannot finish.
STOPPED = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED]


@pytest.mark.parametrize("code", STOPPED)
async def test_a_read_is_repeated_while_the_service_stops_or_is_away(
    stage: Stage, code: grpc.StatusCode
) -> None:
    stage.upstream.answers["ListThings"] = failing(2, code)
    assert (await stage.client.get("/v1/racks/a/things")).status_code == 200
    assert len(stage.upstream.calls) == 3


async def test_a_read_is_repeated_for_no_other_reason(stage: Stage) -> None:
    stage.upstream.answers["ListThings"] = failing(1, grpc.StatusCode.INTERNAL)
    assert (await stage.client.get("/v1/racks/a/things")).status_code == 500
    assert len(stage.upstream.calls) == 1


@pytest.mark.parametrize("code", STOPPED)
async def test_a_write_is_never_repeated(stage: Stage, code: grpc.StatusCode) -> None:
    stage.upstream.answers["CloseThing"] = failing(1, code)
    answer = await stage.client.post(CLOSE, json={}, headers=stage.ana)
    # The caller may repeat it, with the same key.
    assert (answer.status_code, answer.json()["reason"]) == (503, "PEER_UNAVAILABLE")
    assert len(stage.upstream.calls) == 1


async def test_many_calls_at_once(stage: Stage) -> None:
    answers = await asyncio.gather(
        *(stage.client.get(f"/v1/numbers/{number}/KIND_GOOD") for number in range(200))
    )
    assert [answer.json()["number"] for answer in answers] == [str(number) for number in range(200)]


# -------------------------------------------------------------------------------- fixed pages, CORS


async def test_the_index(stage: Stage) -> None:
    answer = await stage.client.get("/")
    assert answer.json() == {
        "name": "parley", "console": "/console", "docs": "/docs", "openapi": "/openapi.json",
        "live": "/healthz", "ready": "/readyz",
    }  # fmt: skip
    page = await stage.client.get("/", headers={"accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "/docs" in page.text


async def test_the_contract_is_served(stage: Stage) -> None:
    document = (await stage.client.get("/openapi.json")).json()
    assert "/v1/racks/{rack}/things" in document["paths"]
    page = await stage.client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert "GetThing" in page.text


async def test_cors_is_off(stage: Stage) -> None:
    headers = {"origin": "https://app.example", "access-control-request-method": "GET"}
    answer = await stage.client.options("/v1/racks/a/things", headers=headers)
    assert answer.status_code == 405
    got = await stage.client.get("/v1/racks/a/things", headers=headers)
    assert not any(name.startswith("access-control") for name in (*answer.headers, *got.headers))


async def test_cors_is_on_for_the_origins_that_are_named(opened: Opener) -> None:
    async with opened(cors_origins=("https://app.example",)) as stage:
        ask = {"origin": "https://app.example", "access-control-request-method": "POST"}
        preflight = await stage.client.options(CLOSE, headers=ask)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        assert preflight.headers["access-control-allow-methods"] == "POST"
        assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
        refused = await stage.client.post(CLOSE, json={}, headers={"origin": "https://app.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://app.example"
        other = await stage.client.get("/v1/racks/a/things", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert other.headers["vary"] == "Origin"


async def test_a_body_in_pieces(stage: Stage) -> None:
    async def pieces() -> Any:
        for piece in (b'{"te', b'xt": ', b'"x"}'):
            yield piece

    answer = await stage.client.post(
        "/v1/everything:echo", content=pieces(), headers={"content-type": "application/json"}
    )
    assert json.loads(answer.content)["text"] == "x"


async def test_connections_are_kept_open(stage: Stage) -> None:
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(base_url=stage.client.base_url, limits=limits) as client:
        for _ in range(20):
            assert (await client.get("/healthz")).json() == {"status": "live"}
