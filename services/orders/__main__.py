"""The orders service, put together: `python -m services.orders`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from chassis.erasure import Eraser, with_erasure
from chassis.personal_data import PersonalRecords
from chassis.serve import Definition, Runtime, Service, UpkeepCommand, main
from chassis.timers import GroupHandler, Handler
from parley.orders.v1.erasure_pb2 import PersonalDataErased
from parley.orders.v1.orders_service_pb2_grpc import add_OrdersServiceServicer_to_server
from services.orders.adapters.audit_repository import AuditRepository
from services.orders.adapters.desk_repository import DeskRepository
from services.orders.adapters.export_repository import ExportRepository
from services.orders.adapters.gating_client import GatingClient
from services.orders.adapters.listing_catalog import ListingCatalog
from services.orders.adapters.offers_client import OffersClient
from services.orders.adapters.open_matters import OpenMattersRepository
from services.orders.adapters.personal_data import ERASURES, KINDS
from services.orders.adapters.provider_events import SignedEvents
from services.orders.adapters.repository import Repository
from services.orders.adapters.sales_repository import SalesRepository
from services.orders.adapters.sandbox import SandboxProvider
from services.orders.adapters.subscription_repository import SubscriptionRepository
from services.orders.app import fulfilment
from services.orders.app.account_reactions import AccountReactions
from services.orders.app.actions import ActionCommands
from services.orders.app.addresses import ADDRESSES, AddressTimer
from services.orders.app.analytics import SalesQueries, Zones, keep_folding, rebuild_analytics
from services.orders.app.audit import AuditQueries
from services.orders.app.charges import ChargeErrand
from services.orders.app.commands import OrderCommands
from services.orders.app.desk import DeskCommands, DeskQueries, recount_folders
from services.orders.app.erasure_holds import ErasureHolds
from services.orders.app.errand_timers import ErrandTimers, Patience
from services.orders.app.export import OrderExport
from services.orders.app.ledger import LedgerQueries
from services.orders.app.order_offline import OfflineCommands
from services.orders.app.payment_owners import AllOwners, OrderOwners
from services.orders.app.ports import Gate, Offers, PaymentProvider
from services.orders.app.provider_events import ProviderEventCommands
from services.orders.app.queries import OrderQueries
from services.orders.app.reactions import Reactions
from services.orders.app.receipts import ReceiptQueries
from services.orders.app.refunds import RefundCommands, RefundErrand
from services.orders.app.settlement import SettlementCommands
from services.orders.app.subscription_book import DUE, SubscriptionBook
from services.orders.app.subscription_offline import SubscriptionOfflineCommands
from services.orders.app.subscription_timers import SubscriptionOwners, SubscriptionTimers
from services.orders.app.subscriptions import SubscriptionCommands, SubscriptionQueries
from services.orders.config import OrdersConfig, Provider
from services.orders.domain.attempt import Charge
from services.orders.domain.refund import RefundAnswer
from services.orders.domain.subscription.dunning import Dunning
from services.orders.entrypoints.desk_methods import DeskRooms
from services.orders.entrypoints.events import broadcasts, subscriptions
from services.orders.entrypoints.grpc import OrdersServicer
from services.orders.entrypoints.payment_methods import PaymentRooms
from services.orders.entrypoints.report_methods import ReportRooms
from services.orders.entrypoints.subscription_methods import SubscriptionRooms
from services.orders.wire.events import event_record

if TYPE_CHECKING:
    from services.orders.adapters.stripe_provider import StripeProvider


def build(
    runtime: Runtime[OrdersConfig],
    *,
    gate: Gate | None = None,
    offers: Offers | None = None,
    provider: PaymentProvider | None = None,
    zones: Zones | None = None,
) -> Service:
    """Every room of the service. Tests may stand in for the peers and the payment provider."""
    config, clock, ids, database = runtime.config, runtime.clock, runtime.ids, runtime.database
    offers = offers or OffersClient(runtime.peers["offers"])
    gating = GatingClient(runtime.peers["gating"])
    gate, zones = gate or gating, zones or gating
    stripe = _stripe(config)
    provider = provider or stripe or SandboxProvider(database, clock)
    repository, subscribed = Repository(), SubscriptionRepository()
    book = SubscriptionBook(repository, subscribed, provider=provider.name, clock=clock)
    listings = ListingCatalog(database, clock, offers.listing)
    commands = OrderCommands(
        database,
        repository,
        listings=listings,
        gate=gate,
        book=book,
        provider=provider.name,
        clock=clock,
        ids=ids,
    )
    reactions = Reactions(
        database,
        repository,
        listings=listings,
        offers=offers,
        book=book,
        provider=provider.name,
        clock=clock,
        ids=ids,
    )
    owners = _owners(config, repository, subscribed, book)
    patience = timedelta(hours=config.auto_accept_hours)
    work = fulfilment.FulfilmentCommands(database, repository, book=book, clock=clock, patience=patience)
    charges, refunds = _payment_timers(runtime, repository, provider, owners)
    eraser = Eraser(database, ERASURES, clock)
    servicer = OrdersServicer(
        commands,
        work,
        OrderQueries(database, repository),
        money=_payment_rooms(runtime, repository, provider.name, owners),
        desk=_desk_rooms(runtime, repository),
        reports=_report_rooms(runtime, repository, subscribed, zones),
        subscriptions=_subscription_rooms(runtime, repository, subscribed, book),
    )
    return Service(
        partial(add_OrdersServiceServicer_to_server, servicer),
        subscriptions=subscriptions(reactions, AccountReactions(database, subscribed), eraser),
        broadcasts=broadcasts(listings),
        timers={
            **charges.handlers,
            **refunds.handlers,
            DUE: GroupHandler(
                SubscriptionTimers(database, subscribed, book, charges=charges, clock=clock, ids=ids).due
            ),
            ADDRESSES: AddressTimer(database, repository, offers).fetch,
            **_work_timers(runtime, repository),
            **eraser.timers,
        },
        background={"sales": partial(keep_folding, database, SalesRepository())},
        close=stripe.close if stripe is not None else None,
    )


def _desk_rooms(runtime: Runtime[OrdersConfig], repository: Repository) -> DeskRooms:
    database, desk = runtime.database, DeskRepository()
    return DeskRooms(
        DeskCommands(database, repository, desk, clock=runtime.clock, ids=runtime.ids),
        DeskQueries(database, repository, desk),
    )


def _report_rooms(
    runtime: Runtime[OrdersConfig], repository: Repository, subscribed: SubscriptionRepository, zones: Zones
) -> ReportRooms:
    database, clock = runtime.database, runtime.clock
    return ReportRooms(
        AuditQueries(database, repository, AuditRepository(), subscriptions=subscribed),
        SalesQueries(database, SalesRepository(), zones=zones, clock=clock),
        OrderExport(database, ExportRepository(), clock=clock),
        PersonalRecords(database, KINDS),
        ErasureHolds(database, OpenMattersRepository()),
    )


def _subscription_rooms(
    runtime: Runtime[OrdersConfig],
    repository: Repository,
    subscribed: SubscriptionRepository,
    book: SubscriptionBook,
) -> SubscriptionRooms:
    database, clock = runtime.database, runtime.clock
    return SubscriptionRooms(
        SubscriptionCommands(database, repository, subscribed, book, clock=clock, ids=runtime.ids),
        SubscriptionOfflineCommands(database, repository, subscribed, book, clock=clock),
        SubscriptionQueries(database, repository, subscribed, clock),
    )


def _payment_rooms(
    runtime: Runtime[OrdersConfig], repository: Repository, provider: str, owners: AllOwners
) -> PaymentRooms:
    events = SignedEvents(provider, [one.reveal() for one in runtime.config.payment_event_secrets])
    return PaymentRooms(
        RefundCommands(runtime.database, repository, owners=owners, clock=runtime.clock),
        LedgerQueries(runtime.database, repository),
        OfflineCommands(runtime.database, repository, clock=runtime.clock, ids=runtime.ids),
        SettlementCommands(runtime.database, repository, owners=owners, clock=runtime.clock),
        ActionCommands(runtime.database, repository, clock=runtime.clock),
        ProviderEventCommands(runtime.database, repository, events, clock=runtime.clock),
        ReceiptQueries(runtime.database, repository),
    )


def _payment_timers(
    runtime: Runtime[OrdersConfig], repository: Repository, provider: PaymentProvider, owners: AllOwners
) -> tuple[ErrandTimers[Charge], ErrandTimers[RefundAnswer]]:
    config, clock, database = runtime.config, runtime.clock, runtime.database
    patience = Patience(
        timedelta(seconds=config.payment_answer_seconds), timedelta(seconds=config.payment_janitor_seconds)
    )
    charges = ErrandTimers(
        ChargeErrand, database, repository, provider, clock, owners=owners, patience=patience
    )
    back = ErrandTimers(RefundErrand, database, repository, provider, clock, owners=owners, patience=patience)
    return charges, back


def _work_timers(runtime: Runtime[OrdersConfig], repository: Repository) -> dict[str, Handler]:
    work = fulfilment.FulfilmentTimers(runtime.database, repository, runtime.clock)
    return {fulfilment.START: work.start, fulfilment.ACCEPT: work.accept}


def _owners(
    config: OrdersConfig, repository: Repository, subscribed: SubscriptionRepository, book: SubscriptionBook
) -> AllOwners:
    dunning = Dunning(config.dunning_retry_days, config.dunning_grace_days)
    return AllOwners(
        {
            "orders": OrderOwners(repository),
            "subscriptions": SubscriptionOwners(subscribed, book, dunning),
        }
    )


def _stripe(config: OrdersConfig) -> StripeProvider | None:
    if config.payment_provider is not Provider.STRIPE:
        return None
    # Stripe's library takes 28 MB and half a second: only whoever uses it pays for it.
    from services.orders.adapters.stripe_provider import StripeProvider

    return StripeProvider(
        config.stripe_key.reveal(),
        url=config.stripe_url,
        return_url=config.stripe_return_url,
        timeout_seconds=config.payment_answer_seconds,
    )


DEFINITION = Definition(
    name="orders",
    config=OrdersConfig,
    build=build,
    encoder=lambda ids, _clock: with_erasure(partial(event_record, ids=ids), PersonalDataErased, ids),
    migrations="services.orders.migrations",
    commands=(
        UpkeepCommand(
            "recount-folders",
            "count the orders in every seller's folders anew",
            partial(recount_folders, desk=DeskRepository()),
        ),
        UpkeepCommand(
            "rebuild-analytics",
            "add up what sellers sold anew, from the orders",
            partial(rebuild_analytics, upkeep=SalesRepository()),
        ),
    ),
    audited=True,
)

if __name__ == "__main__":
    main(DEFINITION)
