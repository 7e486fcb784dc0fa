"""Puts the messaging service together: `python -m services.messaging`."""

from __future__ import annotations

from functools import partial

from chassis import serve
from chassis.host import Definition, Runtime, Service
from parley.messaging.v1.messaging_service_pb2_grpc import add_MessagingServiceServicer_to_server
from services.messaging.adapters.conversation_repository import ConversationRepository
from services.messaging.adapters.live_feed import BROADCASTS, BroadcastFeed
from services.messaging.adapters.outcome_repository import OutcomeRepository
from services.messaging.adapters.profile_repository import ProfileRepository
from services.messaging.adapters.timeline_repository import TimelineRepository
from services.messaging.app.conversations import ConversationQueries
from services.messaging.app.inquiries import InquiryCommands
from services.messaging.app.lifecycle import LifecycleCommands
from services.messaging.app.messages import MessageCommands
from services.messaging.app.outcomes import OutcomeQueries, OutcomeReactions
from services.messaging.app.participants import ParticipantCommands
from services.messaging.app.profiles import ProfileCommands, ProfileQueries
from services.messaging.app.reactions import Reactions
from services.messaging.app.timeline import TimelineQueries
from services.messaging.config import MessagingConfig
from services.messaging.entrypoints.conversation_methods import ConversationRooms
from services.messaging.entrypoints.events import subscriptions
from services.messaging.entrypoints.grpc import MessagingServicer
from services.messaging.entrypoints.message_methods import MessageRooms
from services.messaging.entrypoints.profile_methods import ProfileRooms
from services.messaging.wire.events import event_record


def build(runtime: Runtime[MessagingConfig]) -> Service:
    """Every room of messaging, connected."""
    database, clock, ids = runtime.database, runtime.clock, runtime.ids
    store, timelines, feed = ConversationRepository(), TimelineRepository(), BroadcastFeed(runtime.bus)
    people = ProfileRepository()
    outcomes = OutcomeRepository()
    servicer = MessagingServicer(
        conversations=ConversationRooms(
            InquiryCommands(database, store, timelines, feed, clock=clock, ids=ids),
            ConversationQueries(database, store, clock),
            LifecycleCommands(database, store, timelines, feed, clock=clock, ids=ids),
            OutcomeQueries(database, outcomes),
        ),
        messages=MessageRooms(
            MessageCommands(database, store, timelines, feed, clock=clock, ids=ids),
            TimelineQueries(database, store, timelines, feed),
        ),
        participants=ParticipantCommands(database, store, timelines, feed, clock=clock, ids=ids),
        profiles=ProfileRooms(
            ProfileCommands(database, people, clock), ProfileQueries(database, people, clock)
        ),
    )
    return Service(
        add_servicers=partial(add_MessagingServiceServicer_to_server, servicer),
        subscriptions=subscriptions(
            Reactions(database, store, timelines, outcomes, feed), OutcomeReactions(database, outcomes)
        ),
        broadcasts={BROADCASTS: feed.heard},
        background={"live feed": feed.run},
    )


DEFINITION = Definition(
    name="messaging",
    config=MessagingConfig,
    build=build,
    encoder=lambda ids, _clock: partial(event_record, ids=ids),
    migrations="services.messaging.migrations",
)

if __name__ == "__main__":
    serve.main(DEFINITION)
