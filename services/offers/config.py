"""Settings of the offers service."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.config import Address, ServiceConfig, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OffersConfig(ServiceConfig):
    """It asks three peers what an offer would answer."""

    grpc_address: Address = setting(Address("127.0.0.1", 9103))
    metrics_address: Address = setting(Address("127.0.0.1", 9203))
    gating_target: Address = setting(Address("127.0.0.1", 9101))
    orders_target: Address = setting(Address("127.0.0.1", 9102))
    messaging_target: Address = setting(Address("127.0.0.1", 9104))
