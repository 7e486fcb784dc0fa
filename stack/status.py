"""`stack status`: every process with its state, asked for now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from stack import inspection, probes
from stack.data_folder import DataFolder

_MEBIBYTE: Final = 1024 * 1024
_COLUMNS: Final = ("process", "pid", "state", "restarts", "address", "RSS MB")


def collect(folder: DataFolder) -> dict[str, Any]:
    """The processes of the running stack with their memory in bytes; StackError if none runs."""
    state = folder.running_state()
    own = {
        "stack": {
            "pid": state["supervisor"],
            "phase": "ready" if state["ready"] else "starting",
            "python": True,
        },
        "guard": {"pid": state["guard"], "phase": "ready", "python": True},
    }
    processes: dict[str, dict[str, Any]] = {**own, **state["processes"]}
    answers = asyncio.run(_ask(processes))
    rows = {}
    for name, process in processes.items():
        pid = process["pid"]
        rows[name] = {
            "pid": pid,
            "state": answers.get(name, process["phase"]),
            "restarts": process.get("restarts", 0),
            "addresses": process.get("addresses", {}),
            "last_failure": process.get("last_failure", ""),
            # The supervisor's descendants are the other rows.
            "rss_bytes": inspection.resident_bytes(pid, with_children=name != "stack") if pid else 0,
            "python": bool(process["python"]),
        }
    python_bytes = sum(row["rss_bytes"] for row in rows.values() if row["python"])
    return {
        "ready": state["ready"],
        "http": state["http"],
        "processes": rows,
        "python_rss_bytes": python_bytes,
    }


async def _ask(processes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Ask the processes that the supervisor once found ready whether they still are."""

    async def ask(address: str) -> str:
        host, _, port = address.rpartition(":")
        return "ready" if await probes.http_ok(host, int(port)) else "not ready"

    asked = {}
    for name, process in processes.items():
        addresses = process.get("addresses", {})
        address = addresses.get("http") or addresses.get("metrics")
        if address and process["phase"] == "ready":
            asked[name] = asyncio.create_task(ask(address))
    return {name: await task for name, task in asked.items()}


def as_json(status: Mapping[str, Any]) -> str:
    """The status for programs."""
    return json.dumps(status, indent=2)


def print_table(status: Mapping[str, Any]) -> None:
    """The status for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*_COLUMNS, title=f"Parley at {status['http']}", title_justify="left")
    for column in (1, 3, 5):
        table.columns[column].justify = "right"
    for name, row in status["processes"].items():
        addresses = ", ".join(f"{kind} {address}" for kind, address in row["addresses"].items())
        state = row["state"] if row["state"] == "ready" else f"[red]{row['state']}[/red]"
        cells = (name, str(row["pid"] or "-"), state, str(row["restarts"]), addresses)
        table.add_row(*cells, f"{row['rss_bytes'] / _MEBIBYTE:.0f}")
    table.add_section()
    table.add_row("all Python", "", "", "", "", f"{status['python_rss_bytes'] / _MEBIBYTE:.0f}")
    Console().print(table)
    for name, row in status["processes"].items():
        if row["last_failure"]:
            Console().print(f"{name}: last {row['last_failure']}", highlight=False)
