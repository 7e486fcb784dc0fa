"""Settings of the gating service."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.config import Address, ServiceConfig, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class GatingConfig(ServiceConfig):
    """It asks one peer: the owner of the listings, about one that no event has brought yet."""

    grpc_address: Address = setting(Address("127.0.0.1", 9101))
    metrics_address: Address = setting(Address("127.0.0.1", 9201))
    offers_target: Address = setting(Address("127.0.0.1", 9103))
