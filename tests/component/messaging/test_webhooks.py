"""Webhooks as a receiver sees them: signed, in order, repeated, and never more than facts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from chassis.kernel.clock import ManualClock, SystemClock
from chassis.kernel.refusal import Kind
from chassis.testing import Backends, refused, running, seller
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import webhook_pb2 as hooks
from services.messaging.__main__ import DEFINITION
from services.messaging.domain.webhook import JITTER, PAUSES
from tests.component.messaging.conftest import ANA, OLGA, OTTO, RIVAL, Scene
from tests.component.messaging.mailbox import Mailbox, update

STATES = hooks.WebhookDelivery


@dataclass
class Receiver:
    """A seller's own system. It answers with the first of `answers`, the last one for ever; while `holding`
    is set, what arrives waits for its answer in `held`.
    """

    answers: list[int] = field(default_factory=lambda: [200])
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    holding: bool = False
    held: asyncio.Queue[asyncio.Future[int]] = field(default_factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:] if line)
        }
        self.received.append((headers, await reader.readexactly(int(headers["content-length"]))))
        if self.holding:
            answer = asyncio.get_running_loop().create_future()
            self.held.put_nowait(answer)
            status = await answer
        else:
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        location = "Location: http://127.0.0.1:1/\r\n" if status == 302 else ""
        writer.write(
            f"HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        writer.close()

    def texts(self) -> list[str]:
        """What was told, in order."""
        return [json.loads(body)["type"] for _, body in self.received]


@asynccontextmanager
async def listening(
    backends: Backends, tmp_path: Path, **settings: Any
) -> AsyncIterator[tuple[Scene, Receiver]]:
    """Messaging that may reach this machine, on a clock that stands at the present: receivers look at it."""
    receiver, clock = Receiver(), ManualClock(SystemClock().now())
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    files = (tmp_path / "files").as_uri()
    async with running(
        DEFINITION, backends, clock=clock, attachments_url=files, webhooks_local=True, **settings
    ) as service:
        yield Scene(service, ForeignProducer(service.host.bus), clock), receiver
    server.close()


async def create(scene: Scene, url: str) -> Any:
    request = hooks.CreateWebhookEndpointRequest(parent="sellers/acme", url=url)
    return await scene.of(OTTO).CreateWebhookEndpoint(request)


async def deliveries(scene: Scene, endpoint: str) -> list[Any]:
    """The newest first."""
    request = hooks.ListWebhookDeliveriesRequest(parent=endpoint)
    return list((await scene.of(OTTO).ListWebhookDeliveries(request)).webhook_deliveries)


@pytest.mark.covers("X07")
async def test_a_receiver_verifies_what_it_is_told(backends: Backends, tmp_path: Path) -> None:
    async with listening(backends, tmp_path) as (scene, receiver):
        made = await create(scene, receiver.url)
        endpoint = made.webhook_endpoint.name
        name = (await scene.inquiry("A secret text")).conversation.name
        await scene.say(OTTO, name, "For the team", kind=2)
        await scene.service.settle()
        assert receiver.texts() == ["inquiry.started", "message.sent"]
        for headers, body in receiver.received:
            told = Webhook(made.secret).verify(body, headers)
            assert told["data"]["conversation"] == name
            assert set(told["data"]) <= {"conversation", "entry", "side", "resource", "attachments"}
            assert b"secret" not in body
            with pytest.raises(WebhookVerificationError):
                Webhook(made.secret).verify(body + b" ", headers)
        assert [(one.state, one.status, one.attempts) for one in await deliveries(scene, endpoint)] == [
            (STATES.STATE_DELIVERED, 200, 1)
        ] * 2
        assert receiver.received[1][0]["webhook-id"] == (await deliveries(scene, endpoint))[0].name[-36:]

        # Two secrets hold while the owner changes them; then the new one alone.
        rotated = await scene.of(OTTO).RotateWebhookSecret(hooks.RotateWebhookSecretRequest(name=endpoint))
        assert rotated.secret != made.secret
        await scene.say(ANA, name, "More")
        await scene.service.settle()
        headers, body = receiver.received[-1]
        for secret in (made.secret, rotated.secret):
            assert Webhook(secret).verify(body, headers)
        listed = hooks.ListWebhookEndpointsRequest(parent="sellers/acme")
        (shown,) = (await scene.of(OTTO).ListWebhookEndpoints(listed)).webhook_endpoints
        assert shown.HasField("old_secret_expire_time")
        assert "whsec" not in str(shown)
        scene.clock.advance(timedelta(hours=24))
        await scene.say(ANA, name, "Later")
        await scene.service.settle()
        assert len(receiver.received[-1][0]["webhook-signature"].split()) == 1

        # Whoever asks for it gets it once more, with the same id.
        before = len(receiver.received)
        again = hooks.RedeliverWebhookRequest(name=(await deliveries(scene, endpoint))[-1].name)
        await scene.of(OTTO).RedeliverWebhook(again)
        await scene.service.settle()
        assert len(receiver.received) == before + 1
        assert receiver.received[-1][0]["webhook-id"] == again.name[-36:]
        await scene.of(OTTO).DeleteWebhookEndpoint(hooks.DeleteWebhookEndpointRequest(name=endpoint))
        await scene.say(ANA, name, "Nobody hears")
        await scene.service.settle()
        assert len(receiver.received) == before + 1


@pytest.mark.covers("X07")
async def test_what_is_not_taken_is_repeated_and_holds_up_its_conversation(
    backends: Backends, tmp_path: Path
) -> None:
    async with listening(backends, tmp_path) as (scene, receiver):
        first = (await scene.inquiry()).conversation.name
        endpoint = (await create(scene, receiver.url)).webhook_endpoint.name
        receiver.answers = [500, 302, 200]
        scene.clock.advance(timedelta(seconds=1))
        await scene.say(ANA, first, "One")
        await scene.service.settle()
        await scene.say(ANA, first, "Two")
        await scene.service.settle()
        assert len(receiver.received) == 1
        for pause in PAUSES[:2]:
            before = len(receiver.received)
            await scene.service.advance(pause - timedelta(seconds=1))
            assert len(receiver.received) == before
            await scene.service.advance(pause * JITTER + timedelta(seconds=1))
        ids = [headers["webhook-id"] for headers, _ in receiver.received]
        assert ids[0] == ids[1] == ids[2] != ids[3]
        assert len(ids) == 4
        states = [(one.state, one.attempts) for one in await deliveries(scene, endpoint)]
        assert states == [(STATES.STATE_DELIVERED, 1), (STATES.STATE_DELIVERED, 3)]

        # After the last repetition it is given up, and the next one has its turn.
        receiver.answers = [503]
        await scene.say(ANA, first, "Three")
        await scene.service.settle()
        for pause in PAUSES:
            await scene.service.advance(pause * (1 + JITTER))
        (given_up, *_) = await deliveries(scene, endpoint)
        assert (given_up.state, given_up.attempts, given_up.status) == (STATES.STATE_FAILED, 10, 503)
        receiver.answers = [410]
        await scene.say(ANA, first, "Four")
        await scene.service.settle()
        before = len(receiver.received)
        await scene.say(ANA, first, "Five")
        await scene.service.settle()
        assert len(receiver.received) == before
        listed = hooks.ListWebhookEndpointsRequest(parent="sellers/acme")
        (shown,) = (await scene.of(OTTO).ListWebhookEndpoints(listed)).webhook_endpoints
        assert shown.state == hooks.WebhookEndpoint.STATE_DISABLED
        refusal = await refused(
            scene.of(OTTO).RedeliverWebhook(hooks.RedeliverWebhookRequest(name=given_up.name))
        )
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "WEBHOOK_ENDPOINT_DISABLED")
        await _enabled_again(scene, receiver, first, given_up.name)


async def _enabled_again(scene: Scene, receiver: Receiver, conversation: str, given_up: str) -> None:
    """Its owner has an endpoint told again: what happened meanwhile stays untold."""
    endpoint, before = given_up.partition("/deliveries/")[0], len(receiver.received)
    receiver.answers = [200]
    enabling = hooks.EnableWebhookEndpointRequest(name=endpoint)
    for _ in range(2):
        shown = (await scene.of(OTTO).EnableWebhookEndpoint(enabling)).webhook_endpoint
        assert shown.state == hooks.WebhookEndpoint.STATE_ENABLED
    await scene.say(ANA, conversation, "Six")
    await scene.service.settle()
    assert len(receiver.received) == before + 1
    await scene.of(OTTO).RedeliverWebhook(hooks.RedeliverWebhookRequest(name=given_up))
    await scene.service.settle()
    found = {one.name: one.state for one in await deliveries(scene, endpoint)}
    assert found[given_up] == STATES.STATE_DELIVERED


async def test_attempts_that_meet_leave_what_is_right(backends: Backends, tmp_path: Path) -> None:
    async with listening(backends, tmp_path) as (scene, receiver):
        first, second = [(await scene.inquiry()).conversation.name for _ in range(2)]
        endpoint = (await create(scene, receiver.url)).webhook_endpoint.name
        scene.clock.advance(timedelta(seconds=1))

        async def redeliver(number: int) -> None:
            name = (await deliveries(scene, endpoint))[number].name
            await scene.of(OTTO).RedeliverWebhook(hooks.RedeliverWebhookRequest(name=name))

        async def states() -> list[tuple[int, int]]:
            return [(one.state, one.attempts) for one in await deliveries(scene, endpoint)]

        # What somebody asked for is taken: whatever waited behind it has its turn, and not before.
        receiver.answers = [500, 200]
        await scene.say(ANA, first, "One")
        await scene.service.settle()
        await scene.say(ANA, first, "Two")
        await scene.service.settle()
        assert len(receiver.received) == 1
        await redeliver(1)
        await scene.service.settle()
        assert await states() == [(STATES.STATE_DELIVERED, 1), (STATES.STATE_DELIVERED, 2)]

        # An attempt that ends after another one does not take back what that one reached.
        receiver.holding = True
        await scene.say(ANA, first, "Three")
        slow = await receiver.held.get()
        receiver.holding = False
        await redeliver(0)
        await scene.say(ANA, first, "Four")
        while (await states())[1] != (STATES.STATE_DELIVERED, 1):
            pass
        slow.set_result(500)
        await scene.service.settle()
        assert (await states())[:2] == [(STATES.STATE_DELIVERED, 1)] * 2

        # Nor does it revive what was given up together with its endpoint.
        receiver.holding = True
        await scene.say(ANA, first, "Five")
        slow = await receiver.held.get()
        await scene.say(ANA, second, "Six")
        (await receiver.held.get()).set_result(410)
        while (await states())[0][0] != STATES.STATE_FAILED:
            pass
        slow.set_result(500)
        await scene.service.settle()
        assert [state for state, _ in (await states())[:2]] == [STATES.STATE_FAILED] * 2


async def test_endpoints_that_hang_hold_up_nobody_else(backends: Backends, tmp_path: Path) -> None:
    async with listening(backends, tmp_path, mail_folder=tmp_path / "mail") as (scene, receiver):
        told = Receiver()
        async with await asyncio.start_server(told.serve, "127.0.0.1", 0) as other:
            told.url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/hook"
            receiver.holding = True
            names = [f"sellers/s{number}" for number in range(20)]
            for name in names:
                owner = scene.of(seller(name.partition("/")[2]))
                made = hooks.CreateWebhookEndpointRequest(parent=name, url=receiver.url)
                await owner.CreateWebhookEndpoint(made)
            made = hooks.CreateWebhookEndpointRequest(parent="sellers/acme", url=told.url)
            await scene.of(OTTO).CreateWebhookEndpoint(made)
            scene.clock.advance(timedelta(seconds=1))
            for name in names:
                await scene.of(ANA).CreateInquiry(pb.CreateInquiryRequest(seller=name, title="A", text="B"))
            async with asyncio.timeout(8):
                held = [await receiver.held.get() for _ in names]
                await scene.inquiry()
                await update(scene, ANA, email="ana@mail.example")
                while not Mailbox(tmp_path / "mail").all() or not told.received:
                    await scene.names(ANA)
            receiver.holding = False
            for answer in held:
                answer.set_result(200)
            await scene.service.settle()


async def test_webhooks_are_the_owners(scene: Scene) -> None:
    made = await create(scene, "https://example.org/hook")
    name = made.webhook_endpoint.name
    calls = {
        "CreateWebhookEndpoint": hooks.CreateWebhookEndpointRequest(
            parent="sellers/acme", url="https://x.org"
        ),
        "ListWebhookEndpoints": hooks.ListWebhookEndpointsRequest(parent="sellers/acme"),
        "RotateWebhookSecret": hooks.RotateWebhookSecretRequest(name=name),
        "EnableWebhookEndpoint": hooks.EnableWebhookEndpointRequest(name=name),
        "DeleteWebhookEndpoint": hooks.DeleteWebhookEndpointRequest(name=name),
        "ListWebhookDeliveries": hooks.ListWebhookDeliveriesRequest(parent=name),
        "RedeliverWebhook": hooks.RedeliverWebhookRequest(name=f"{name}/deliveries/{name[-36:]}"),
    }
    for method, request in calls.items():
        for who, reason in ((OLGA, "PERMISSION_DENIED"), (RIVAL, "NOT_FOUND"), (ANA, "NOT_FOUND")):
            assert (await refused(getattr(scene.of(who), method)(request))).reason == reason
    # Another seller's endpoint is not found under his own name either.
    stolen = name.replace("acme", "rival")
    refusal = await refused(
        scene.of(RIVAL).RotateWebhookSecret(hooks.RotateWebhookSecretRequest(name=stolen))
    )
    assert refusal.reason == "NOT_FOUND"
    assert (await refused(scene.of(OTTO).RedeliverWebhook(calls["RedeliverWebhook"]))).reason == "NOT_FOUND"
    for url in ("http://example.org/", "https://127.0.0.1/", "https://localhost/"):
        assert (await refused(create(scene, url))).reason == "WEBHOOK_URL_INVALID"
    for number in range(4):
        await create(scene, f"https://example.org/{number}")
    refusal = await refused(create(scene, "https://example.org/more"))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TOO_MANY_WEBHOOK_ENDPOINTS")
    request = hooks.CreateWebhookEndpointRequest(parent="sellers/rival", url="https://x.org", request_id="k1")
    first = await scene.of(RIVAL).CreateWebhookEndpoint(request)
    assert await scene.of(RIVAL).CreateWebhookEndpoint(request) == first
