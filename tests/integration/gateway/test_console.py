"""The console as a browser gets it from the gateway."""

from __future__ import annotations

import re

from tests.integration.gateway.conftest import Opener, Stage


async def test_pages_are_asked_about_and_files_are_kept_for_ever(stage: Stage) -> None:
    for path in ("/console", "/conversations/0198c9a0-1111-7222-8333-444455556666", "/verify-email?x=1"):
        page = await stage.client.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        again = await stage.client.get(path, headers={"if-none-match": f'"x", W/{page.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == page.headers["etag"]
        assert "content-length" not in again.headers
    shell = (await stage.client.get("/console")).text
    script = re.search(r'<script type="module" src="([^"]+)"', shell)
    style = re.search(r'<link rel="stylesheet" href="([^"]+)"', shell)
    assert script
    assert style
    for found, kind in ((script[1], "text/javascript; charset=utf-8"), (style[1], "text/css; charset=utf-8")):
        file = await stage.client.get(found)
        assert (file.status_code, file.headers["content-type"]) == (200, kind)
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        head = await stage.client.head(found)
        assert head.content == b""
        assert int(head.headers["content-length"]) < len(file.content)
        assert (file.headers["content-encoding"], file.headers["vary"]) == ("gzip", "accept-encoding")
        for refused in ("identity", "gzip;q=0", "br, gzip; q=0.0"):
            plain = await stage.client.get(found, headers={"accept-encoding": refused})
            assert (plain.content, "content-encoding" in plain.headers) == (file.content, False)
            assert plain.headers["etag"] != file.headers["etag"]


async def test_a_browser_is_told_to_run_and_to_reach_nothing_else(stage: Stage) -> None:
    headers = (await stage.client.get("/console")).headers
    policy = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert {"script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'"} <= set(policy)
    assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert "require-trusted-types-for 'script'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in headers


async def test_the_console_takes_nothing_and_hides_no_method(stage: Stage) -> None:
    refused = await stage.client.post("/console", json={})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    for path in ("/console/000000000000/app.js", "/console/../pyproject.toml", "/conversations/%2e%2e"):
        assert (await stage.client.get(path)).json()["reason"] == "ROUTE_NOT_FOUND"
    index = (await stage.client.get("/")).json()
    assert index["console"] == "/console"


async def test_it_can_be_left_out(opened: Opener) -> None:
    async with opened(console=False) as stage:
        for path in ("/console", "/conversations/0198", "/profile", "/verify-email"):
            assert (await stage.client.get(path)).status_code == 404
        assert "console" not in (await stage.client.get("/")).json()
        shown = await stage.client.get("/", headers={"accept": "text/html"})
        assert "/console" not in shown.text
        assert "/docs" in shown.text
