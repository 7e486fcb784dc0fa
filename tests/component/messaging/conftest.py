"""A running messaging service and the people around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.type.money_pb2 import Money
from sqlalchemy import text

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, Identity, RunningService, buyer, running, seller
from chassis.testing.producer import ForeignProducer
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import order_request_pb2
from parley.messaging.v1 import conversation_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2
from services.messaging.__main__ import DEFINITION

ANA, BEN = buyer("ana"), buyer("ben")
OTTO, OLGA = seller("acme", user="otto"), seller("acme", "agent", user="olga")
RIVAL = seller("rival")
REQUEST = "0190a000-0000-7000-8000-000000000001"
OFFER = "0190a000-0000-7000-8000-000000000002"
OF_REQUEST, OF_ORDER = f"conversations/{REQUEST}", f"conversations/{OFFER}"


@dataclass
class Scene:
    """The service, and what the others would tell it."""

    service: RunningService
    others: ForeignProducer
    clock: ManualClock

    def of(self, who: Identity) -> Any:
        """The API as `who` calls it."""
        return MessagingServiceStub(self.service.channel(who))

    async def inquiry(self, text: str = "Do you draw owls?", *, by: Identity = ANA) -> Any:
        """A conversation that a buyer began with acme."""
        return await self.of(by).CreateInquiry(
            pb.CreateInquiryRequest(seller="sellers/acme", title="A logo", text=text, marketplace="craftfair")
        )

    async def say(self, who: Identity, conversation: str, text: str, **fields: object) -> str:
        """Sends a message; its name."""
        request = pb.SendMessageRequest(parent=conversation, text=text, **fields)  # type: ignore[arg-type]
        return str((await self.of(who).SendMessage(request)).message.name)

    async def see(self, who: Identity, conversation: str) -> conversation_pb2.Conversation:
        """The conversation as `who` sees it."""
        answer: pb.GetConversationResponse = await self.of(who).GetConversation(
            pb.GetConversationRequest(name=conversation)
        )
        return answer.conversation

    async def names(self, who: Identity, **fields: object) -> list[str]:
        """The names of the conversations in a list of `who`: acme's for its team."""
        seller = "" if who in (ANA, BEN) else "sellers/acme"
        request = pb.ListConversationsRequest(seller=seller, **fields)  # type: ignore[arg-type]
        return [each.name for each in (await self.of(who).ListConversations(request)).conversations]

    async def timeline(self, who: Identity, conversation: str, **fields: object) -> list[str]:
        """The whole timeline as readable words: the text of a message, the type of an event."""
        words, token = [], ""
        while True:
            request = pb.ListTimelineRequest(parent=conversation, page_token=token, **fields)  # type: ignore[arg-type]
            answer = await self.of(who).ListTimeline(request)
            for entry in answer.entries:
                event = entry.event
                words.append(
                    entry.message.text
                    if entry.HasField("message")
                    else event.Type.Name(event.type).removeprefix("TYPE_")
                )
            token = answer.next_page_token
            if not token:
                return words


@pytest.fixture
def files_url(tmp_path: Path) -> str:
    """Where documents are kept; in either kind of store, below `files`."""
    return (tmp_path / "files").as_uri()


@pytest.fixture
async def scene(backends: Backends, clock: ManualClock, files_url: str) -> AsyncIterator[Scene]:
    """Messaging alone; the other services speak through `others`."""
    async with running(DEFINITION, backends, clock=clock, attachments_url=files_url) as service:
        yield Scene(service, ForeignProducer(service.host.bus), clock)


async def rows(scene: Scene) -> tuple[int, ...]:
    """How much is stored; a refused call leaves all of it as it was."""
    counts = []
    for table in ("conversation", "timeline_entry", "outbox", "idempotency"):
        counting = partial(Transaction.scalar, statement=text(f"SELECT count(*) FROM {table}"))
        counts.append(await scene.service.host.database.read_as_process(counting))
    return tuple(counts)


async def begin_request(scene: Scene) -> None:
    """An order request of ana to acme, and with it `OF_REQUEST`."""
    submitted = gating_events.OrderRequestSubmitted(order_request=request_facts(1))
    await scene.others.publish(
        submitted, aggregate=f"orderRequests/{REQUEST}", version=1, time=scene.clock.now()
    )
    await scene.service.settle()


def request_facts(version: int) -> gating_events.OrderRequestFacts:
    """An order request of ana to acme."""
    return gating_events.OrderRequestFacts(
        name=f"orderRequests/{REQUEST}",
        version=version,
        seller="sellers/acme",
        buyer="users/ana",
        package="sellers/acme/listings/logo/packages/basic",
        state=order_request_pb2.OrderRequest.STATE_PENDING,
    )


def offer_facts(version: int, *, accepted: bool = False, **changes: object) -> offers_events.OfferFacts:
    """The offer that answers it."""
    facts = offers_events.OfferFacts(
        name=f"offers/{OFFER}",
        version=version,
        seller="sellers/acme",
        buyer="users/ana",
        order_request=f"orderRequests/{REQUEST}",
        order=f"orders/{OFFER}" if accepted else "",
        on_accept=offer_pb2.Offer.ON_ACCEPT_CREATE_ORDER,
        state=offer_pb2.Offer.STATE_ACCEPTED if accepted else offer_pb2.Offer.STATE_OPEN,
        revision=version,
        author=offer_pb2.OfferRevision.AUTHOR_SELLER,
        total=Money(currency_code="EUR", units=120),
    )
    for field, value in changes.items():
        setattr(facts, field, value)
    return facts
