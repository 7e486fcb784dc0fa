"""Settings of the messaging service."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.config import Address, ServiceConfig, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingConfig(ServiceConfig):
    """It asks no peer: everything reaches it as events."""

    grpc_address: Address = setting(Address("127.0.0.1", 9104))
    metrics_address: Address = setting(Address("127.0.0.1", 9204))
