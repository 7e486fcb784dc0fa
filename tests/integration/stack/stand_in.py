"""Stands in for a service or the gateway: a real process with the same environment, addresses and signals.

It listens where it is told, answers /readyz, migrates and uses its real database through the DSN that it was
given, and dies when a connection to its gRPC (or HTTP) address asks it to.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import asyncpg


def main(name: str) -> None:
    if sys.argv[1:] == ["migrate"]:
        asyncio.run(migrate(name))
        return
    asyncio.run(serve(name))


def say(**record: str) -> None:
    sys.stdout.write(json.dumps(record) + "\n")


def setting(name: str, field: str) -> str:
    return os.environ[f"PARLEY_{name.upper()}_{field}"]


async def migrate(name: str) -> None:
    if os.environ.get("STAND_IN_MIGRATION_FAILS") == name:
        raise SystemExit(f"{name} cannot migrate: the table is gone")
    connection = await asyncpg.connect(setting(name, "DSN"))
    await connection.execute("create table if not exists mark (run integer primary key)")
    await connection.close()
    say(event="migrated", level="info", name=name)


async def serve(name: str) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    if name == "gateway":
        addresses = [setting(name, "ADDRESS"), setting(name, "METRICS_ADDRESS")]
    else:
        await use_database(name)
        addresses = [setting(name, "GRPC_ADDRESS"), setting(name, "METRICS_ADDRESS")]
    servers = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        servers.append(await asyncio.start_server(answer, host, int(port)))
    say(event="serving", level="info", name=name)
    await stopping.wait()
    say(event="stopped", level="info", name=name)


async def use_database(name: str) -> None:
    """Rows survive every kill; their number is the number of starts."""
    connection = await asyncpg.connect(setting(name, "DSN"))
    await connection.execute("insert into mark select coalesce(max(run), 0) + 1 from mark")
    await connection.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await reader.readline()
    if request.startswith(b"CRASH "):
        say(event="asked to crash", level="error", because=request.decode().strip())
        sys.stderr.write("Boom: the last words\n")
        os._exit(int(request.split()[1]))
    body = json.dumps(visible()).encode() if b"/environment" in request else b"ok"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    await writer.drain()
    writer.close()


def visible() -> dict[str, Any]:
    return {name: value for name, value in os.environ.items() if name.startswith("PARLEY_")}
