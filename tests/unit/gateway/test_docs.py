from __future__ import annotations

import functools
import re
from html.parser import HTMLParser

from gateway.docs import reference_page
from gateway.docs.examples import Examples
from gateway.docs.markup import Markup
from gateway.openapi import openapi_document, parse_comments
from gateway.transcode import contract_services, find_endpoints
from tests.unit.gateway import sample

VOID = {"input", "meta", "wbr"}


class Structure(HTMLParser):
    """Checks that elements are closed in order, and collects ids, links and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("id"):
            self.ids.append(str(named["id"]))
        if tag == "a":
            self.links.append(str(named["href"]))
        if "src" in named or tag == "link":
            self.loaded.append(str(named))
        assert "style" not in named, "the content policy refuses style attributes"
        assert not any(name.startswith("on") for name in named), "the content policy refuses handlers"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@functools.cache
def page() -> str:
    document = openapi_document(sample.endpoints(), parse_comments(sample.descriptor_set()))
    return reference_page(document).body.decode()


def structure(text: str) -> Structure:
    parsed = Structure()
    parsed.feed(text)
    assert parsed.open == []
    return parsed


def test_the_page_is_one_well_formed_file_that_loads_nothing() -> None:
    parsed = structure(page())
    assert parsed.loaded == []
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert "http" not in re.sub(r"http://127\.0\.0\.1:8080|startsWith\(\"http\"\)", "", page())


def test_every_link_leads_somewhere_on_the_page() -> None:
    parsed = structure(page())
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert {link for link in parsed.links if not link.startswith("#")} == {"/openapi.json"}


def test_the_page_of_the_contract_shows_every_method_and_reason() -> None:
    endpoints = find_endpoints(contract_services())
    document = openapi_document(endpoints)
    parsed = structure(reference_page(document).body.decode())
    assert {endpoint.rpc.name for endpoint in endpoints} <= set(parsed.ids)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert {f"error-{reason['reason']}" for reason in document["x-error-reasons"]} <= set(parsed.ids)


def test_a_method_with_two_paths_is_shown_once() -> None:
    assert page().count('<article id="GetThing">') == 1
    assert "/<wbr>v1/<wbr>bins/<wbr><var>{bin}</var>" in page()


def test_the_policy_names_the_page_s_own_script_and_style() -> None:
    policy = reference_page(openapi_document(sample.endpoints())).policy.decode()
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_text_is_escaped() -> None:
    assert Markup([]).inline('<b> & "x" `<i>`') == "&lt;b&gt; &amp; &quot;x&quot; <code>&lt;i&gt;</code>"


def test_reasons_in_text_are_links() -> None:
    markup = Markup(["SHELF_FULL"])
    assert markup.inline("see SHELF_FULL, not OTHER_ONE") == (
        'see <a href="#error-SHELF_FULL">SHELF_FULL</a>, not OTHER_ONE'
    )
    assert markup.method("Does it. Errors: SHELF_FULL, OTHER_ONE.") == "<p>Does it.</p>"
    assert markup.block("- one\n- two") == "<ul><li>one</li><li>two</li></ul>"


def test_commands_can_be_pasted() -> None:
    document = openapi_document(sample.endpoints(), parse_comments(sample.descriptor_set()))
    path = "/v1/racks/{rack}/things/{thing}:close"
    command = Examples(document).command("post", path, document["paths"][path]["post"])
    assert command.splitlines()[:4] == [
        "curl -X POST 'http://127.0.0.1:8080/v1/racks/my-rack/things/my-thing:close' \\",
        '  -H "Authorization: Bearer $TOKEN" \\',
        '  -H "Idempotency-Key: $(uuidgen)" \\',
        '  -H "Content-Type: application/json" \\',
    ]
    put = "/v1/racks/{rack}/pictures"
    command = Examples(document).command("post", put, document["paths"][put]["post"])
    assert command.splitlines()[-1] == "  --data-binary @file"
    watch = "/v1/racks/{rack}/things/{thing}:watch"
    assert Examples(document).command("get", watch, document["paths"][watch]["get"]).startswith("curl -N '")
