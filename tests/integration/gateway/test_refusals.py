"""Requests that are refused: by the gateway itself, by the service, or by nobody being there."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, struct_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from structlog.testing import capture_logs

from chassis.status import DETAILS_KEY
from gateway.errors import HTTP_STATUS
from tests.integration.gateway.conftest import LIMIT_BYTES, Opener, Stage
from tests.unit.gateway import sample

CLOSE = "/v1/racks/a/things/b:close"
ECHO = "/v1/everything:echo"
LIST = "/v1/racks/a/things"
MEMBERS = {"type", "title", "status", "detail", "instance", "reason", "domain", "metadata", "traceId"}


def check(answer: Any, status: int, reason: str) -> dict[str, Any]:
    """Every refusal has the same shape."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert set(problem) - {"violations"} == MEMBERS
    assert problem["status"] == status
    assert problem["reason"] == reason
    assert problem["type"] == f"/docs#error-{reason}"
    assert problem["instance"] == answer.request.url.raw_path.decode().partition("?")[0]
    assert problem["traceId"] == answer.headers["traceparent"][3:35]
    return problem


# -------------------------------------------------------------------------------- callers


async def test_a_caller_without_a_token(stage: Stage) -> None:
    answer = await stage.client.post(CLOSE, json={})
    assert check(answer, 401, "UNAUTHENTICATED")["metadata"] == {"problem": "missing"}
    assert answer.headers["www-authenticate"] == 'Bearer realm="parley"'
    assert stage.upstream.calls == []


@pytest.mark.parametrize(
    ("authorization", "problem"),
    [
        ("Bearer x.y.z", "malformed"),
        ("Basic YTpi", "not_a_bearer_token"),
        ("Bearer", "not_a_bearer_token"),
        ("", "not_a_bearer_token"),
    ],
)
@pytest.mark.parametrize("path", [LIST, "/v1/racks/a/things/b"])
async def test_a_bad_token_is_refused_also_where_none_is_needed(
    stage: Stage, authorization: str, problem: str, path: str
) -> None:
    answer = await stage.client.get(path, headers={"authorization": authorization})
    assert check(answer, 401, "UNAUTHENTICATED")["metadata"] == {"problem": problem}
    assert answer.headers["www-authenticate"] == 'Bearer realm="parley", error="invalid_token"'
    assert stage.upstream.calls == []


async def test_an_expired_token(stage: Stage) -> None:
    headers = {"authorization": f"Bearer {stage.token(timedelta(seconds=-1))}"}
    answer = await stage.client.get(LIST, headers=headers)
    assert check(answer, 401, "UNAUTHENTICATED")["metadata"] == {"problem": "expired"}


async def test_a_method_that_declares_no_caller_is_not_public(stage: Stage) -> None:
    check(await stage.client.get("/v1/secret"), 401, "UNAUTHENTICATED")


# -------------------------------------------------------------------------------- routes


@pytest.mark.parametrize("path", ["/v1/nothing", "/v2/racks", "/v1/racks/a/things/", "/v1//racks", "/docs/x"])
async def test_an_unknown_path(stage: Stage, path: str) -> None:
    assert check(await stage.client.get(path), 404, "ROUTE_NOT_FOUND")["metadata"] == {"path": path}


