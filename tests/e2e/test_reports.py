"""What a seller can have written down: sales, the record of changes, and the table of orders, over HTTP."""

from __future__ import annotations

import csv
import io

from stack.demo.api import Api, Party
from tests.e2e.shop import Shop, order_body, paid


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
