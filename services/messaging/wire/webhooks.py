"""Endpoints and deliveries as their owner sees them."""

from __future__ import annotations

from collections.abc import Callable

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import timestamp
from parley.messaging.v1 import webhook_pb2 as pb
from services.messaging.app.webhooks import CreateEndpoint, ListOf, WithSecret
from services.messaging.domain.webhook import Delivery, Endpoint, EndpointState, State

_ENDPOINT_STATES = {
    EndpointState.ENABLED: pb.WebhookEndpoint.STATE_ENABLED,
    EndpointState.DISABLED: pb.WebhookEndpoint.STATE_DISABLED,
}
_STATES = {
    State.WAITING: pb.WebhookDelivery.STATE_WAITING,
    State.DELIVERED: pb.WebhookDelivery.STATE_DELIVERED,
    State.FAILED: pb.WebhookDelivery.STATE_FAILED,
}


def create_command(request: pb.CreateWebhookEndpointRequest) -> CreateEndpoint:
    """Decodes CreateWebhookEndpoint."""
    return CreateEndpoint(request.parent, request.url)


def list_query(request: pb.ListWebhookEndpointsRequest | pb.ListWebhookDeliveriesRequest) -> ListOf:
    """Decodes both lists. Refusal PAGE_TOKEN_INVALID."""
    return ListOf(request.parent, paging.page_request(request))


def wire_endpoint(endpoint: Endpoint) -> pb.WebhookEndpoint:
    """An endpoint without its secrets."""
    resource = pb.WebhookEndpoint(
        name=endpoint.name,
        url=endpoint.url,
        state=_ENDPOINT_STATES[endpoint.state],
        create_time=timestamp(endpoint.create_time),
    )
    if endpoint.old_secret_expire_time is not None:
        resource.old_secret_expire_time.CopyFrom(timestamp(endpoint.old_secret_expire_time))
    return resource


def wire_delivery(delivery: Delivery) -> pb.WebhookDelivery:
    """A delivery."""
    resource = pb.WebhookDelivery(
        name=delivery.name,
        type=delivery.type,
        conversation=delivery.conversation,
        state=_STATES[delivery.state],
        attempts=delivery.attempts,
        status=delivery.status,
        problem=delivery.problem,
        create_time=timestamp(delivery.create_time),
    )
    if delivery.attempt_time is not None:
        resource.attempt_time.CopyFrom(timestamp(delivery.attempt_time))
    return resource


def create_response(made: WithSecret) -> pb.CreateWebhookEndpointResponse:
    """Encodes CreateWebhookEndpoint."""
    return pb.CreateWebhookEndpointResponse(webhook_endpoint=wire_endpoint(made.endpoint), secret=made.secret)


def rotate_response(made: WithSecret) -> pb.RotateWebhookSecretResponse:
    """Encodes RotateWebhookSecret."""
    return pb.RotateWebhookSecretResponse(webhook_endpoint=wire_endpoint(made.endpoint), secret=made.secret)


def enable_response(endpoint: Endpoint) -> pb.EnableWebhookEndpointResponse:
    """Encodes EnableWebhookEndpoint."""
    return pb.EnableWebhookEndpointResponse(webhook_endpoint=wire_endpoint(endpoint))


def delete_response(_nothing: None) -> pb.DeleteWebhookEndpointResponse:
    """Encodes DeleteWebhookEndpoint."""
    return pb.DeleteWebhookEndpointResponse()


def redeliver_response(delivery: Delivery) -> pb.RedeliverWebhookResponse:
    """Encodes RedeliverWebhook."""
    return pb.RedeliverWebhookResponse(webhook_delivery=wire_delivery(delivery))


def endpoints_response(
    request: pb.ListWebhookEndpointsRequest,
) -> Callable[[Page[Endpoint]], pb.ListWebhookEndpointsResponse]:
    """Encodes a page of endpoints; its token is bound to the request."""

    def encode(page: Page[Endpoint]) -> pb.ListWebhookEndpointsResponse:
        return pb.ListWebhookEndpointsResponse(
            webhook_endpoints=[wire_endpoint(each) for each in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode


def deliveries_response(
    request: pb.ListWebhookDeliveriesRequest,
) -> Callable[[Page[Delivery]], pb.ListWebhookDeliveriesResponse]:
    """Encodes a page of deliveries; its token is bound to the request."""

    def encode(page: Page[Delivery]) -> pb.ListWebhookDeliveriesResponse:
        return pb.ListWebhookDeliveriesResponse(
            webhook_deliveries=[wire_delivery(each) for each in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode
