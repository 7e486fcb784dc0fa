"""What an HTTP client meets besides the methods themselves."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from stack.demo.api import Api, Party
from tests.e2e.shop import Shop, order_body, request

PROBLEM = "application/problem+json"
FIVE_MEGABYTES = 5 * 1024 * 1024


async def send(api: Api, method: str, path: str, party: Party | None = None, **more: Any) -> httpx.Response:
    headers = {**more.pop("headers", {}), **({"authorization": f"Bearer {party.token}"} if party else {})}
    return await api.http.request(method, path, headers=headers, **more)


def is_problem(response: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    assert response.headers["content-type"] == PROBLEM
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["status"], document["reason"]) == (status, status, reason), (
        document
    )
    assert {"type", "title", "detail", "instance", "domain", "metadata", "traceId"} <= set(document)
    return document


@pytest.mark.parametrize("body", ["{", "[1", '{"package": }', "nonsense", '"text"', "[]"])
async def test_malformed_json(api: Api, ana: Party, body: str) -> None:
    headers = {"content-type": "application/json"}
    response = await send(api, "POST", "/v1/orders", ana, content=body, headers=headers)
    is_problem(response, 400, "MALFORMED_REQUEST")


async def test_unknown_and_mistyped_fields_name_the_field(api: Api, ana: Party, shop: Shop) -> None:
    for more, field in (({"colour": "red"}, "colour"), ({"quantity": "many"}, "quantity")):
        response = await send(api, "POST", "/v1/orders", ana, json={**order_body(shop.basic), **more})
        document = is_problem(response, 400, "MALFORMED_REQUEST")
        assert field in str(document["violations"]), document


async def test_rules_of_the_contract_name_every_field(api: Api, ana: Party) -> None:
    response = await send(api, "POST", "/v1/orders", ana, json={"package": "sellers/acme", "quantity": -1})
    document = is_problem(response, 400, "VALIDATION_FAILED")
    assert {"package", "quantity", "paymentMethod"} <= {each["field"] for each in document["violations"]}
    assert (await ana.get("orders"))["orders"] == []


async def test_unknown_paths_and_verbs(api: Api, ana: Party) -> None:
    for path in ("/v1/nothing", "/v2/orders", "/v1/orders/1/2/3"):
        is_problem(await send(api, "GET", path, ana), 404, "ROUTE_NOT_FOUND")
    is_problem(await send(api, "POST", "/v1/orders/1:explode", ana, json={}), 404, "ROUTE_NOT_FOUND")


async def test_wrong_method_says_which_are_right(api: Api, ana: Party) -> None:
    response = await send(api, "DELETE", "/v1/orders", ana)
    is_problem(response, 405, "METHOD_NOT_ALLOWED")
    assert {"GET", "POST"} <= set(response.headers["allow"].replace(" ", "").split(","))


async def test_a_body_of_five_megabytes_is_too_large(api: Api, ana: Party, gated: Shop) -> None:
    body = {"package": gated.basic, "needs": {"text": "x" * FIVE_MEGABYTES}}
    response = await send(api, "POST", "/v1/orderRequests", ana, json=body)
    document = is_problem(response, 413, "PAYLOAD_TOO_LARGE")
    assert int(document["metadata"]["limit_bytes"]) < FIVE_MEGABYTES
    # Nothing was written, so the same buyer may ask now.
    assert await request(ana, gated.basic)


async def test_callers_without_a_good_token(api: Api, ana: Party) -> None:
    response = await send(api, "GET", "/v1/orders")
    assert is_problem(response, 401, "UNAUTHENTICATED")["metadata"]["problem"] == "missing"
    assert response.headers["www-authenticate"].startswith("Bearer")
    head, _, signature = ana.token.rpartition(".")
    forged = f"{head}.{signature[::-1]}"
    for token in ("nonsense", forged, f"{ana.token}x"):
        headers = {"authorization": f"Bearer {token}"}
        is_problem(await send(api, "GET", "/v1/orders", headers=headers), 401, "UNAUTHENTICATED")


async def test_published_listings_are_for_everybody(api: Api, shop: Shop) -> None:
    found = await api.anonymous().get(shop.listing)
    assert found["listing"]["title"] == "Work"
    assert found["listing"]["allowedActions"] == []


@pytest.mark.parametrize("size", [-1, 1_001])
async def test_page_sizes_have_limits(api: Api, ana: Party, size: int) -> None:
    is_problem(await send(api, "GET", f"/v1/orders?pageSize={size}", ana), 400, "VALIDATION_FAILED")


async def test_trace_ids_go_through(api: Api, ana: Party) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    response = await send(api, "GET", "/v1/orders/nobody", ana, headers=headers)
    assert response.json()["traceId"] == trace


async def test_the_contract_is_served_as_openapi(api: Api) -> None:
    response = await send(api, "GET", "/openapi.json")
    document = response.json()
    assert document["openapi"].startswith("3.1")
    validate(document)
    assert "/v1/orders" in document["paths"]


async def test_the_reference_needs_no_other_server(api: Api) -> None:
    response = await send(api, "GET", "/docs")
    assert response.headers["content-type"].startswith("text/html")
    text = response.text
    assert "AcceptOffer" in text
    assert 'src="http' not in text
    assert 'href="http' not in text.replace(f'href="{api.address}', "")


async def test_health(api: Api) -> None:
    assert (await send(api, "GET", "/healthz")).status_code == 200
    ready = await send(api, "GET", "/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["services"].values()) == {"SERVING"}
