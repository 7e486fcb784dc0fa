"""Events that cannot be taken in: they are set aside with their reason, and stand in nobody's way."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from chassis.envelope import encode_headers
from stack.demo.api import until
from stack.demo.negotiation import Pace, play
from stack.demo.scripts import Kind
from tests.faults import campaign
from tests.faults.campaign import Market
from tests.faults.report import Report
from tests.faults.rig import Rig

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

CONSUMERS = ("gating", "orders", "messaging")
"""Those of the events of offers."""
LETTER_SECONDS = 180.0
"""Eight deliveries take one minute."""

Tell = Callable[[Report], None]

# What a mistake in the code of orders would do to the orders of one buyer.
_BREAK = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a mistake'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.buyer = 'users/{buyer}')
EXECUTE FUNCTION refuse();
"""
_REPAIR = "DROP FUNCTION refuse CASCADE"


@pytest.fixture
async def market(rig: Rig) -> AsyncIterator[Market]:
    async with campaign.opened(rig) as opened:
        yield opened


async def _publish_garbage(rig: Rig) -> str:
    """An acceptance whose body nobody can decode; its event id."""
    event_id = str(uuid.uuid4())
    headers = encode_headers(
        event_id=event_id,
        type_name="parley.offers.v1.OfferAccepted",
        aggregate=f"offers/{event_id}",
        version=1,
        time=datetime.now(UTC),
        traceparent="",
    )
    async with rig.bus() as bus:
        await bus.publish(f"parley.offers.v1.offer.accepted.{event_id}", headers, b"\xff\xff\xff")
    return event_id


async def _letter(rig: Rig, service: str, *, event_id: str = "") -> tuple[str, int]:
    """The event id and the deliveries of a dead letter of orders-on-offers and its like, once it is there."""
    found: list[tuple[str, int]] = []

    async def there() -> bool:
        rows = await rig.query(service, "SELECT event_id, deliveries, reason FROM dead_letter")
        found[:] = [
            (row["event_id"], row["deliveries"])
            for row in rows
            if (row["event_id"] == event_id if event_id else "a mistake" in row["reason"])
        ]
        return bool(found)

    await until(there, f"a dead letter of {service}", seconds=LETTER_SECONDS)
    return found[0]


async def test_an_undecodable_event_is_set_aside(rig: Rig, market: Market, tell: Tell) -> None:
    event_id = await _publish_garbage(rig)
    report = await campaign.run(market, "an undecodable event in a stream", market.draw(40, seed=301))
    tell(report)
    for service in CONSUMERS:
        assert (await _letter(rig, service, event_id=event_id))[1] == 1
        consumer = f"{service}-on-offers"
        listed = rig.run(service, "dead-letters", "list")
        assert f"{consumer}  {event_id}  parley.offers.v1.OfferAccepted  1 deliveries" in listed.stdout
        shown = json.loads(rig.run(service, "dead-letters", "show", consumer, event_id).stdout)
        assert (shown["body_base64"], shown["deliveries"]) == ("////", 1)
        replayed = rig.run(service, "dead-letters", "replay", consumer, event_id)
        assert (replayed.returncode, "can never be taken in" in replayed.stderr) == (1, True)
        assert rig.run(service, "dead-letters", "drop", consumer, event_id).returncode == 0
        gone = rig.run(service, "dead-letters", "show", consumer, event_id)
        assert (gone.returncode, "NOT_FOUND" in gone.stderr) == (1, True)
    assert {each.split()[1] for each in report.given_up} <= {event_id}
    assert not (report.findings)
    assert not (list(report.verdict.findings()))


async def test_an_event_whose_reaction_always_fails_is_set_aside_and_replayed(
    rig: Rig, market: Market, tell: Tell
) -> None:
    buyer = f"unlucky-{uuid.uuid4().hex[:8]}"
    connection = await rig.connect("orders")
    try:
        await connection.execute(_BREAK.format(buyer=buyer))
        [script] = market.draw(1, seed=302, weights={Kind.ACCEPTED: 1})
        # Its order never becomes visible, so this negotiation ends without one.
        impatient = Pace(fact_seconds=1.0)
        unlucky = await play(market.api, script, buyer=buyer, pace=impatient)
        assert unlucky.promise is not None
        assert "visible" in unlucky.failure
        report = await campaign.run(market, "a reaction that always fails", market.draw(60, seed=303))
        event_id, deliveries = await _letter(rig, "orders")
        refused = rig.run("orders", "dead-letters", "replay", "orders-on-offers", event_id)
        await connection.execute(_REPAIR)
    finally:
        await connection.close()
    assert deliveries == 8
    assert refused.returncode == 1
    assert (await _letter(rig, "orders"))[0] == event_id
    done = rig.run("orders", "dead-letters", "replay", "orders-on-offers", event_id)
    report.notes.append(done.stdout.strip())
    tell(report)
    assert done.returncode == 0, done.stderr
    assert not (report.findings)
    assert not (list(report.verdict.findings()))
    assert not await rig.query("orders", "SELECT 1 FROM dead_letter")
    unlucky.failure = ""
    late = Report("the negotiation whose event was replayed")
    await campaign.check(market, late, [unlucky], before=await _before(rig, unlucky.promise.order))
    tell(late)
    assert not late.problems


async def _before(rig: Rig, order: str) -> dict[str, object]:
    """The books without the charges of one order."""
    rows = await rig.query(
        "orders", "SELECT id FROM payment WHERE order_id <> $1", order.removeprefix("orders/")
    )
    return {row["id"]: None for row in rows}
