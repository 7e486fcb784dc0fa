"""The RPCs of webhooks: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.server import respond
from parley.messaging.v1 import webhook_pb2 as pb
from services.messaging.app.webhooks import WebhookCommands, WebhookQueries
from services.messaging.wire import webhooks as wire


@dataclass(frozen=True, slots=True)
class WebhookRooms:
    """What the methods call."""

    commands: WebhookCommands
    queries: WebhookQueries


class WebhookMethods:
    """A part of `MessagingServicer`, which sets `_webhooks`."""

    _webhooks: WebhookRooms

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, context: Any
    ) -> pb.CreateWebhookEndpointResponse:
        command = wire.create_command(request)
        return await respond(context, command, self._webhooks.commands.create, wire.create_response)

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, context: Any
    ) -> pb.ListWebhookEndpointsResponse:
        query, encode = wire.list_query(request), wire.endpoints_response(request)
        return await respond(context, query, self._webhooks.queries.endpoints, encode)

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: Any
    ) -> pb.RotateWebhookSecretResponse:
        return await respond(context, request.name, self._webhooks.commands.rotate, wire.rotate_response)

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, context: Any
    ) -> pb.DeleteWebhookEndpointResponse:
        return await respond(context, request.name, self._webhooks.commands.delete, wire.delete_response)

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: Any
    ) -> pb.ListWebhookDeliveriesResponse:
        query, encode = wire.list_query(request), wire.deliveries_response(request)
        return await respond(context, query, self._webhooks.queries.deliveries, encode)

    async def RedeliverWebhook(
        self, request: pb.RedeliverWebhookRequest, context: Any
    ) -> pb.RedeliverWebhookResponse:
        return await respond(
            context, request.name, self._webhooks.commands.redeliver, wire.redeliver_response
        )

    async def EnableWebhookEndpoint(
        self, request: pb.EnableWebhookEndpointRequest, context: Any
    ) -> pb.EnableWebhookEndpointResponse:
        return await respond(context, request.name, self._webhooks.commands.enable, wire.enable_response)
