"""The settings of the gateway: `PARLEY_GATEWAY_*`, else `PARLEY_*`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.config import (
    AUDIENCE,
    ISSUER,
    JWKS_FILE,
    METRICS_ADDRESS,
    SHUTDOWN,
    SUPPORT,
    TRACES,
    Address,
    setting,
)

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Where to listen and dial, and the limits of one request."""

    address: Address = setting(Address(LOOPBACK, 8080), about="Where HTTP is served, in the clear.")
    metrics_address: Address = setting(Address(LOOPBACK, 9205), about=METRICS_ADDRESS)
    gating_target: Address = setting(Address(LOOPBACK, 9101), about="Where gating is dialled.")
    orders_target: Address = setting(Address(LOOPBACK, 9102), about="Where orders is dialled.")
    offers_target: Address = setting(Address(LOOPBACK, 9103), about="Where offers is dialled.")
    messaging_target: Address = setting(Address(LOOPBACK, 9104), about="Where messaging is dialled.")
    auth_jwks_file: Path = setting(
        about=JWKS_FILE, shape="the path of a JWKS file with Ed25519 keys", must_exist=True
    )
    auth_issuer: str = setting("parley", about=ISSUER, shape="the exact `iss` of accepted tokens")
    auth_audience: str = setting("parley", about=AUDIENCE, shape="the exact `aud` of accepted tokens")
    cors_origins: tuple[str, ...] = setting(
        (),
        about="Sites whose pages may call the gateway from a browser; without any, no other site's may.",
        shape="origins such as https://app.example.org separated by commas",
    )
    request_limit_bytes: int = setting(
        4 * 1024 * 1024,
        about="The longest body of a request that is no upload.",
        minimum=1_024,
        maximum=16 * 1024 * 1024,
    )
    deadline_seconds: float = setting(
        15.0,
        about="How long a request may take at most; `X-Request-Timeout` asks for less.",
        minimum=0.1,
        maximum=300,
    )
    upload_seconds: float = setting(
        300.0, about="How long the body of an upload may take to arrive.", minimum=1, maximum=300
    )
    stream_seconds: float = setting(
        3_600.0, about="The longest life of a stream of events.", minimum=1, maximum=86_400
    )
    heartbeat_seconds: float = setting(
        15.0, about="How often a silent stream shows that it lives.", minimum=0.01, maximum=300
    )
    maximum_open_streams: int = setting(
        1_000, about="The most streams that are open at once.", minimum=0, maximum=100_000
    )
    maximum_connections: int = setting(
        4_096, about="The most connections that are served at once; more wait.", minimum=1, maximum=100_000
    )
    shutdown_seconds: float = setting(25.0, about=SHUTDOWN, minimum=0, maximum=300)
    log_level: str = setting(
        "info",
        about="How much is logged; `debug` also has the requests that only read.",
        shape="debug, info, warning or error",
    )
    support_contact: str = setting(
        "support@parley.example", about=SUPPORT, shape="an address or URL of those who can help"
    )
    console: bool = setting(True, about="Whether the page in which people work is served.")
    otlp_endpoint: str = setting("", about=TRACES, shape="http://host:4317 or https://host:4317")

    def targets(self) -> Mapping[str, str]:
        """Where to dial each service, by its short name."""
        return {
            field.name.removesuffix("_target"): str(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name.endswith("_target")
        }
