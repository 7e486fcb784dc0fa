"""What tests of every service share: real servers, and the real service inside the test process.

Fixtures come with ``pytest_plugins = ("chassis.testing",)``.
"""

from __future__ import annotations

from chassis.testing.backends import (
    NatsServer,
    PostgresServer,
    nats_server,
    postgres_server,
    server_folder,
)
from chassis.testing.databases import databases
from chassis.testing.service import (
    ANONYMOUS,
    Backends,
    Identity,
    RunningService,
    backends,
    buyer,
    clock,
    observer,
    operator,
    refused,
    running,
    running_together,
    seller,
    service,
    settle,
    test_keys,
)

__all__ = [
    "ANONYMOUS",
    "Backends",
    "Identity",
    "NatsServer",
    "PostgresServer",
    "RunningService",
    "backends",
    "buyer",
    "clock",
    "databases",
    "nats_server",
    "observer",
    "operator",
    "postgres_server",
    "refused",
    "running",
    "running_together",
    "seller",
    "server_folder",
    "service",
    "settle",
    "test_keys",
]
