"""Messaging beside offers, the mails with links that it writes, and people who use them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

from google.type.money_pb2 import Money
from sqlalchemy import text

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, Identity, RunningService
from chassis.testing.producer import ForeignProducer
from chassis.testing.service import ANONYMOUS, running_together
from parley.messaging.v1 import magic_link_pb2 as pb
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2, offers_service_pb2
from parley.offers.v1.offers_service_pb2_grpc import OffersServiceStub
from parley.type.v1 import commerce_pb2
from services.messaging.__main__ import DEFINITION
from services.offers.__main__ import DEFINITION as OFFERS
from tests.component.messaging.conftest import ANA, OTTO, Scene
from tests.component.messaging.mailbox import LINK, Mailbox, html_of, reachable, text_of

SITE = "https://parley.example"


@dataclass
class LinkOffice(Scene):
    """Messaging whose mails go into `box`, and offers unless it is away."""

    box: Mailbox
    offers: RunningService | None
    tokens: list[str] = field(default_factory=list)

    def links(self, mail: EmailMessage) -> list[str]:
        """The tokens of the links by which the reader of a mail answers."""
        shown = [link for link in LINK.findall(text_of(mail)) if link.startswith(f"{SITE}/act#link=")]
        assert all(link in html_of(mail) for link in shown)
        found = [link.partition("#link=")[2] for link in shown]
        self.tokens += found
        return found

    async def settle(self) -> None:
        for _ in range(2):
            for running_service in filter(None, (self.offers, self.service)):
                await running_service.settle()

    async def look(self, token: str, who: Identity | None = None) -> pb.MagicLink:
        """GetMagicLink, as anybody."""
        answer: pb.GetMagicLinkResponse = await self.of(who or ANONYMOUS).GetMagicLink(
            pb.GetMagicLinkRequest(token=token)
        )
        return answer.link

    async def act(self, token: str, action: str, **fields: Any) -> pb.UseMagicLinkResponse:
        """UseMagicLink, as nobody."""
        request = pb.UseMagicLinkRequest(token=token, action=action, **fields)
        answer: pb.UseMagicLinkResponse = await self.of(ANONYMOUS).UseMagicLink(request)
        return answer

    def of_offers(self, who: Identity) -> Any:
        """The API of offers as `who` calls it."""
        assert self.offers is not None
        return OffersServiceStub(self.offers.channel(who))

    async def offer(self, conversation: str, units: int = 120, **changes: Any) -> offer_pb2.Offer:
        """An open offer of acme that answers an inquiry."""
        request = offers_service_pb2.CreateOfferRequest(
            conversation=conversation, terms=terms(units, **changes), send=True
        )
        made: offers_service_pb2.CreateOfferResponse = await self.of_offers(OTTO).CreateOffer(request)
        await self.settle()
        return made.offer

    async def rows(self, statement: str, *, of: RunningService | None = None) -> list[tuple[Any, ...]]:
        """What is stored."""
        asking = partial(Transaction.fetch_all, statement=text(statement))
        host = (of or self.service).host
        return [tuple(row) for row in await host.database.read_as_process(asking)]

    async def written(self) -> list[Any]:
        """All that a call could have changed."""
        own = ("conversation", "timeline_entry", "outbox", "idempotency", "magic_link", "timer")
        wanted = [(table, self.service) for table in own]
        if self.offers is not None:
            wanted += [(table, self.offers) for table in ("offer", "outbox", "idempotency")]
        return [
            await self.rows(f"SELECT t::text FROM {table} t ORDER BY 1", of=host) for table, host in wanted
        ]

    async def events(self, kind: str) -> list[offers_events.OfferFacts]:
        """The facts of the events of offers of one kind."""
        assert self.offers is not None
        rows = await self.rows(
            f"SELECT body FROM outbox WHERE type = 'parley.offers.v1.{kind}' ORDER BY time", of=self.offers
        )
        return [getattr(offers_events, kind).FromString(body).offer for (body,) in rows]


def terms(units: int, **changes: Any) -> offer_pb2.OfferTerms:
    """One position, paid offline unless said otherwise."""
    made = offer_pb2.OfferTerms(
        line_items=[
            commerce_pb2.LineItem(
                title="Logo", quantity=1, unit_price=Money(currency_code="EUR", units=units)
            )
        ],
        delivery_days=7,
        payment_method=commerce_pb2.PAYMENT_METHOD_OFFLINE,
    )
    made.MergeFrom(offer_pb2.OfferTerms(**changes))
    return made


@asynccontextmanager
async def office(backends: Backends, clock: ManualClock, folder: Path) -> AsyncIterator[LinkOffice]:
    """Messaging and offers, which know each other, and people with addresses."""
    own: dict[str, Any] = {
        "mail_folder": folder,
        "public_url": f"{SITE}/",
        "attachments_url": (folder.parent / "files").as_uri(),
    }
    async with running_together(
        (OFFERS, DEFINITION), backends, clock=clock, settings={"messaging": own}
    ) as services:
        main = services["messaging"]
        made = LinkOffice(
            main, ForeignProducer(main.host.bus), clock, box=Mailbox(folder), offers=services["offers"]
        )
        await reachable(made, made.box, ANA, display_name="Ana M.")
        await reachable(made, made.box, OTTO, locale="de")
        yield made