async def test_an_unknown_verb_is_an_unknown_path(stage: Stage) -> None:
    check(await stage.client.post("/v1/racks/a/things/b:explode", json={}), 404, "ROUTE_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/racks/a/things/b", "DELETE, GET, HEAD, PATCH"),
        ("GET", CLOSE, "POST"),
        ("POST", LIST, "GET, HEAD"),
        ("OPTIONS", LIST, "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("BREW", LIST, "GET, HEAD"),
    ],
)
async def test_a_method_that_the_path_does_not_have(stage: Stage, method: str, path: str, allow: str) -> None:
    answer = await stage.client.request(method, path)
    problem = check(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allow
    assert problem["metadata"] == {"method": method, "allowed": allow}


async def test_a_url_without_end(stage: Stage) -> None:
    check(await stage.client.get(f"{LIST}?pageToken={'x' * 17_000}"), 414, "PAYLOAD_TOO_LARGE")


# -------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize("body", ["{", "", "[1", '{"a": NaN}', "{'text': 1}", "\x00"])
async def test_what_is_not_json(stage: Stage, body: str) -> None:
    answer = await stage.client.post(ECHO, content=body or " ", headers={"content-type": "application/json"})
    assert check(answer, 400, "MALFORMED_REQUEST")["metadata"]["problem"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_a_body_of_another_type(stage: Stage, headers: dict[str, str]) -> None:
    check(await stage.client.post(ECHO, content="{}", headers=headers), 415, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    ("body", "field", "description"),
    [
        ({"nothing": 1}, "nothing", "is not a field of the request"),
        ({"things": [{"count": "x"}]}, "things[0].count", "must be an integer"),
        ({"kind": "BEST"}, "kind", "must be one of KIND_UNSPECIFIED, KIND_GOOD, KIND_BETTER"),
        (
            {"thing": {"create_time": "noon"}},
            "thing.createTime",
            "must be a timestamp such as 2026-06-01T08:30:00Z",
        ),
    ],
)
async def test_a_field_that_does_not_fit(stage: Stage, body: Any, field: str, description: str) -> None:
    problem = check(await stage.client.post(ECHO, json=body), 400, "MALFORMED_REQUEST")
    expected = {"field": field, "description": description, "reason": "MALFORMED_REQUEST"}
    assert problem["violations"] == [expected]
    assert problem["detail"] == f"{field} {description}"
    assert stage.upstream.calls == []


async def test_an_unknown_query_parameter(stage: Stage) -> None:
    problem = check(await stage.client.get(f"{LIST}?page=1"), 400, "MALFORMED_REQUEST")
    assert problem["violations"][0]["field"] == "page"


@pytest.mark.parametrize("raw", ["%ff", "%zz", "a%"])
async def test_a_path_that_cannot_be_decoded(stage: Stage, raw: str) -> None:
    reader, writer = await asyncio.open_connection(stage.client.base_url.host, stage.client.base_url.port)
    writer.write(f"GET /v1/files/{raw} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"reason":"MALFORMED_REQUEST"' in answer


async def test_a_body_that_says_it_is_too_large(stage: Stage) -> None:
    answer = await stage.client.post(ECHO, json={"text": "x" * LIMIT_BYTES})
    assert check(answer, 413, "PAYLOAD_TOO_LARGE")["metadata"] == {"limit_bytes": str(LIMIT_BYTES)}


async def test_a_body_that_turns_out_to_be_too_large(stage: Stage) -> None:
    async def pieces() -> Any:
        yield b'{"text": "'
        for _ in range(LIMIT_BYTES // 512):
            yield b"x" * 512
        yield b'"}'

    headers = {"content-type": "application/json"}
    answer = await stage.client.post(ECHO, content=pieces(), headers=headers)
    check(answer, 413, "PAYLOAD_TOO_LARGE")
    assert stage.upstream.calls == []


async def test_a_client_that_is_still_writing_gets_the_answer(stage: Stage) -> None:
    answer = await stage.client.post(ECHO, json={"text": "x" * 5 * 1024 * 1024})
    check(answer, 413, "PAYLOAD_TOO_LARGE")
    assert stage.upstream.calls == []


async def test_a_body_of_exactly_the_limit_passes(stage: Stage) -> None:
    text = "x" * (LIMIT_BYTES - len('{"text":""}'))
    body = f'{{"text":"{text}"}}'
    answer = await stage.client.post(ECHO, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", ""])
async def test_a_timeout_that_is_none(stage: Stage, seconds: str) -> None:
    check(await stage.client.get(LIST, headers={"x-request-timeout": seconds}), 400, "MALFORMED_REQUEST")


async def test_a_body_that_never_arrives(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection(stage.client.base_url.host, stage.client.base_url.port)
    head = f"POST {ECHO} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nX-Request-Timeout: 0.05\r\n\r\n"
    writer.write(head.encode() + b"{")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()


# -------------------------------------------------------------------------------- the service refuses


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_every_code_has_its_status_and_leaks_no_text(stage: Stage, code: grpc.StatusCode) -> None:
    async def refuse(_request: Any, context: Any) -> None:
        await context.abort(code, "secret 10.0.0.1")

    stage.upstream.answers["CloseThing"] = refuse
    answer = await stage.client.post(CLOSE, json={}, headers=stage.ana)
    assert answer.status_code == HTTP_STATUS[code]
    assert "secret" not in answer.text
    check(answer, HTTP_STATUS[code], answer.json()["reason"])


def test_the_table_knows_every_code() -> None:
    assert set(HTTP_STATUS) == set(grpc.StatusCode)


def rich(code: int, message: str, *details: Any) -> Any:
    """An answer that refuses with details."""
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        status.details.append(box)
    by_number = {each.value[0]: each for each in grpc.StatusCode}

    async def refuse(_request: Any, context: Any) -> None:
        context.set_trailing_metadata(((DETAILS_KEY, status.SerializeToString()),))
        await context.abort(by_number[code], message)

    return refuse


async def test_the_details_of_a_refusal(stage: Stage) -> None:
    info = error_details_pb2.ErrorInfo(
        reason="RACK_FULL", domain="sample.parley", metadata={"rack": "racks/a"}
    )
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="line_items[0].unit_price", description="is odd", reason="ODD")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1_500)
    stage.upstream.answers["CloseThing"] = rich(
        code_pb2.FAILED_PRECONDITION, "the rack is full", info, bad, retry
    )
    answer = await stage.client.post(CLOSE, json={}, headers=stage.ana)
    problem = check(answer, 400, "RACK_FULL")
    assert problem["title"] == "Rack full"
    assert problem["detail"] == "the rack is full"
    assert problem["domain"] == "sample.parley"
    assert problem["metadata"] == {"rack": "racks/a"}
    assert problem["violations"] == [
        {"field": "lineItems[0].unitPrice", "description": "is odd", "reason": "ODD"}
    ]
    assert answer.headers["retry-after"] == "2"


async def test_details_that_cannot_be_read(stage: Stage) -> None:
    async def refuse(_request: Any, context: Any) -> None:
        context.set_trailing_metadata(((DETAILS_KEY, b"\xff\xff"),))
        await context.abort(grpc.StatusCode.ABORTED, "x")

    stage.upstream.answers["CloseThing"] = refuse
    answer = await stage.client.post(CLOSE, json={}, headers=stage.ana)
    assert check(answer, 409, "INTERNAL")["metadata"] == {"support": "support@parley.example"}


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS]
)
async def test_a_failure_without_a_reason_names_whom_to_ask(opened: Opener, code: grpc.StatusCode) -> None:
    async def fail(_request: Any, context: Any) -> None:
        await context.abort(code, "SELECT secret")

    async with opened(support_contact="help@market.example") as stage:
        stage.upstream.answers["CloseThing"] = fail
        answer = await stage.client.post(CLOSE, json={}, headers=stage.ana)
        problem = check(answer, 500, "INTERNAL")
        assert (problem["detail"], problem["metadata"]) == (
            "internal error",
            {"support": "help@market.example"},
        )


async def test_a_service_that_is_not_there(stage: Stage) -> None:
    await stage.upstream.stop()
    answer = await stage.client.get(LIST)
    problem = check(answer, 503, "PEER_UNAVAILABLE")
    assert problem["metadata"] == {"peer": "sample"}
    assert answer.headers["retry-after"] == "1"
    assert "127.0.0.1" not in answer.text


async def test_a_service_that_stops_amidst_a_call(stage: Stage) -> None:
    begun = asyncio.Event()

    async def never(_request: Any, _context: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    stage.upstream.answers["CloseThing"] = never
    waiting = asyncio.ensure_future(stage.client.post(CLOSE, json={}, headers=stage.ana))
    await begun.wait()
    await stage.upstream.stop()
    answer = await waiting
    # Whether it was done is not known: the caller may ask again, with the same key.
    check(answer, 503, "PEER_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


async def test_a_service_that_is_too_slow(stage: Stage) -> None:
    async def never(_request: Any, _context: Any) -> None:
        await asyncio.Event().wait()

    stage.upstream.answers["ListThings"] = never
    answer = await stage.client.get(LIST, headers={"x-request-timeout": "0.1"})
    check(answer, 504, "DEADLINE_EXCEEDED")


async def test_a_fault_of_the_gateway_is_logged_and_not_told(stage: Stage) -> None:
    # JSON has no way to write an infinite number in a free value.
    free = struct_pb2.Value(number_value=float("inf"))
    stage.upstream.answers["Echo"] = lambda _request, _context: sample.new("Everything", value=free)
    with capture_logs() as lines:
        answer = await stage.client.post(ECHO, json={})
    problem = check(answer, 500, "INTERNAL")
    assert problem["detail"] == "internal error"
    assert problem["metadata"] == {"support": "support@parley.example"}
    assert any(line["event"] == "request_failed" and line["log_level"] == "error" for line in lines)


# -------------------------------------------------------------------------------- the access log


async def test_the_log_tells_what_happened_and_no_secret(stage: Stage) -> None:
    with capture_logs() as lines:
        await stage.client.post(f"{CLOSE}?reason=SECRET1", json={"reason": "SECRET2"}, headers=stage.ana)
        await stage.client.post(CLOSE, json={"reason": "SECRET3"}, headers=stage.ana)
        await stage.client.get(LIST)
    shown = [line for line in lines if line["event"] == "http_request"]
    assert [(line["method"], line["path"], line["status"], line.get("reason")) for line in shown] == [
        ("POST", CLOSE, 400, "MALFORMED_REQUEST"),
        ("POST", CLOSE, 200, None),
    ]
    assert "SECRET" not in str(lines)
    assert "eyJ" not in str(lines)
