"""How PostgreSQL reads offers: no further than a page or a batch, however many there are."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chassis.db import Transaction
from chassis.kernel.page import PageRequest
from services.offers.adapters.repository import OfferRepository, TemplateRepository
from services.offers.domain.chain import State
from tests.component.offers.scene import Scene

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

ROWS = 10_000
PAGE = 50
SELLER, BUYER = "sellers/big", "users/b7"
PACKAGES = [f"{SELLER}/listings/l/packages/p{number}" for number in (0, 2)]
DEEP = ("2026-01-01T00:30:00+00:00", f"{ROWS // 4:036d}")
"""A place far down the list."""

# Offers as they grow old: most have ended, one in a thousand is a draft. Half of them answer an inquiry of
# their own, the others ten to a conversation.
OFFERS = """
INSERT INTO offer (offer_id, seller, buyer, origin, state, revision, proposal, first_sent, acceptance,
    decline_reason, close_time, version, create_time, update_time)
SELECT lpad(n::text, 36, '0'), :seller, 'users/b' || n % 10,
    'conversations/' || CASE WHEN n % 2 = 0 THEN 'a' || n ELSE 'b' || n / 20 END, state, 1,
    jsonb_build_object('terms', jsonb_build_object('package', :seller || '/listings/l/packages/p' || n % 4)),
    CASE WHEN state <> 'DRAFT' THEN 1 END, CASE WHEN state = 'ACCEPTED' THEN '{}'::jsonb END, '',
    CASE WHEN state IN ('DECLINED', 'WITHDRAWN', 'EXPIRED') THEN timestamptz '2026-01-02' END, 1,
    timestamptz '2026-01-01' + n / 3 * interval '1 second', timestamptz '2026-01-01'
FROM (SELECT n, CASE WHEN n % 997 = 0 THEN 'DRAFT' WHEN n % 2 = 0 AND n % 20 < 8 THEN 'OPEN'
    ELSE (ARRAY['ACCEPTED', 'DECLINED', 'WITHDRAWN', 'EXPIRED'])[1 + n % 4] END AS state
    FROM generate_series(1, :rows) AS n) AS made
"""
REVISIONS = "INSERT INTO offer_revision SELECT offer_id, 1, proposal FROM offer"
TEMPLATES = """
INSERT INTO offer_template SELECT :seller, lpad(n::text, 36, '0'), '{}', 1, now(), now()
FROM generate_series(1, :rows) AS n
"""


class Explaining:
    """A transaction that says how it would be answered, and finds nothing."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.plans: list[dict[str, Any]] = []

    async def fetch_all(self, statement: Any, parameters: dict[str, Any] | None = None) -> list[Any]:
        literal = statement.params(parameters or {}).compile(
            dialect=_DIALECT, compile_kwargs={"literal_binds": True}
        )
        escaped = str(literal).replace(":", r"\:")
        rows = await self.tx.fetch_all(sa.text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {escaped}"))
        found = rows[0][0]
        self.plans.append((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])
        return []

    async def fetch_one(self, statement: Any, parameters: dict[str, Any] | None = None) -> None:
        await self.fetch_all(statement, parameters)


async def fill(scene: Scene) -> None:
    async def work(tx: Transaction) -> None:
        for statement in (OFFERS, REVISIONS, TEMPLATES):
            wanted = sa.text(statement)
            given = {"seller": SELLER, "rows": ROWS}
            await tx.execute(wanted, {name: given[name] for name in wanted.compile().params})

    await scene.service.host.database.transact(work)
    async with scene.service.host.database.connection() as connection:
        await connection.execute("VACUUM (ANALYZE) offer, offer_revision, offer_template")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def check(
    scene: Scene, ask: Callable[[Any], Awaitable[object]], *, most: int = PAGE + 1, parts: int = 1
) -> None:
    """Nothing is read that is not answered, except where the parts of a list are put together."""

    async def work(tx: Transaction) -> list[dict[str, Any]]:
        explaining = Explaining(tx)
        await ask(explaining)
        return explaining.plans

    (plan,) = await scene.service.host.database.transact(work)
    where = json.dumps(plan, indent=1)
    for node in nodes(plan):
        assert node["Node Type"] != "Seq Scan", where
        assert node.get("Rows Removed by Filter", 0) <= 10, where
        assert node["Actual Rows"] <= parts * most, where
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 20 + 12 * parts + 5 * most, where


async def test_whatever_looks_for_offers_costs_a_page_or_a_batch(scene: Scene) -> None:
    await fill(scene)
    await check_lists(scene, OfferRepository())
    await check_batches(scene, OfferRepository())


async def check_lists(scene: Scene, offers: OfferRepository) -> None:
    shown: list[tuple[State, ...]] = [(), (State.DRAFT,), (State.OPEN, State.IN_REVIEW), tuple(State)]
    sides = ({"seller": SELLER}, {"buyer": BUYER})
    for states, cursor, side in product(shown, (None, DEEP), sides):
        page = PageRequest(PAGE, cursor)

        async def ask(tx: Any, states: Any = states, page: Any = page, side: Any = side) -> None:
            await offers.list_of(tx, states=states, page=page, **side)

        await check(scene, ask, parts=max(len(states), 1))
    for origin, side in product(("conversations/a8", "conversations/b9"), sides):

        async def answering(tx: Any, origin: Any = origin, side: Any = side) -> None:
            await offers.list_of(tx, states={State.OPEN}, origin=origin, page=PageRequest(PAGE), **side)

        await check(scene, answering)
    templates = TemplateRepository()
    await check(scene, lambda tx: templates.list_of(tx, seller=SELLER, page=PageRequest(PAGE, DEEP[1:])))
    await check(scene, lambda tx: offers.revisions(tx, f"offers/{8:036d}", first=1, page=PageRequest(PAGE)))


async def check_batches(scene: Scene, offers: OfferRepository) -> None:
    """What is looked for when an offer is opened, and when a package retires."""
    await check(scene, lambda tx: offers.find_at_origin(tx, "conversations/b9", states={State.OPEN}))
    for package, after in product(PACKAGES, ("", f"{ROWS // 2:036d}")):

        async def ask(tx: Any, package: Any = package, after: Any = after) -> None:
            await offers.find_open_for_package(tx, SELLER, package, after=after, limit=PAGE)

        await check(scene, ask)
