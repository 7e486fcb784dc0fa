from __future__ import annotations

import functools
import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.openapi import Comments, openapi_document, parse_comments
from gateway.openapi.document import shown_path
from gateway.transcode import contract_services, find_endpoints
from tests.unit.gateway import sample


@functools.cache
def document() -> dict[str, Any]:
    return openapi_document(sample.endpoints(), parse_comments(sample.descriptor_set()))


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def operation(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][path][method]
    return found


def test_the_document_of_the_sample_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_the_document_of_the_contract_is_valid_and_complete() -> None:
    endpoints = find_endpoints(contract_services())
    contract = openapi_document(endpoints)
    OpenAPIV31SpecValidator(contract).validate()
    shown = [operation["x-rpc"] for methods in contract["paths"].values() for operation in methods.values()]
    assert sorted(shown) == sorted(endpoint.path[1:] for endpoint in endpoints)


def test_without_comments_the_document_is_still_valid() -> None:
    OpenAPIV31SpecValidator(openapi_document(sample.endpoints(), Comments({}))).validate()
    assert parse_comments(b"\xff") is not None


@pytest.mark.parametrize(
    ("rpc", "path"),
    [
        ("GetThing", "/v1/racks/{rack}/things/{thing}"),
        ("CloseThing", "/v1/racks/{rack}/things/{thing}:close"),
        ("GetFile", "/v1/files/{path}"),
        ("GetNumber", "/v1/numbers/{number}/{kind}"),
        ("Echo", "/v1/everything:echo"),
    ],
)
def test_paths_have_one_named_parameter_for_each_wildcard(rpc: str, path: str) -> None:
    assert shown_path(sample.endpoint(rpc))[0] == path


def test_operations_carry_the_words_of_the_contract() -> None:
    echo = operation("/v1/everything:echo", "post")
    assert echo["summary"] == "Gives everything back"
    assert echo["description"].startswith("Gives everything back. Nothing is kept.")
    assert document()["tags"] == [
        {
            "name": "SampleService",
            "description": "Everything that a contract can say to the gateway.\n\nA second paragraph.",
        }
    ]
    assert document()["paths"]["/v1/bins/{bin}"]["get"]["operationId"] == "GetThing2"


def test_rules_become_constraints() -> None:
    properties = schema("sample.Thing")["properties"]
    assert schema("sample.Thing")["required"] == ["title"]
    assert properties["title"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 20,
        "description": "What it says on it, at most 20 characters.",
    }
    assert (properties["count"]["minimum"], properties["count"]["maximum"]) == (1, 9)
    assert properties["createTime"] == {
        "type": "string",
        "format": "date-time",
        "description": "When it was made.",
        "readOnly": True,
    }
    assert properties["kind"]["enum"] == ["KIND_GOOD", "KIND_BETTER"]
    assert properties["labels"]["items"] == {"type": "string", "maxLength": 9}
    assert (properties["labels"]["maxItems"], properties["labels"]["uniqueItems"]) == (5, True)
    assert schema("sample.Kind")["x-enum-descriptions"]["KIND_BETTER"] == "Better."


def test_every_kind_of_field_has_the_schema_of_its_json() -> None:
    properties = schema("sample.Everything")["properties"]
    assert properties["large"] == {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
    assert properties["raw"] == {"type": "string", "contentEncoding": "base64"}
    assert properties["thingsByName"]["additionalProperties"] == {"$ref": "#/components/schemas/sample.Thing"}
    assert properties["things"] == {"type": "array", "items": {"$ref": "#/components/schemas/sample.Thing"}}
    assert properties["boxedLarge"]["type"] == ["string", "null"]
    assert properties["inner"]["$ref"] == "#/components/schemas/sample.Everything"
    assert "At most one of `oneText`, `oneThing`, `oneNumber`." in schema("sample.Everything")["description"]


def test_the_path_is_no_part_of_the_body() -> None:
    assert set(schema("sample.CloseThingRequest")["properties"]) == {"reason", "etag", "requestId"}
    body = operation("/v1/racks/{rack}/things/{thing}", "patch")["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/sample.Thing"


def test_query_parameters_are_what_the_gateway_accepts() -> None:
    parameters = operation("/v1/racks/{rack}/things", "get")["parameters"]
    names = [parameter["name"] for parameter in parameters if parameter["in"] == "query"]
    assert names == [
        "pageSize", "pageToken", "filter.kind", "filter.madeAfter", "filter.labels", "kinds", "readMask",
        "patience", "sold", "numbers", "verbose", "raw", "byText", "byNumber",
    ]  # fmt: skip
    for name in names:
        sample.endpoint("ListThings").request._query_putter(name)


def test_headers_security_and_streams() -> None:
    close = operation("/v1/racks/{rack}/things/{thing}:close", "post")
    references = [parameter.get("$ref", "").rsplit("/", 1)[-1] for parameter in close["parameters"]]
    assert {"IdempotencyKey", "IfMatch"} <= set(references)
    assert close["security"] == [{"bearer": []}]
    assert close["x-authorization"] == {"relation": "party", "roles": ["buyer"]}
    watch = operation("/v1/racks/{rack}/things/{thing}:watch", "get")
    assert {} in watch["security"]
    assert list(watch["responses"]["200"]["content"]) == ["text/event-stream"]
    got = operation("/v1/racks/{rack}/things/{thing}", "get")
    assert "ETag" in got["responses"]["200"]["headers"]


@pytest.mark.parametrize(
    "path", ["/v1/racks/{rack}/things/{thing}:picture", "/v1/racks/{rack}/things:export"]
)
def test_files_are_shown_as_files(path: str) -> None:
    get = operation(path, "get")
    answer = get["responses"]["200"]
    assert answer["content"] == {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    assert list(answer["headers"]) == ["Content-Disposition"]
    assert not any("LastEventId" in parameter.get("$ref", "") for parameter in get["parameters"])


def test_a_stream_of_requests_is_shown_as_the_bytes_of_its_body() -> None:
    put = operation("/v1/racks/{rack}/pictures", "post")
    assert put["requestBody"] == {
        "required": True,
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
    names = [parameter.get("name", parameter.get("$ref", "")) for parameter in put["parameters"]]
    assert names == ["rack", "title", "kind", "requestId", "#/components/parameters/IdempotencyKey"]
    assert list(put["responses"]["200"]["content"]) == ["application/json"]


def test_a_body_that_is_taken_as_it_is_and_the_headers_beside_it() -> None:
    take = operation("/v1/racks/{rack}/news", "post")
    assert list(take["requestBody"]["content"]) == ["*/*"]
    shown = [(parameter["name"], parameter["in"]) for parameter in take["parameters"]]
    assert shown == [("rack", "path"), ("A-Signature", "header"), ("B-Signature", "header")]
    assert take["parameters"][1]["description"] == "Who vouches for it."


def test_refusals_have_examples() -> None:
    echo = operation("/v1/everything:echo", "post")
    examples = echo["responses"]["400"]["content"]["application/problem+json"]["examples"]
    assert "SHELF_FULL" in examples
    value = document()["components"]["examples"]["sample.SHELF_FULL"]["value"]
    assert value == {
        "type": "/docs#error-SHELF_FULL",
        "title": "Shelf full",
        "status": 400,
        "detail": "The shelf is full",
        "instance": "/v1/…",
        "reason": "SHELF_FULL",
        "domain": "sample.parley",
        "metadata": {"shelf": "racks/a", "size": "3"},
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    }


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', text):
        assert name in document()["components"][kind]
