"""Holds what was acknowledged against what is there: lost, duplicated, unexpected, recovered.

Every acknowledged acceptance must be exactly one order at the agreed price, charged as often as it may be,
and stand in the timeline of the request as well as in that of the order, the same for both sides.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chassis.kernel.money import Money
from stack.demo.api import Api, Json, NotYet, Party, Refused, Unanswered, until
from stack.demo.marketplace import money_of
from stack.demo.negotiation import Promise, Record
from stack.demo.scripts import Kind

CONCURRENCY: Final = 8
FACT_SECONDS: Final = 30.0
_PAGE: Final = 1_000

# How an order ends, and what stands in its timeline then, where it does not end with its confirmation.
_STATES: Final[Mapping[Kind, str]] = {
    Kind.COMPLETED: "STATE_COMPLETED",
    Kind.CANCELLED: "STATE_CANCELLED",
}
_WORK: Final[Mapping[Kind, Mapping[str, int]]] = {
    Kind.COMPLETED: {
        "TYPE_ORDER_STARTED": 1,
        "TYPE_ORDER_DELIVERED": 2,
        "TYPE_ORDER_CHANGES_REQUESTED": 1,
        "TYPE_ORDER_COMPLETED": 1,
    },
    Kind.CANCELLED: {"TYPE_ORDER_CANCELLED": 1},
}


@dataclass(slots=True)
class Audit:
    """The verdict over many negotiations; each finding names the negotiation and the resource."""

    negotiations: int = 0
    acknowledged: int = 0
    charged: int = 0
    recovered: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing twice, nothing that nobody asked for."""
        return not (self.lost or self.duplicated or self.unexpected)

    def findings(self) -> Iterable[str]:
        """Every finding, with its kind in front."""
        kinds = {"lost": self.lost, "duplicated": self.duplicated, "unexpected": self.unexpected}
        return (f"{kind}: {text}" for kind, texts in kinds.items() for text in texts)


async def audit(api: Api, records: Sequence[Record], *, fact_seconds: float = FACT_SECONDS) -> Audit:
    """Read everything back, through the API only. What is under way gets `fact_seconds` to arrive."""
    verdict = Audit(negotiations=len(records))
    gate = asyncio.Semaphore(CONCURRENCY)

    async def check(record: Record) -> None:
        async with gate:
            try:
                await _Check(api, record, verdict, fact_seconds).run()
            except (Refused, Unanswered, NotYet) as error:
                verdict.lost.append(f"#{record.script.number}: {error}")

    await asyncio.gather(*(check(record) for record in records))
    await _check_sellers(api, records, verdict)
    return verdict


