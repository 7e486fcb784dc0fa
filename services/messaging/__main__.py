"""Puts the messaging service together: `python -m services.messaging`."""

from __future__ import annotations

from functools import partial

from chassis import serve
from chassis.host import Definition, Runtime, Service
from parley.messaging.v1.messaging_service_pb2_grpc import add_MessagingServiceServicer_to_server
from services.messaging import wire
from services.messaging.adapters.live_feed import BROADCASTS, BroadcastFeed
from services.messaging.adapters.repository import ConversationRepository
from services.messaging.app.commands import ConversationCommands
from services.messaging.app.queries import ConversationQueries
from services.messaging.app.reactions import Reactions
from services.messaging.config import MessagingConfig
from services.messaging.entrypoints.events import subscriptions
from services.messaging.entrypoints.grpc import MessagingServicer


def build(runtime: Runtime[MessagingConfig]) -> Service:
    """Every room of messaging, connected."""
    database, store, feed = runtime.database, ConversationRepository(), BroadcastFeed(runtime.bus)
    commands = ConversationCommands(database, store, feed, runtime.clock, runtime.ids)
    queries = ConversationQueries(database, store, feed)
    servicer = MessagingServicer(commands, queries)
    return Service(
        add_servicers=partial(add_MessagingServiceServicer_to_server, servicer),
        subscriptions=subscriptions(Reactions(database, store, feed)),
        broadcasts={BROADCASTS: feed.heard},
        background={"live feed": feed.run},
    )


DEFINITION = Definition(
    name="messaging",
    config=MessagingConfig,
    build=build,
    encoder=lambda ids, _clock: partial(wire.event_record, ids=ids),
    migrations="services.messaging.migrations",
)

if __name__ == "__main__":
    serve.main(DEFINITION)
