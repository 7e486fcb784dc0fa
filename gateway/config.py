"""The settings of the gateway: `PARLEY_GATEWAY_*`, else `PARLEY_*`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.config import Address, setting

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Where to listen and dial, and the limits of one request."""

    address: Address = setting(Address(LOOPBACK, 8080))
    metrics_address: Address = setting(Address(LOOPBACK, 9205))
    gating_target: Address = setting(Address(LOOPBACK, 9101))
    orders_target: Address = setting(Address(LOOPBACK, 9102))
    offers_target: Address = setting(Address(LOOPBACK, 9103))
    messaging_target: Address = setting(Address(LOOPBACK, 9104))
    auth_jwks_file: Path = setting(shape="the path of a JWKS file with Ed25519 keys", must_exist=True)
    auth_issuer: str = setting("parley", shape="the exact `iss` of accepted tokens")
    auth_audience: str = setting("parley", shape="the exact `aud` of accepted tokens")
    cors_origins: tuple[str, ...] = setting(
        (), shape="origins such as https://app.example.org separated by commas, or nothing to refuse all"
    )
    request_limit_bytes: int = setting(4 * 1024 * 1024, minimum=1_024, maximum=16 * 1024 * 1024)
    deadline_seconds: float = setting(15.0, minimum=0.1, maximum=300)
    upload_seconds: float = setting(
        300.0, minimum=1, maximum=300, shape="seconds that the body of an upload may take to arrive"
    )
    stream_seconds: float = setting(3_600.0, minimum=1, maximum=86_400, shape="the longest life of a stream")
    heartbeat_seconds: float = setting(15.0, minimum=0.01, maximum=300)
    maximum_open_streams: int = setting(1_000, minimum=0, maximum=100_000)
    maximum_connections: int = setting(4_096, minimum=1, maximum=100_000)
    shutdown_seconds: float = setting(20.0, minimum=0, maximum=300)
    log_level: str = setting("info", shape="debug, info, warning or error")
    support_contact: str = setting(
        "support@parley.example", shape="an address or URL that the answer to an unknown failure names"
    )
    console: bool = setting(True, shape="true to serve the page in which people work, false to leave it out")
    otlp_endpoint: str = setting("", shape="http://host:4318, or nothing to switch tracing off")

    def targets(self) -> Mapping[str, str]:
        """Where to dial each service, by its short name."""
        return {
            field.name.removesuffix("_target"): str(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name.endswith("_target")
        }
