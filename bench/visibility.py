"""From the acceptance of an offer to the order that its buyer can read, at a steady rate."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import asyncpg
import grpc
import nats
from google.type.money_pb2 import Money

from bench.figures import Figure
from bench.rig import Rig
from parley.messaging.v1 import messaging_service_pb2 as messaging
from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as offers
from parley.offers.v1.offers_service_pb2_grpc import OffersServiceStub
from parley.orders.v1 import orders_service_pb2 as orders
from parley.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from parley.type.v1 import commerce_pb2

RATE = 50
ACCEPTANCES = 500
PREPARING = 16
LOOK_SECONDS = 0.01
CALL_SECONDS = 20.0
P50_GOAL, P99_GOAL = 60.0, 250.0


def accept_to_visible(rig: Rig) -> Figure:
    """`ACCEPTANCES` offers at `RATE` a second; the floor is one trip over the same broker and database."""
    return asyncio.run(_measure(rig))


async def _measure(rig: Rig) -> Figure:
    ports = rig.stack.grpc
    buyer = (("authorization", f"Bearer {rig.stack.token('buyer', user='bench')}"),)
    seller = (("authorization", f"Bearer {rig.stack.token('seller', seller='acme')}"),)
    async with (
        grpc.aio.insecure_channel(ports["messaging"]) as to_messaging,
        grpc.aio.insecure_channel(ports["offers"]) as to_offers,
        grpc.aio.insecure_channel(ports["orders"]) as to_orders,
    ):
        stub: Any = OffersServiceStub(to_offers)
        names = await _prepare(MessagingServiceStub(to_messaging), stub, buyer, seller)
        await asyncio.to_thread(rig.tidy)
        floor = await _paced(lambda: _trip_of(rig))
        order_stub: Any = OrdersServiceStub(to_orders)
        measured = await _at_rate([_accept_and_look(stub, order_stub, name, buyer) for name in names])
    p50, p99 = _quantile(measured, 50), _quantile(measured, 99)
    return Figure(
        name="accept to visible order, ms",
        measured=f"p50 {p50:.0f}, p99 {p99:.0f}",
        floor=f"p50 {_quantile(floor, 50):.0f}, p99 {_quantile(floor, 99):.0f}",
        result=f"{p50 / _quantile(floor, 50):.1f} times the floor's p50",
        goal=f"p50 below {P50_GOAL:g}, p99 below {P99_GOAL:g}",
        reached=p50 < P50_GOAL and p99 < P99_GOAL,
        details=(
            f"{ACCEPTANCES} acceptances at {RATE}/s; from AcceptOffer sent to GetOrder answering the buyer",
            f"the buyer looks every {LOOK_SECONDS * 1000:g} ms, which is part of the figure and of the load",
            "floor: an event published to JetStream (synced), received, and one row committed",
        ),
    )


async def _prepare(inquire: Any, stub: Any, buyer: Any, seller: Any) -> list[str]:
    """Open offers, one for each acceptance."""
    limit = asyncio.Semaphore(PREPARING)

    async def one() -> str:
        async with limit:
            begun = await inquire.CreateInquiry(
                messaging.CreateInquiryRequest(seller="sellers/acme", title="Bench", text="A price, please."),
                metadata=buyer,
                timeout=CALL_SECONDS,
            )
            terms = offer_pb2.OfferTerms(
                line_items=[
                    commerce_pb2.LineItem(
                        title="Work", quantity=1, unit_price=Money(currency_code="EUR", units=100)
                    )
                ],
                delivery_days=5,
                payment_method=commerce_pb2.PAYMENT_METHOD_OFFLINE,
            )
            request = offers.CreateOfferRequest(conversation=begun.conversation.name, terms=terms, send=True)
            made = await stub.CreateOffer(request, metadata=seller, timeout=CALL_SECONDS)
            return str(made.offer.name)

    return list(await asyncio.gather(*(one() for _ in range(ACCEPTANCES))))


async def _accept_and_look(stub: Any, order_stub: Any, name: str, buyer: Any) -> float:
    began = time.perf_counter()
    request = offers.AcceptOfferRequest(name=name, revision=1, request_id=str(uuid.uuid4()))
    accepted = await stub.AcceptOffer(request, metadata=buyer, timeout=CALL_SECONDS)
    while time.perf_counter() - began < CALL_SECONDS:
        try:
            await order_stub.GetOrder(
                orders.GetOrderRequest(name=accepted.order), metadata=buyer, timeout=CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            await asyncio.sleep(LOOK_SECONDS)
        else:
            return time.perf_counter() - began
    raise RuntimeError(f"{accepted.order} did not appear in {CALL_SECONDS:g} s")


async def _at_rate(work: list[Any]) -> list[float]:
    """Begins one piece of work each 1/RATE s, whether the ones before are done or not."""
    began = time.perf_counter()
    tasks = []
    for number, each in enumerate(work):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(each))
    return list(await asyncio.gather(*tasks))


async def _paced(make: Any) -> list[float]:
    async with make() as trip:
        return await _at_rate([trip() for _ in range(ACCEPTANCES)])


class _trip_of:  # noqa: N801 - reads as a function where it is used
    """One event over the broker and one row into the database, by hand."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._waiting: dict[bytes, asyncio.Future[None]] = {}

    async def __aenter__(self) -> Any:
        secrets = self._rig.folder.secrets()
        self._client = await nats.connect(f"nats://{self._rig.broker}", user="parley", password=secrets.nats)
        self._stream = self._client.jetstream()
        await self._stream.add_stream(name="BENCH", subjects=["bench.>"])
        self._pool = await asyncpg.create_pool(self._rig.dsn("orders"), min_size=4)
        await self._pool.execute("CREATE TABLE IF NOT EXISTS bench_trip (id text PRIMARY KEY)")
        await self._client.subscribe("bench.trip", cb=self._received)
        return self._trip

    async def _received(self, message: Any) -> None:
        await self._pool.execute("INSERT INTO bench_trip VALUES ($1)", message.data.decode())
        self._waiting[message.data].set_result(None)

    async def _trip(self) -> float:
        began = time.perf_counter()
        body = uuid.uuid4().hex.encode()
        self._waiting[body] = asyncio.get_running_loop().create_future()
        await self._stream.publish("bench.trip", body)
        await self._waiting[body]
        return time.perf_counter() - began

    async def __aexit__(self, *_exception: object) -> None:
        await self._pool.execute("DROP TABLE bench_trip")
        await self._pool.close()
        await self._stream.delete_stream("BENCH")
        await self._client.close()


def _quantile(seconds: list[float], percent: int) -> float:
    """In milliseconds."""
    return sorted(seconds)[min(len(seconds) * percent // 100, len(seconds) - 1)] * 1000
