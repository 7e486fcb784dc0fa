"""Migrates all databases from one process: `python -m stack.migrate`, started before PostgreSQL is.

Importing takes longer than migrating, so the shared libraries are imported while PostgreSQL starts. Then the
standard input brings `{"<service>": {<environment>}, ...}`, and each service migrates in a fork of this
process, all at once and with its own environment only.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import sys
import traceback
from collections.abc import Mapping
from typing import Final

# Only a head start: what is missing here is imported by the services themselves.
_HEAD_START: Final = ("alembic.command", "sqlalchemy.ext.asyncio", "asyncpg", "chassis.serve")


def main() -> int:
    """Migrate what the standard input names; 0 when all succeeded, else 1, reasons on standard error."""
    for module in _HEAD_START:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    environments: Mapping[str, Mapping[str, str]] = json.loads(sys.stdin.read())
    children = {_fork(service, environment): service for service, environment in environments.items()}
    failed = []
    while children:
        pid, status = os.wait()
        service = children.pop(pid, None)
        if service is not None and os.waitstatus_to_exitcode(status) != 0:
            failed.append(f"{service} (status {os.waitstatus_to_exitcode(status)})")
    if failed:
        print(f"migrations failed: {', '.join(sorted(failed))}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _fork(service: str, environment: Mapping[str, str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        # os._exit in any case: the child must never go on as if it were the parent.
        status = 1
        try:
            os.environ.clear()
            os.environ.update(environment)
            status = _migrate(service)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
    return pid


def _migrate(service: str) -> int:
    """Do what `python -m services.<service> migrate` does; its exit status."""
    sys.argv = [f"services.{service}", "migrate"]
    try:
        runpy.run_module(f"services.{service}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
