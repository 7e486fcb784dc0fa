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

__all__ = ["NatsServer", "PostgresServer", "nats_server", "postgres_server", "server_folder"]
