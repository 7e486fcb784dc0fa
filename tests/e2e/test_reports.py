"""What can be written down, over HTTP: sales, the record of changes, the table of orders, and receipts."""

from __future__ import annotations

import csv
import io

from stack.demo.api import Api, Party
from tests.e2e.shop import Shop, fresh, order_body, paid


async def test_a_sale_is_counted_recorded_and_exported(shop: Shop, ana: Party, api: Api) -> None:
    order = (await ana.post("orders", order_body(shop.basic)))["order"]
    await paid(ana, order["name"])

    sales = (await shop.owner.get(f"{shop.name}/salesAnalytics", period="PERIOD_MONTH"))["salesAnalytics"]
    (total,) = sales["totals"]
    assert (total["orders"], total["paidOrders"], total["cancellationRate"]) == ("1", "1", 0)
    assert total["confirmedValue"] == order["total"]
    span = {"startTime": sales["startTime"], "endTime": sales["endTime"]}
    behind = (await shop.owner.get(f"{shop.name}/salesAnalytics/orders", **span))["salesOrders"]
    assert [one["order"] for one in behind] == [order["name"]]

    entries = (await ana.get(f"{order['name']}/auditEntries"))["auditEntries"]
    assert entries[0]["cause"]["principal"] == f"users/{ana.name}"
    assert {"field": "state", "after": "CONFIRMED", "concealed": False} in entries[0]["changes"]

    headers = {"authorization": f"Bearer {shop.owner.token}"}
    response = await api.http.get(f"/v1/{shop.name}/orders:export", headers=headers)
    assert response.headers["content-type"].startswith("text/csv")
    assert response.headers["content-disposition"] == 'attachment; filename="orders.csv"'
    (line,) = csv.DictReader(io.StringIO(response.text, newline=""))
    assert (line["order"], line["payment_state"]) == (order["name"], "PAID")


async def test_what_was_paid_has_a_receipt_for_both_and_nobody_else(shop: Shop, ana: Party, api: Api) -> None:
    order = (await ana.post("orders", order_body(shop.basic)))["order"]
    await paid(ana, order["name"])
    (payment,) = (await ana.get(f"{order['name']}/payments"))["payments"]
    name = f"{payment['name']}/receipt"

    receipt = (await ana.get(name))["receipt"]
    assert receipt == (await shop.owner.get(name))["receipt"]
    assert receipt["name"] == name
    headers = {"authorization": f"Bearer {ana.token}"}
    page = await api.http.get(f"/v1/{name}:download", headers=headers)
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-disposition"].startswith("attachment")
    assert receipt["number"] in page.text

    stranger = {"authorization": f"Bearer {api.buyer(fresh('ben')).token}"}
    for path in (name, f"{name}:download"):
        assert (await api.http.get(f"/v1/{path}", headers=stranger)).status_code == 404
