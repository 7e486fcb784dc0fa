"""The programs of a stack: what they are, when they are ready, in which order they stop."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from stack import nats_server, probes
from stack.environment import Environments
from stack.leash import Command
from stack.liveness import Answers
from stack.ports import LOOPBACK, SERVICES, Ports
from stack.postgres_server import Cluster
from stack.supervisor import Program

# Stages of the stop, the highest first: nothing loses what it depends on.
_POSTGRES_STAGE: Final = 0
_NATS_STAGE: Final = 1
_SERVICE_STAGE: Final = 2
_GATEWAY_STAGE: Final = 3


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Run a module by this interpreter. -P keeps the current directory off the import path."""
    return (sys.executable, "-P", "-m", module, *arguments)


def postgres(cluster: Cluster, ports: Ports, environments: Environments) -> Program:
    """The embedded PostgreSQL."""

    async def probe(pid: int) -> bool:
        return cluster.is_ready(pid)

    return Program(
        name="postgres",
        command=cluster.serve(ports["postgres"], environments.server()),
        probe=probe,
        stage=_POSTGRES_STAGE,
        addresses={"postgres": ports.address("postgres")},
        # Its "fast" shutdown: clients are sent away, a checkpoint is written.
        stop_signal=signal.SIGINT,
        prepare=cluster.clear_leftovers,
    )


def nats(configuration: Path, ports: Ports, environments: Environments) -> Program:
    """The embedded nats-server."""

    async def probe(_: int) -> bool:
        return await nats_server.is_ready(ports["nats"])

    argv = (os.fspath(nats_server.binary()), "--config", os.fspath(configuration))
    return Program(
        name="nats",
        command=Command(argv, environments.server()),
        probe=probe,
        stage=_NATS_STAGE,
        addresses={"nats": ports.address("nats")},
        stop_grace_seconds=5.0,
    )


def services(ports: Ports, environments: Environments) -> list[Program]:
    """The four services."""
    return [
        Program(
            name=name,
            command=Command(python_command(f"services.{name}"), environments.service(name)),
            probe=_http_probe(ports[f"{name} metrics"]),
            stage=_SERVICE_STAGE,
            addresses={"grpc": ports.address(name), "metrics": ports.address(f"{name} metrics")},
            stop_grace_seconds=environments.stop_grace_seconds(name),
            answers=_http_answers(ports[f"{name} metrics"]),
            is_python=True,
        )
        for name in SERVICES
    ]


def gateway(ports: Ports, environments: Environments) -> Program:
    """The HTTP gateway."""
    return Program(
        name="gateway",
        command=Command(python_command("gateway"), environments.gateway()),
        probe=_http_probe(ports["gateway"]),
        stage=_GATEWAY_STAGE,
        addresses={"http": ports.address("gateway"), "metrics": ports.address("gateway metrics")},
        stop_grace_seconds=environments.stop_grace_seconds("gateway"),
        # Not its own port, where whoever keeps all its connections busy would be taken for its silence.
        answers=_http_answers(ports["gateway metrics"]),
        is_python=True,
    )


def _http_probe(port: int) -> Callable[[int], Awaitable[bool]]:
    async def probe(_: int) -> bool:
        return await probes.http_ok(LOOPBACK, port)

    return probe


def _http_answers(port: int) -> Answers:
    async def answers(seconds: float) -> bool:
        return await probes.http_answers(LOOPBACK, port, seconds)

    return answers
