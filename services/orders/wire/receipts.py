"""Receipts: as a message, and as a page to print.

Everything on the page that people wrote is escaped, and nothing on it is fetched or run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from chassis.wire import file_piece, optional_timestamp, timestamp, wire_money
from parley.orders.v1 import receipt_pb2
from services.orders.app.receipts import GetReceipt
from services.orders.domain.offline import PROVIDER, Means
from services.orders.domain.payment import Purpose
from services.orders.domain.receipt import Receipt
from services.orders.wire import values
from services.orders.wire.payments import MEANS, PURPOSES, REFUND_REASONS

CONTENT_TYPE: Final = "text/html; charset=utf-8"

_PURPOSES: Final = {
    Purpose.ORDER_TOTAL: "Total of the order",
    Purpose.SUBSCRIPTION_PERIOD: "Period {sequence} of the subscription",
    Purpose.PLAN_CHANGE: "Change of plan {sequence}",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Receipt {number}</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; }}
dt {{ font-weight: bold; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0; }}
caption {{ text-align: left; font-weight: bold; }}
th, td {{ border-bottom: 1px solid; padding: 0.25rem 0.5rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }}
tr > :last-child, .sums tr > :not(:first-child) {{ text-align: right; white-space: nowrap; }}
tr:last-child td {{ font-weight: bold; }}
th:first-child {{ min-width: 4.5rem; }}
@media (max-width: 30rem) {{ th, td {{ font-size: 0.8125rem; padding: 0.25rem; }} }}
</style>
</head>
<body>
<h1>Receipt</h1>
<dl>
{facts}
</dl>
{tables}
</body>
</html>
"""


def get_receipt_query(
    request: receipt_pb2.GetReceiptRequest | receipt_pb2.DownloadReceiptRequest,
) -> GetReceipt:
    """Whose receipt."""
    return GetReceipt(request.name.removesuffix("/receipt"))


def get_receipt_response(receipt: Receipt) -> receipt_pb2.GetReceiptResponse:
    """The receipt as a message."""
    payment = receipt.payment
    message = receipt_pb2.Receipt(
        name=receipt.name,
        number=receipt.number,
        pay_time=timestamp(receipt.pay_time),
        seller=payment.seller,
        buyer=payment.buyer,
        order=receipt.order,
        purpose=PURPOSES[payment.purpose],
        sequence=payment.sequence,
        line_items=[values.wire_line_item(item) for item in receipt.line_items],
        total=wire_money(receipt.total),
        refunds=[
            receipt_pb2.ReceiptRefund(
                amount=wire_money(one.amount),
                reason=REFUND_REASONS[one.reason],
                refund_time=optional_timestamp(one.resolve_time),
            )
            for one in receipt.refunds
        ],
        refunded_total=wire_money(payment.refunded),
        net_total=wire_money(receipt.net_total),
        provider=payment.provider,
        billing_address=values.wire_address(receipt.billing_address),
    )
    if payment.provider == PROVIDER:
        message.means = MEANS[Means(payment.token)]
    return receipt_pb2.GetReceiptResponse(receipt=message)


def receipt_page(receipt: Receipt) -> HttpBody:
    """The receipt as a page."""
    text = _PAGE.format(
        number=escape(receipt.number), facts="\n".join(_facts(receipt)), tables="\n".join(_tables(receipt))
    )
    return file_piece(CONTENT_TYPE, text.encode(), filename=f"receipt-{receipt.number}.html")


def _facts(receipt: Receipt) -> Iterable[str]:
    payment, address = receipt.payment, receipt.billing_address
    yield _fact("Number", receipt.number)
    yield _fact("Paid", _time(receipt.pay_time))
    yield _fact("Seller", payment.seller)
    yield _fact("Buyer", payment.buyer)
    yield _fact("Order", receipt.order)
    yield _fact("For", _PURPOSES[payment.purpose].format(sequence=payment.sequence))
    means = payment.token.replace("_", " ").lower()
    yield _fact("Taken by", f"the seller ({means})" if payment.provider == PROVIDER else payment.provider)
    if address is not None:
        place = f"{address.postal_code} {address.locality} {address.region_code}"
        lines = (address.recipient, address.organization, *address.address_lines, place)
        yield _fact("Billed to", *(line for line in lines if line.strip()))


def _tables(receipt: Receipt) -> Iterable[str]:
    items = [
        (item.title, str(item.quantity), str(item.unit_price), str(item.unit_price.times(item.quantity)))
        for item in receipt.line_items
    ]
    total = ("Total", "", "", str(receipt.total))
    yield _table("Positions", ("Title", "Quantity", "Price", "Amount"), [*items, total], kind="sums")
    if receipt.refunds:
        back = [
            (_time(one.resolve_time), one.reason.value.replace("_", " ").lower(), str(one.amount))
            for one in receipt.refunds
        ]
        left = ("Paid after refunds", "", str(receipt.net_total))
        yield _table("Refunds", ("When", "Why", "Amount"), [*back, left])


def _fact(name: str, *lines: str) -> str:
    return f"<dt>{escape(name)}</dt><dd>{'<br>'.join(escape(line) for line in lines)}</dd>"


def _table(caption: str, heads: Iterable[str], rows: Iterable[tuple[str, ...]], *, kind: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    cells = ("".join(f"<td>{escape(one)}</td>" for one in row) for row in rows)
    body = "\n".join(f"<tr>{row}</tr>" for row in cells)
    return f'<table class="{kind}">\n<caption>{escape(caption)}</caption>\n<tr>{head}</tr>\n{body}\n</table>'


def _time(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
