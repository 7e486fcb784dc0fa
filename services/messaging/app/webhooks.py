"""Endpoints of sellers, and the deliveries to them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from chassis.call import Call
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found
from services.messaging.app.webhook_addresses import checked_url
from services.messaging.app.webhook_ports import Webhooks, WebhookTransport
from services.messaging.domain import webhook, webhook_refusals
from services.messaging.domain.timeline import Entry
from services.messaging.domain.webhook import Delivery, Endpoint, EndpointState

DELIVER: Final = "webhook"
"""The timer of the deliveries of one conversation to one endpoint, which come one after another."""
AGAIN: Final = "webhook_again"
"""The timer of a delivery that somebody asked for."""


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """`seller` is `sellers/{seller}`."""

    seller: str
    url: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """`parent` is a seller or an endpoint."""

    parent: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class WithSecret:
    """An endpoint whose secret is shown this once."""

    endpoint: Endpoint
    secret: str


class WebhookTeller:
    """Keeps what is to be told, in the transaction of what happened."""

    def __init__(self, hooks: Webhooks, clock: Clock) -> None:
        self._hooks = hooks
        self._clock = clock

    async def tell(self, tx: Transaction, entry: Entry) -> None:
        """Queues an entry for each endpoint; where nothing waits before it, its turn is now."""
        message = webhook.message_of(entry)
        if message is None:
            return
        kind, body = message
        for first in await self._hooks.queue(tx, entry, kind=kind, body=body):
            tx.schedule(DELIVER, _queue(first.endpoint, first.conversation), self._clock.now())


class WebhookCommands:
    """What owners do with their endpoints."""

    def __init__(self, database: Database, hooks: Webhooks, *, clock: Clock, ids: Ids, local: bool) -> None:
        self._database = database
        self._hooks = hooks
        self._clock = clock
        self._ids = ids
        self._local = local

    async def create(self, call: Call, command: CreateEndpoint) -> WithSecret:
        """Adds an endpoint. Refusals: WEBHOOK_URL_INVALID, TOO_MANY_WEBHOOK_ENDPOINTS."""
        url = checked_url(command.url, local=self._local)

        async def work(tx: Transaction) -> WithSecret:
            if await self._hooks.count(tx, command.seller) >= webhook.ENDPOINT_LIMIT:
                raise webhook_refusals.too_many_endpoints(command.seller, webhook.ENDPOINT_LIMIT)
            made = Endpoint(command.seller, self._ids.new(), url, _new_secret(), self._clock.now())
            await self._hooks.add(tx, made)
            return WithSecret(made, made.secret)

        return await self._database.command(call, work)

    async def rotate(self, call: Call, name: str) -> WithSecret:
        """Makes a new secret. Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> WithSecret:
            found = await self._found(tx, name)
            changed = webhook.rotated(found, _new_secret(), self._clock.now())
            await self._hooks.save(tx, changed)
            return WithSecret(changed, changed.secret)

        return await self._database.command(call, work)

    async def enable(self, call: Call, name: str) -> Endpoint:
        """Has an endpoint told again from now on. Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> Endpoint:
            found = await self._found(tx, name)
            changed = webhook.enabled(found)
            if changed is not found:
                await self._hooks.save(tx, changed)
            return changed

        return await self._database.command(call, work)

    async def delete(self, call: Call, name: str) -> None:
        """Removes an endpoint. Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> None:
            await self._hooks.remove(tx, await self._found(tx, name))

        return await self._database.command(call, work)

    async def redeliver(self, call: Call, name: str) -> Delivery:
        """Has a delivery tried once more. Refusals: NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED."""

        async def work(tx: Transaction) -> Delivery:
            endpoint = await self._found(tx, name.partition("/deliveries/")[0])
            found = await self._hooks.delivery(tx, name)
            if found is None:
                raise not_found(name)
            if endpoint.state is EndpointState.DISABLED:
                raise webhook_refusals.endpoint_disabled(endpoint.name)
            tx.schedule(AGAIN, name, self._clock.now())
            return found

        return await self._database.command(call, work)

    async def _found(self, tx: Transaction, name: str) -> Endpoint:
        found = await self._hooks.endpoint(tx, name, locked=True)
        if found is None:
            raise not_found(name)
        return found


