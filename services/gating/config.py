"""Settings of the gating service."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.config import GRPC_ADDRESS, METRICS_ADDRESS, Address, ServiceConfig, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class GatingConfig(ServiceConfig):
    """It asks one peer: the owner of the listings, about one that no event has brought yet."""

    grpc_address: Address = setting(Address("127.0.0.1", 9101), about=GRPC_ADDRESS)
    metrics_address: Address = setting(Address("127.0.0.1", 9201), about=METRICS_ADDRESS)
    offers_target: Address = setting(Address("127.0.0.1", 9103), about="Where offers is dialled.")
