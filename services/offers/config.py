"""Settings of the offers service."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.config import GRPC_ADDRESS, METRICS_ADDRESS, Address, ServiceConfig, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OffersConfig(ServiceConfig):
    """It asks three peers what an offer would answer."""

    grpc_address: Address = setting(Address("127.0.0.1", 9103), about=GRPC_ADDRESS)
    metrics_address: Address = setting(Address("127.0.0.1", 9203), about=METRICS_ADDRESS)
    gating_target: Address = setting(Address("127.0.0.1", 9101), about="Where gating is dialled.")
    orders_target: Address = setting(Address("127.0.0.1", 9102), about="Where orders is dialled.")
    messaging_target: Address = setting(Address("127.0.0.1", 9104), about="Where messaging is dialled.")
