"""Where what is kept about a person comes from: the other services, and this one's own database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc

from chassis.db import Database
from chassis.erasure import bound
from chassis.kernel.page import Cursor, Page, PageRequest
from chassis.personal_data import PersonalRecord, records
from parley.gating.v1 import personal_data_pb2 as gating
from parley.gating.v1.gating_service_pb2_grpc import GatingServiceStub
from parley.offers.v1 import personal_data_pb2 as offers
from parley.offers.v1.offers_service_pb2_grpc import OffersServiceStub
from parley.orders.v1 import personal_data_pb2 as orders
from parley.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from services.messaging.adapters.personal_data import KINDS, UPLOADED
from services.messaging.app.personal_data import PAGE_RECORDS, Upload

_UPLOADED = bound(UPLOADED)


class OwnRecords:
    """Implements `app.personal_data.RecordSource` and `Uploads`."""

    name = "messaging"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, user: str, cursor: Cursor | None) -> Page[PersonalRecord]:
        """From the database."""
        request = PageRequest(PAGE_RECORDS, cursor)
        return await self._database.read_as_process(lambda tx: records(tx, KINDS, user, request))

    async def uploads(self, user: str) -> Sequence[Upload]:
        """The files of a person."""
        rows = await self._database.read_as_process(lambda tx: tx.fetch_all(_UPLOADED, {"user": user}))
        return [Upload(row.id, row.key, row.filename) for row in rows]


class PeerRecords:
    """Implements `app.personal_data.RecordSource`: a peer's pages, whose tokens are the cursors."""

    def __init__(self, name: str, call: Callable[[Any], Awaitable[Any]], request: Callable[..., Any]) -> None:
        self.name = name
        self._call = call
        self._request = request

    async def page(self, user: str, cursor: Cursor | None) -> Page[PersonalRecord]:
        """From the peer. Refusal UNAVAILABLE."""
        token = "" if cursor is None else cursor[0]
        asked = self._request(parent=user, page_size=PAGE_RECORDS, page_token=token)
        answer = await self._call(asked)
        items = tuple(PersonalRecord(each.kind, each.key, each.content) for each in answer.records)
        return Page(items, (answer.next_page_token,) if answer.next_page_token else None)


def peer_sources(
    gating_channel: grpc.aio.Channel, offers_channel: grpc.aio.Channel, orders_channel: grpc.aio.Channel
) -> list[PeerRecords]:
    """The other services."""
    return [
        PeerRecords(
            "gating",
            GatingServiceStub(gating_channel).ListGatingRecords,
            gating.ListGatingRecordsRequest,
        ),
        PeerRecords(
            "offers",
            OffersServiceStub(offers_channel).ListOffersRecords,
            offers.ListOffersRecordsRequest,
        ),
        PeerRecords(
            "orders",
            OrdersServiceStub(orders_channel).ListOrdersRecords,
            orders.ListOrdersRecordsRequest,
        ),
    ]
