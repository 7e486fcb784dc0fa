"""What is stored comes back as it was, the schema is the tables', and replicas share what they learn."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from chassis import audit, migrations, schema
from chassis.db import ConstraintError, Database
from chassis.kernel.clock import ManualClock
from chassis.kernel.ids import UuidV7
from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.testing.service import Backends, running
from services.orders.__main__ import DEFINITION, build
from services.orders.adapters.payment_repository import LostUpdate
from services.orders.adapters.repository import Repository
from services.orders.adapters.sandbox import KeyReused, SandboxProvider
from services.orders.adapters.tables import METADATA
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Charge, Outcome
from services.orders.domain.commerce import Address, Interval, PaymentMethod, Plan
from services.orders.domain.option import ChosenOption, OptionValue
from services.orders.domain.order import DeclineReason, Order, State
from services.orders.domain.quotes import OfferState, Quote
from services.orders.domain.sales import exclusion_of
from services.orders.domain.work import Cancellation, CancelReason, Delivery, Party
from services.orders.entrypoints.events import LISTING_SUBJECTS, broadcasts
from services.orders.wire.events import event_record
from tests.component.orders.market import FakeGate, FakeOffers, Market, euro, listing_event
from tests.unit.orders.purchases import HOUR, NOW, decision, in_state, paying

PACKAGE = "services.orders.migrations"
ADDRESS = Address("Ana", "Acme", ("Main Street 1", "Door 2"), "10115", "Berlin", "DE")


@pytest.fixture
async def database(backends: Backends, clock: ManualClock) -> AsyncIterator[Database]:
    encode = partial(event_record, ids=UuidV7(clock))
    opened = await Database.open(
        await backends.database(PACKAGE), clock=clock, encode_event=encode, pool_size=2
    )
    yield opened
    await opened.close()


def full_order() -> Order:
    """Every field set that a cancelled order can have, none to its default."""
    return dataclasses.replace(
        in_state(State.CANCELLED, method=PaymentMethod.ONLINE),
        plan=Plan(Money("JPY", 500), Interval.MONTH, 3, 14, 8, 31, NOW + HOUR),
        start_time=NOW + HOUR,
        decision=decision(next_change_time=NOW + HOUR, unavailable_until=NOW, offer="offers/o"),
        offer="offers/o",
        order_request="orderRequests/r",
        origin_conversation="conversations/c",
        quotes=(Quote("offers/o", 3, OfferState.ACCEPTED, NOW), Quote("offers/p", 1, OfferState.OPEN, NOW)),
        quote_accepted=True,
        requirements="Blue, with a \u2019 and a \n",
        price_agreed_elsewhere=True,
        decline_reason=DeclineReason.POLICY,
        decline_text="No",
        billing_address=ADDRESS,
        delivery_address=dataclasses.replace(ADDRESS, organization=""),
        unread=4,
        buyer_unread=3,
        refunded=Money("EUR", 40),
        labels=("gift", "rush"),
        begin_time=NOW,
        deliveries=(
            Delivery(1, "Here", NOW, "Bigger, with a \u2019", NOW + HOUR),
            Delivery(2, "", NOW + HOUR),
        ),
        cancellation=Cancellation(CancelReason.NOT_PAID, Party.OPERATOR, "No", NOW),
        options=(
            ChosenOption("colour", "Colour", values=(OptionValue("red", "Red", Money("JPY", 5)),)),
            ChosenOption("pages", "Pages", text="a", number=0, unit="p", unit_price=Money("JPY", 1)),
        ),
    )


async def test_an_order_comes_back_as_it_was(database: Database) -> None:
    repository, order = Repository(), full_order()
    others = {"auto_complete_time": State.DELIVERED, "complete_time": State.COMPLETED}
    for name in (one.name for one in dataclasses.fields(Order) if one.name not in others):
        assert getattr(order, name) not in {None, ""}, f"{name} is not set"
    assert await database.transact(lambda tx: repository.add(tx, order, None))
    assert not await database.transact(lambda tx: repository.add(tx, order, None))
    assert await database.read(lambda tx: repository.load(tx, order.name)) == order
    changed = dataclasses.replace(in_state(State.PROCESSING), version=order.version + 1)
    await database.transact(lambda tx: repository.save(tx, changed, expected=order.version))
    assert await database.read(lambda tx: repository.load(tx, order.name)) == changed
    for name, state in others.items():
        another = dataclasses.replace(in_state(state), id=f"another-{name}")
        assert getattr(another, name) is not None
        assert await database.transact(partial(repository.add, order=another, payment_of_it=None))
        assert await database.read(partial(repository.load, name=another.name)) == another
    with pytest.raises(LostUpdate):
        await database.transact(lambda tx: repository.save(tx, changed, expected=order.version))


@pytest.mark.covers("B35")
async def test_a_payment_comes_back_and_there_is_only_one_for_each_purpose(database: Database) -> None:
    repository = Repository()
    order, created = paying()
    await database.transact(lambda tx: repository.add(tx, order, created))
    declined = payments.resolve(
        payments.submit(created, now=NOW), 1, Charge(Outcome.SOFT_DECLINE, "insufficient_funds"), now=NOW
    )
    await database.transact(lambda tx: repository.save_payment(tx, declined, expected=1))
    failed, _ = payments.settled(order, declined, now=NOW)
    renewed, _, _ = payments.retry(declined, failed, actor=Actor.BUYER, token="other", now=NOW)
    second = payments.submit(renewed, now=NOW)
    await database.transact(lambda tx: repository.save_payment(tx, second, expected=declined.version))
    assert await database.read(lambda tx: repository.load_payment(tx, second.name)) == second
    another = dataclasses.replace(created, id="another")
    with pytest.raises(ConstraintError) as broken:
        await database.transact(lambda tx: repository.add_payment(tx, another))
    assert broken.value.constraint == "uq_payment_order_id"
    with pytest.raises(LostUpdate):
        await database.transact(lambda tx: repository.save_payment(tx, second, expected=declined.version))


async def test_the_sandbox_answers_a_key_with_one_outcome_forever(
    database: Database, clock: ManualClock
) -> None:
    provider, amount = SandboxProvider(database, clock), Money("EUR", 100)
    assert await provider.lookup("k") is None
    with pytest.raises(TimeoutError):
        await provider.charge("k", amount, "sandbox_timeout_after_charge", attended=True)
    captured = Charge(Outcome.CAPTURED)
    assert await provider.lookup("k") == captured
    assert await provider.charge("k", amount, "sandbox_timeout_after_charge", attended=True) == captured
    for other in ((Money("EUR", 101), "sandbox_timeout_after_charge"), (amount, "sandbox_success")):
        with pytest.raises(KeyReused):
            await provider.charge("k", *other, attended=True)


async def test_the_migrations_make_the_tables_and_take_them_away(backends: Backends) -> None:
    dsn = backends.postgres.dsn(await backends.postgres.create_database())
    assert await migrations.upgrade(PACKAGE, dsn) == migrations.head_of(PACKAGE)
    assert await _differences(dsn) == []
    assert await migrations.downgrade(PACKAGE, dsn) == ""
    assert await migrations.upgrade(PACKAGE, dsn) == migrations.head_of(PACKAGE)
    assert await _differences(dsn) == []


async def _differences(dsn: str) -> list[Any]:
    """Tables and columns that differ; indexes and constraints stand in the migrations alone."""

    def compare(connection: Any) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"include_name": _is_own})
        found = compare_metadata(context, METADATA)
        kinds = {"add_table", "remove_table", "add_column", "remove_column"}
        flat = [one for entry in found for one in (entry if isinstance(entry, list) else [entry])]
        return [one for one in flat if one[0] in kinds or one[0].startswith("modify_")]

    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


def _is_own(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "table" or name not in {
        *schema.METADATA.tables,
        *audit.METADATA.tables,
        "alembic_version",
    }


async def test_replicas_share_orders_and_listings(backends: Backends, clock: ManualClock) -> None:
    dsn = await backends.database(PACKAGE)
    gate, offers = FakeGate(), FakeOffers()
    definition = dataclasses.replace(DEFINITION, build=partial(build, gate=gate, offers=offers))
    async with (
        running(definition, backends, clock=clock, dsn=dsn) as first,
        running(definition, backends, clock=clock, dsn=dsn) as second,
    ):
        one, other = Market(first, gate, offers), Market(second, gate, offers)
        order = await one.place()
        assert await other.get(order.name) == await one.get(order.name)
        assert (await other.place()).total == euro(100)
        await one.publish_and_settle(listing_event(version=2, units=120), version=2)
        await second.advance(timedelta(seconds=6))
        assert (await one.place()).total == (await other.place()).total == euro(120)


async def test_a_broadcast_refreshes_the_listings_of_every_replica() -> None:
    class Remembering:
        def __init__(self) -> None:
            self.versions: list[int] = []

        def remember(self, listing: Any) -> None:
            self.versions.append(listing.version)

    listings: Any = Remembering()
    event = listing_event(version=4, units=120)
    await broadcasts(listings)[LISTING_SUBJECTS]("subject", event.SerializeToString())
    assert listings.versions == [4]


async def test_the_sums_judge_every_order_as_the_domain_does(database: Database) -> None:
    """The database judges as well, when an order changes: both say the same of whatever an order can be."""
    statement = (
        "SELECT reason, o.state, o.confirm_time IS NOT NULL AS is_confirmed, o.price_agreed_elsewhere "
        "FROM unnest($1::text[]) AS state, unnest(ARRAY[NULL, now()]) AS confirmed, "
        "unnest(ARRAY[false, true]) AS elsewhere, LATERAL jsonb_populate_record(NULL::orders, "
        "jsonb_build_object('state', state, 'confirm_time', confirmed, 'price_agreed_elsewhere', elsewhere, "
        "'create_time', now(), 'package', '', 'total', 1, 'refunded', 0)) AS o, LATERAL sale_of(o) AS sale"
    )
    async with database.connection() as connection:
        rows = await connection.fetch(statement, [state.value for state in State])
    assert len(rows) == 4 * len(State)
    for row in rows:
        judged = dict(row)
        assert judged.pop("reason") == (exclusion_of(**judged) or ""), judged
