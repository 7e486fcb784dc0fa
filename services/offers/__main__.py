"""The offers service, put together: `python -m services.offers`."""

from __future__ import annotations

from functools import partial

from chassis.erasure import Eraser, with_erasure
from chassis.personal_data import PersonalRecords
from chassis.serve import Definition, Runtime, Service, main
from parley.offers.v1.erasure_pb2 import PersonalDataErased
from parley.offers.v1.offers_service_pb2_grpc import add_OffersServiceServicer_to_server
from services.offers.adapters.origins import OriginPeers
from services.offers.adapters.personal_data import ERASURES, KINDS
from services.offers.adapters.repository import (
    ListingRepository,
    OfferRepository,
    OfferSettingsRepository,
    TemplateRepository,
)
from services.offers.app.commands.listing import ListingCommands
from services.offers.app.commands.offer import OfferCommands
from services.offers.app.commands.review import ReviewCommands
from services.offers.app.commands.steps import OfferSteps
from services.offers.app.expiry import EXPIRY
from services.offers.app.offer_settings import OfferSettingsOfTeam
from services.offers.app.ports import Origins
from services.offers.app.queries import ListingQueries, OfferQueries
from services.offers.app.reactions import Reactions
from services.offers.app.retirement import RETIREMENT, Retirements
from services.offers.app.templates import TemplatesOfTeam
from services.offers.app.timers import Timers
from services.offers.config import OffersConfig
from services.offers.entrypoints.events import subscriptions
from services.offers.entrypoints.grpc import OffersServicer
from services.offers.wire.events import event_record


def build(runtime: Runtime[OffersConfig], *, origins: Origins | None = None) -> Service:
    """Every room of offers, connected. A test may stand in for the owners of what offers answer."""
    database, clock, ids = runtime.database, runtime.clock, runtime.ids
    offers, listings = OfferRepository(), ListingRepository()
    peers = runtime.peers
    origins = origins or OriginPeers(
        gating=peers["gating"], orders=peers["orders"], messaging=peers["messaging"]
    )
    settings, templates = OfferSettingsRepository(), TemplateRepository()
    steps = OfferSteps(
        database,
        offers=offers,
        listings=listings,
        origins=origins,
        settings=settings,
        templates=templates,
        clock=clock,
    )
    servicer = OffersServicer(
        listing_commands=ListingCommands(database, listings, clock, ids),
        listing_queries=ListingQueries(database, listings),
        offer_commands=OfferCommands(database, steps=steps, offers=offers, clock=clock, ids=ids),
        offer_queries=OfferQueries(database, offers=offers, settings=settings, clock=clock),
        offer_settings=OfferSettingsOfTeam(database, settings, listings=listings, clock=clock),
        review_commands=ReviewCommands(database, steps=steps),
        templates=TemplatesOfTeam(database, templates, clock, ids),
        personal=PersonalRecords(database, KINDS),
    )
    eraser = Eraser(database, ERASURES, clock)
    return Service(
        add_servicers=partial(add_OffersServiceServicer_to_server, servicer),
        subscriptions=subscriptions(Reactions(database, offers, clock), eraser),
        timers={
            EXPIRY: Timers(database, offers, clock).expire,
            RETIREMENT: Retirements(database, offers, clock).tell,
            **eraser.timers,
        },
    )


DEFINITION = Definition(
    name="offers",
    config=OffersConfig,
    build=build,
    encoder=lambda ids, _clock: with_erasure(partial(event_record, ids=ids), PersonalDataErased, ids),
    migrations="services.offers.migrations",
)

if __name__ == "__main__":
    main(DEFINITION)
