"""`stack exec`: a command of one service, in the environment that the service has in a running stack."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

from stack.data_folder import DataFolder
from stack.environment import MARK, Environments, External
from stack.failure import StackError
from stack.ports import SERVICES


def run(folder: DataFolder, service: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run `python -m services.<service> <arguments>`; its exit status. StackError where no stack runs."""
    folder.running_state()
    ports = folder.remembered_ports()
    if ports is None:
        raise StackError(f"{folder.root} does not say where its servers listen.", "Start the stack anew.")
    if service not in SERVICES:
        raise StackError(f"There is no service {service}.", f"One of: {', '.join(SERVICES)}")
    if not arguments:
        # Without a command it would serve, at addresses that are taken.
        raise StackError("Which command?", f"Those there are: python -m stack exec {service} --help")
    made = Environments(folder, ports, folder.secrets(), External.of(environ), environ)
    environment = made.service(service)
    # It belongs to whoever called, and not to the stack, which would end it as a leftover.
    environment.pop(MARK, None)
    command = [sys.executable, "-m", f"services.{service}", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode
