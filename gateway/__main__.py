"""`python -m gateway`: the HTTP side of Parley in one process. Settings: `gateway/config.py`."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from chassis import telemetry
from chassis.auth import KeyFileError, Verifier
from chassis.config import ConfigError, load
from chassis.kernel.clock import SystemClock
from chassis.metrics import MetricsServer
from gateway.config import GatewayConfig
from gateway.serving import STOP_SECONDS, AddressTaken, Gateway, stop_on_signals
from gateway.transcode import contract_services

NAME = "gateway"
KEYS_SECONDS = 10.0

_log = telemetry.logger(NAME)


async def run(config: GatewayConfig) -> None:
    """Serves until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    verifier = Verifier(
        config.auth_jwks_file, issuer=config.auth_issuer, audience=config.auth_audience, clock=SystemClock()
    )
    gateway = Gateway(config, contract_services(), verifier)
    metrics = MetricsServer(gateway.readiness.problem)
    await metrics.start(config.metrics_address)
    watching = asyncio.ensure_future(watch_keys(verifier))
    try:
        await gateway.serve(stop)
    finally:
        watching.cancel()
        await gateway.budget.step(metrics.stop, STOP_SECONDS)


async def watch_keys(verifier: Verifier) -> None:
    """Takes over new signing keys while the process runs."""
    while True:
        await asyncio.sleep(KEYS_SECONDS)
        try:
            if verifier.refresh():
                _log.info("keys_replaced")
        except KeyFileError as error:
            _log.warning("keys_unreadable", problem=str(error))


def main() -> int:
    """The exit code: 0 after an orderly stop, 1 if the gateway cannot start."""
    try:
        config = load(GatewayConfig, NAME)
        telemetry.configure_logging(NAME, config.log_level)
        telemetry.configure_tracing(NAME, config.otlp_endpoint)
        uvloop.run(run(config))
    except (
        ConfigError,
        KeyFileError,
        AddressTaken,
        telemetry.TracingUnavailable,
        ValueError,
        OSError,
    ) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        telemetry.stop_recording()
    return 0


if __name__ == "__main__":
    sys.exit(main())