class WebhookQueries:
    """What owners see of their endpoints."""

    def __init__(self, database: Database, hooks: Webhooks) -> None:
        self._database = database
        self._hooks = hooks

    async def endpoints(self, call: Call, query: ListOf) -> Page[Endpoint]:
        """Those of a seller."""
        return await self._database.read_for(
            call, lambda tx: self._hooks.endpoints(tx, query.parent, query.page)
        )

    async def deliveries(self, call: Call, query: ListOf) -> Page[Delivery]:
        """Those of an endpoint. Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> Page[Delivery]:
            if await self._hooks.endpoint(tx, query.parent) is None:
                raise not_found(query.parent)
            return await self._hooks.deliveries(tx, query.parent, query.page)

        return await self._database.read_for(call, work)


class WebhookTimers:
    """Carries what waits; the endpoint is called outside of every transaction."""

    def __init__(
        self, database: Database, hooks: Webhooks, transport: WebhookTransport, clock: Clock
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._transport = transport
        self._clock = clock

    async def deliver(self, timer: DueTimer) -> None:
        """Tries the delivery whose turn it is, and sets the time of the next attempt or the next delivery."""
        name, conversation = timer.key.split(" ")

        async def look(tx: Transaction) -> tuple[Endpoint | None, Delivery | None]:
            return await self._hooks.endpoint(tx, name), await self._hooks.first(tx, name, conversation)

        endpoint, found = await self._database.read_as_process(look)
        if endpoint is None or found is None or endpoint.state is EndpointState.DISABLED:
            await self._database.discard(timer)
            return
        answer = await self._post(endpoint, found)

        async def work(tx: Transaction) -> None:
            await self._lock(tx, name, conversation, answer)
            current, now = await self._hooks.first(tx, name, conversation, locked=True), self._clock.now()
            if current is not None and current.id == found.id:
                changed, due = webhook.attempted(current, answer, now)
                await self._hooks.update(tx, current, changed)
                if due is not None:
                    tx.schedule(DELIVER, timer.key, due)
                    return
            await self._go_on(tx, name, conversation, answer)

        await self._database.fire(timer, work)

    async def again(self, timer: DueTimer) -> None:
        """Tries a delivery once, beside the order of the others."""
        name = endpoint_of(timer.key)

        async def look(tx: Transaction) -> tuple[Endpoint | None, Delivery | None]:
            return await self._hooks.endpoint(tx, name), await self._hooks.delivery(tx, timer.key)

        endpoint, found = await self._database.read_as_process(look)
        if endpoint is None or found is None or endpoint.state is EndpointState.DISABLED:
            await self._database.discard(timer)
            return
        answer = await self._post(endpoint, found)

        async def work(tx: Transaction) -> None:
            await self._lock(tx, name, found.conversation, answer)
            head = await self._hooks.first(tx, name, found.conversation)
            current = await self._hooks.delivery(tx, timer.key, locked=True)
            if current is not None:
                changed = webhook.again(current, answer, self._clock.now())
                await self._hooks.update(tx, current, changed)
            was_next = head is not None and head.id == found.id
            if answer.status == webhook.GONE or (answer.taken and was_next):
                await self._go_on(tx, name, found.conversation, answer)

        await self._database.fire(timer, work)

    async def _lock(self, tx: Transaction, name: str, conversation: str, answer: webhook.Answer) -> None:
        """Whoever adds an entry meanwhile either sees what still waits, or is seen. An endpoint that has gone
        is locked before its deliveries: several of them learn it at the same time.
        """
        await self._hooks.lock(tx, conversation)
        if answer.status == webhook.GONE:
            await self._hooks.endpoint(tx, name, locked=True)

    async def _go_on(self, tx: Transaction, name: str, conversation: str, answer: webhook.Answer) -> None:
        """The next delivery has its turn; where the endpoint has gone, none has."""
        if answer.status == webhook.GONE:
            await self._disable(tx, name)
        elif await self._hooks.first(tx, name, conversation) is not None:
            tx.schedule(DELIVER, _queue(name, conversation), self._clock.now())

    async def _post(self, endpoint: Endpoint, delivery: Delivery) -> webhook.Answer:
        headers = webhook.headers(endpoint, delivery, self._clock.now())
        return await self._transport.post(endpoint.url, delivery.body.encode(), headers)

    async def _disable(self, tx: Transaction, name: str) -> None:
        endpoint = await self._hooks.endpoint(tx, name, locked=True)
        if endpoint is not None:
            await self._hooks.save(tx, webhook.disabled(endpoint))
            await self._hooks.give_up(tx, name)


def endpoint_of(key: str) -> str:
    """The endpoint of a timer."""
    return key.partition(" ")[0].partition("/deliveries/")[0]


def _queue(endpoint: str, conversation: str) -> str:
    return f"{endpoint} {conversation}"


def _new_secret() -> str:
    return webhook.secret_text(secrets.token_bytes(webhook.SECRET_BYTES))
