"""The rows of webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from parley.messaging.v1 import webhook_pb2
from tests.e2e.rows import MISSING, Foreign, Row


def _endpoint(foreign: Foreign) -> str:
    return f"{foreign.seller}/webhookEndpoints/{MISSING}"


WEBHOOKS: Mapping[str, Row] = {
    "CreateWebhookEndpoint": Row(
        lambda f: webhook_pb2.CreateWebhookEndpointRequest(parent=f.seller, url="https://example.org/")
    ),
    "ListWebhookEndpoints": Row(lambda f: webhook_pb2.ListWebhookEndpointsRequest(parent=f.seller)),
    "RotateWebhookSecret": Row(lambda f: webhook_pb2.RotateWebhookSecretRequest(name=_endpoint(f))),
    "EnableWebhookEndpoint": Row(lambda f: webhook_pb2.EnableWebhookEndpointRequest(name=_endpoint(f))),
    "DeleteWebhookEndpoint": Row(lambda f: webhook_pb2.DeleteWebhookEndpointRequest(name=_endpoint(f))),
    "ListWebhookDeliveries": Row(lambda f: webhook_pb2.ListWebhookDeliveriesRequest(parent=_endpoint(f))),
    "RedeliverWebhook": Row(
        lambda f: webhook_pb2.RedeliverWebhookRequest(name=f"{_endpoint(f)}/deliveries/{MISSING}")
    ),
}
