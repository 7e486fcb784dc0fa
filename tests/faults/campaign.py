"""The workload, the faults while it runs, and the check of what it left.

The engine of `stack demo` plays the negotiations: every call is repeated with its own Idempotency-Key while
its answer is lost, and what was acknowledged is remembered. Faults follow the progress, not the clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stack.demo import scripts
from stack.demo.api import Api, Json, NotYet, Refused, Unanswered, until
from stack.demo.audit import audit
from stack.demo.campaign import Latency, play_all
from stack.demo.loading import load
from stack.demo.marketplace import money_of, read
from stack.demo.negotiation import Pace, Record
from stack.demo.scripts import Kind, Script
from stack.ports import SERVICES
from tests.faults import books
from tests.faults.report import Report
from tests.faults.rig import Rig

NEGOTIATIONS = 300
CONCURRENCY = 16
CHECKS = 8
FACT_SECONDS = 120.0
PACE = Pace(fact_seconds=FACT_SECONDS)
FAULTS_END = 0.8
"""The share of the negotiations that is over when the last fault strikes: some have to live through it."""

_UNPUBLISHED = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
_LETTERS = "SELECT consumer, event_id, reason FROM dead_letter"
_UNRESOLVED = "SELECT id FROM payment WHERE state IN ('CREATED', 'SUBMITTING', 'UNKNOWN')"

# How the request and the offer of a negotiation end, where it ended as its script says.
_REQUEST_ENDS: Mapping[Kind, str] = {
    Kind.DECLINED: "WITHDRAWN",
    Kind.WITHDRAWN: "WITHDRAWN",
    Kind.EXPIRED: "WITHDRAWN",
    Kind.REQUEST_DECLINED: "DECLINED",
    Kind.REQUEST_WITHDRAWN: "WITHDRAWN",
}
_OFFER_ENDS: Mapping[Kind, str] = {
    Kind.DECLINED: "DECLINED",
    Kind.WITHDRAWN: "WITHDRAWN",
    Kind.EXPIRED: "EXPIRED",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong; `strike` returns once it is over, with the seconds that recovery took."""

    name: str
    strike: Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Market:
    """A running stack with the demo marketplace in it."""

    rig: Rig
    api: Api
    stalls: scripts.Stalls

    def draw(
        self, count: int, *, seed: int, weights: Mapping[Kind, int] = scripts.WEIGHTS
    ) -> tuple[Script, ...]:
        """The scripts of `count` negotiations."""
        return scripts.draw(count, seed=seed, stalls=self.stalls, weights=weights)


@asynccontextmanager
async def opened(rig: Rig) -> AsyncIterator[Market]:
    """The marketplace, loaded where it is not yet."""
    marketplace = read()
    async with rig.api() as api:
        await load(api, marketplace)
        yield Market(rig, api, await scripts.survey(api, marketplace, api.buyer("surveyor")))


async def run(market: Market, title: str, drawn: Sequence[Script], faults: Sequence[Fault] = ()) -> Report:
    """Play, strike, then check everything."""
    before = await books.captures(market.rig)
    report = Report(title)
    records = await play(market, report, drawn, faults)
    await check(market, report, records, before=before)
    return report


def _note_latency(report: Report, records: Sequence[Record]) -> None:
    latency = Latency.of(records)
    if latency is not None:
        slowest = max(record.visible_seconds or 0.0 for record in records)
        report.notes.append(
            f"accept to visible order: p50 {latency.p50:.1f} s, p99 {latency.p99:.1f} s, "
            f"slowest {slowest:.1f} s"
        )


async def play(
    market: Market, report: Report, drawn: Sequence[Script], faults: Sequence[Fault] = ()
) -> list[Record]:
    """Play the scripts while the faults strike. A negotiation that did not go as it should is a finding."""
    progress = _Progress()
    started = time.monotonic()
    striking = asyncio.create_task(_strike(report, progress, len(drawn), faults))
    try:
        records = await play_all(
            market.api, drawn, concurrency=CONCURRENCY, pace=PACE, on_end=progress.advance
        )
        report.seconds += time.monotonic() - started
        await striking
    finally:
        striking.cancel()
    report.findings += [f"{_label(record)}: {record.failure}" for record in records if record.failure]
    _note_latency(report, records)
    return records


class _Progress:
    def __init__(self) -> None:
        self._ended = 0
        self._moved = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def advance(self, _: Record) -> None:
        self._ended += 1
        task = asyncio.create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    async def reach(self, count: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._ended >= count)


