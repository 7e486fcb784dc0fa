"""Bodies that are taken as they are, with what stands in the headers beside them."""

from __future__ import annotations

import pytest

from tests.integration.gateway.conftest import Stage

PATH = "/v1/racks/a/news"


@pytest.mark.parametrize("content", [b'{ "b":1,  "a": 2 }\r\n', b"\x00\xff", b"", b"x" * 1_000])
async def test_the_bytes_arrive_as_they_were_sent(stage: Stage, content: bytes) -> None:
    headers = {"content-type": "application/json; charset=utf-8", "b-signature": "t=1,v1=ab"}
    assert (await stage.client.post(PATH, content=content, headers=headers)).status_code == 200
    arrived = stage.upstream.last.request
    assert (arrived.rack, arrived.news.data, arrived.signature) == ("a", content, "t=1,v1=ab")
    assert arrived.news.content_type == "application/json; charset=utf-8"


async def test_the_first_of_the_headers_counts_and_no_other_one_goes_through(stage: Stage) -> None:
    both = {"b-signature": "second", "a-signature": "first", "x-secret": "kept"}
    await stage.client.post(PATH, content=b"x", headers=both)
    assert stage.upstream.last.request.signature == "first"
    assert set(stage.upstream.last.metadata) & {"a-signature", "b-signature", "x-secret"} == set()
    await stage.client.post(PATH, content=b"x")
    assert stage.upstream.last.request.signature == ""


@pytest.mark.parametrize(
    ("query", "headers", "size", "status"),
    [
        ("?signature=mine", {}, 1, 400),
        ("?news.data=eA", {}, 1, 400),
        ("", {"content-encoding": "gzip"}, 1, 415),
        ("", {"a-signature": "\xfc"}, 1, 400),
        ("", {"content-type": "text/\xfc"}, 1, 400),
        ("", {}, 8 * 1024 * 1024, 413),
    ],
)
async def test_what_cannot_be_taken_reaches_no_service(
    stage: Stage, query: str, headers: dict[str, str], size: int, status: int
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await stage.client.post(PATH + query, content=b"x" * size, headers=raw)
    reason = "PAYLOAD_TOO_LARGE" if status == 413 else "MALFORMED_REQUEST"
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert stage.upstream.calls == []