class _Check:
    """One negotiation read back."""

    def __init__(self, api: Api, record: Record, verdict: Audit, fact_seconds: float) -> None:
        self._record = record
        self._verdict = verdict
        self._seconds = fact_seconds
        self._buyer = api.buyer(record.buyer)
        self._seller = api.seller(record.seller)

    async def run(self) -> None:
        """Add to the verdict what this negotiation tells."""
        record = self._record
        if record.promise is not None:
            self._verdict.acknowledged += 1
            await self._kept(record.promise)
        orders = await _all(self._buyer, "orders", "orders")
        if len(orders) > 1:
            self._duplicated(f"{len(orders)} orders: {', '.join(order['name'] for order in orders)}")
        if orders and not record.order_possible:
            self._verdict.unexpected.append(f"{self._label}: {orders[0]['name']} was never ordered")
        if orders and record.promise is None and record.order_possible:
            await self._recovered(orders[0])

    async def _kept(self, promise: Promise) -> None:
        order = await self._settled_order(promise)
        if order is None:
            return
        await self._charged(promise.order, promise.total)
        await self._told(promise, order)

    async def _settled_order(self, promise: Promise) -> Json | None:
        found: Json = {}

        async def as_promised() -> bool:
            found.update((await self._buyer.get(promise.order))["order"])
            return money_of(found["total"]) == promise.total and found["state"] in self._states()

        try:
            await until(as_promised, promise.order, seconds=self._seconds)
        except NotYet:
            what = f"is {found['state']} at {money_of(found['total'])}" if found else "does not exist"
            self._verdict.lost.append(f"{self._label}: {promise.order} {what}, {promise.total} was accepted")
            return None
        return found

    def _states(self) -> tuple[str, ...]:
        # Accepting a quote makes a price; the seller, who confirms, may not have come to it.
        if self._record.script.kind is Kind.QUOTED and self._record.captures != (1, 1):
            return ("STATE_PROCESSING", "STATE_CONFIRMED")
        return (_STATES.get(self._record.script.kind, "STATE_CONFIRMED"),)

    async def _charged(self, order: str, total: Money) -> None:
        least, most = self._record.captures

        async def captures() -> list[Money] | None:
            payments = (await self._buyer.get(f"{order}/payments"))["payments"]
            if len(payments) > 1:
                self._duplicated(f"{order} has {len(payments)} payments")
            taken = [
                money_of(payment["amount"])
                for payment in payments
                for attempt in payment["attempts"]
                if attempt["outcome"] == "OUTCOME_CAPTURED"
            ]
            # A list in a list, so that "charged, and rightly not at all" is an answer.
            return [*taken, total] if len(taken) >= least else None

        try:
            taken = (await until(captures, f"{order} is charged", seconds=self._seconds))[:-1]
        except NotYet:
            self._verdict.lost.append(f"{self._label}: {order} was never charged")
            return
        if len(taken) > most:
            self._duplicated(f"{order} was charged {len(taken)} times, {most} at most were due")
        if any(amount != total for amount in taken):
            self._verdict.unexpected.append(f"{self._label}: {order} was charged {taken[0]}, not {total}")
        self._verdict.charged += len(taken)

    async def _told(self, promise: Promise, order: Json) -> None:
        """The one entry about the acceptance, or the placement, in each timeline, for both sides."""
        paid = order["paymentState"] == "PAYMENT_STATE_PAID"
        if self._record.request:
            wanted = {"TYPE_OFFER_ACCEPTED": 1, "TYPE_REQUEST_CONVERTED": 1}
            if self._record.script.kind is Kind.REVIVED:
                wanted |= {"TYPE_OFFER_NEW_QUOTE_REQUESTED": 1, "TYPE_OFFER_REVIVED": 1}
            await self._timeline(f"conversations/{self._record.request.split('/')[1]}", wanted)
        wanted = {"TYPE_ORDER_PLACED": 1, **_WORK.get(self._record.script.kind, {})}
        if promise.offer:
            wanted["TYPE_OFFER_ACCEPTED"] = 1
        if paid:
            wanted["TYPE_ORDER_PAID"] = 1
        await self._timeline(order["conversation"], wanted)

    async def _timeline(self, conversation: str, wanted: Mapping[str, int]) -> None:
        seen: Counter[str] = Counter()

        async def complete() -> bool:
            entries = await _all(self._buyer, f"{conversation}/timeline", "entries")
            seen.clear()
            seen.update(entry["event"]["type"] for entry in entries if "event" in entry)
            return all(seen[kind] >= count for kind, count in wanted.items())

        try:
            await until(complete, conversation, seconds=self._seconds)
        except NotYet:
            missing = ", ".join(kind for kind, count in wanted.items() if seen[kind] < count)
            self._verdict.lost.append(f"{self._label}: {conversation} lacks {missing}")
            return
        for kind, count in wanted.items():
            if seen[kind] > count:
                self._duplicated(f"{conversation} shows {kind} {seen[kind]} times")
        mine = await _all(self._buyer, f"{conversation}/timeline", "entries")
        theirs = await _all(self._seller, f"{conversation}/timeline", "entries")
        if not {entry["name"] for entry in mine} <= {entry["name"] for entry in theirs}:
            self._verdict.lost.append(f"{self._label}: the seller sees less of {conversation} than the buyer")

    async def _recovered(self, order: Json) -> None:
        """The call was done and its answer was lost: nobody promised, but all must be right."""
        if self._record.script.kind is Kind.QUOTED and order["state"] != "STATE_CONFIRMED":
            return
        self._verdict.recovered += 1
        await self._charged(order["name"], money_of(order["total"]))

    def _duplicated(self, text: str) -> None:
        self._verdict.duplicated.append(f"{self._label}: {text}")

    @property
    def _label(self) -> str:
        return f"#{self._record.script.number} ({self._record.script.kind.value})"


async def _check_sellers(api: Api, records: Sequence[Record], verdict: Audit) -> None:
    """The sellers' lists must hold every promised order exactly once, and no second one for an offer."""
    promised = {record.promise.order: record for record in records if record.promise is not None}
    for seller in sorted({record.seller for record in records}):
        orders = await _all(api.seller(seller), "orders", "orders", seller=f"sellers/{seller}")
        names = Counter(order["name"] for order in orders)
        offers = Counter(order["offer"] for order in orders if order["offer"])
        for name, record in promised.items():
            if record.seller == seller and names[name] != 1:
                verdict.lost.append(
                    f"#{record.script.number}: {name} is {names[name]} times in the seller's list"
                )
        verdict.duplicated += [f"{offer} has {count} orders" for offer, count in offers.items() if count > 1]


async def _all(party: Party, path: str, field_name: str, **query: str) -> list[Json]:
    """Every page of a list."""
    found: list[Json] = []
    token = ""
    while True:
        page = await party.get(path, pageSize=_PAGE, **({"pageToken": token} if token else {}), **query)
        found += page[field_name]
        token = page["nextPageToken"]
        if not token:
            return found