async def _strike(report: Report, progress: _Progress, count: int, faults: Sequence[Fault]) -> None:
    for number, fault in enumerate(faults, start=1):
        await progress.reach(int(count * FAULTS_END * number / len(faults)))
        report.faults.append((fault.name, await fault.strike()))


# ------------------------------------------------------------------------------------------------ the check


async def check(
    market: Market,
    report: Report,
    records: Sequence[Record],
    *,
    before: Mapping[str, object],
) -> None:
    """Read everything back and complete the report; `before` is what the books held before the run."""
    report.verdict = await audit(market.api, records, fact_seconds=FACT_SECONDS)
    gate = asyncio.Semaphore(CHECKS)

    async def one(record: Record) -> list[books.Owed]:
        async with gate:
            try:
                await _check_ends(market.api, report, record)
                return await _owed(market.api, record)
            except (Refused, Unanswered, NotYet) as error:
                report.findings.append(f"{_label(record)}: {error}")
                return []

    owed = [each for found in await asyncio.gather(*(one(record) for record in records)) for each in found]
    now = await books.captures(market.rig)
    taken = {payment: amounts for payment, amounts in now.items() if payment not in before}
    report.booked = sum(len(amounts) for amounts in taken.values())
    report.findings += books.compare(taken, owed)
    await check_leftovers(market.rig, report)


async def _check_ends(api: Api, report: Report, record: Record) -> None:
    """A buyer of one negotiation has one request and one offer at most, each in its final state."""
    buyer, label = api.buyer(record.buyer), _label(record)
    for path, key, name, ends, usual in (
        ("orderRequests", "orderRequests", record.request, _REQUEST_ENDS, "CONVERTED"),
        ("offers", "offers", record.offer, _OFFER_ENDS, "ACCEPTED"),
    ):
        wanted = f"STATE_{ends.get(record.script.kind, usual)}"
        if record.script.kind in {Kind.EXPIRED, Kind.REVIVED} and not record.offer:
            # There was no time left to offer anything, and that is where the negotiation stopped.
            wanted = "STATE_PENDING"
        found: list[Json] = []

        async def ended(
            path: str = path, key: str = key, wanted: str = wanted, found: list[Json] = found
        ) -> bool:
            found[:] = (await buyer.get(path))[key]
            return bool(record.failure) or all(each["state"] == wanted for each in found)

        try:
            await until(ended, f"{path} of {record.buyer} are {wanted}", seconds=FACT_SECONDS)
        except NotYet as late:
            states = ", ".join(f"{each['name']} is {each['state']}" for each in found)
            report.findings.append(f"{label}: {late}: {states}")
        if len(found) > 1 or (name and [each["name"] for each in found] != [name]):
            report.findings.append(f"{label}: has {[each['name'] for each in found]}, made {name!r}")


async def _owed(api: Api, record: Record) -> list[books.Owed]:
    buyer = api.buyer(record.buyer)
    owed = []
    for order in (await buyer.get("orders"))["orders"]:
        for payment in (await buyer.get(f"{order['name']}/payments"))["payments"]:
            least, most = record.captures if record.promise is not None else (0, 1)
            name = payment["name"].rpartition("/")[2]
            owed.append(books.Owed(name, least, most, money_of(payment["amount"])))
    return owed


async def check_leftovers(rig: Rig, report: Report) -> None:
    """Nothing waits to be published or to be taken in, nothing was given up, no payment is open."""
    for service in SERVICES:

        async def published(service: str = service) -> bool:
            [(waiting,)] = await rig.query(service, _UNPUBLISHED)
            return bool(waiting == 0)

        await _reached(report, published, f"the outbox of {service} is empty")

    async def taken_in() -> bool:
        return await rig.backlog() == 0

    await _reached(report, taken_in, "every consumer has caught up")
    for service in SERVICES:
        report.given_up += [
            f"{row['consumer']} {row['event_id']} {row['reason']}"
            for row in await rig.query(service, _LETTERS)
        ]
    report.findings += [f"{row['id']} is unresolved" for row in await rig.query("orders", _UNRESOLVED)]


async def _reached(report: Report, ask: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        await until(ask, what, seconds=FACT_SECONDS)
    except NotYet as late:
        report.findings.append(str(late))


def _label(record: Record) -> str:
    return f"#{record.script.number} ({record.script.kind.value})"
