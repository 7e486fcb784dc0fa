"""Which TCP ports a stack uses, and whether they are free. Everything listens on the loopback interface."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stack import inspection
from stack.failure import StackError

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8080
DEFAULT_BASE: Final = 9100
SERVICES: Final = ("gating", "orders", "offers", "messaging")

_OFFSETS: Final[Mapping[str, int]] = {
    "gating": 1,
    "orders": 2,
    "offers": 3,
    "messaging": 4,
    "postgres": 32,
    "nats": 42,
    "gating metrics": 101,
    "orders metrics": 102,
    "offers metrics": 103,
    "messaging metrics": 104,
    "gateway metrics": 105,
    "mails": 106,
    "mail in": 107,
}
_PURPOSES: Final[Mapping[str, str]] = {
    "gateway": "the HTTP address of the gateway",
    "postgres": "the embedded PostgreSQL",
    "nats": "the embedded NATS",
    "mails": "the page of the mails",
    "mail in": "the SMTP address for answers by mail",
}

# Chosen ports stay below the range from which systems take the local ports of outgoing connections (32768 on
# Linux, 49152 on macOS), so that no connection can take the port of a process that is being restarted.
_CHOSEN_FROM: Final = 20_000
_CHOSEN_BLOCKS: Final = 80
_BLOCK_SIZE: Final = 120
_HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one stack: the gateway's and a base from which all others follow."""

    gateway: int
    base: int

    def __getitem__(self, role: str) -> int:
        return self.gateway if role == "gateway" else self.base + _OFFSETS[role]

    def address(self, role: str) -> str:
        """`127.0.0.1:port` of a role, for example "offers" (gRPC), "offers metrics" or "postgres"."""
        return f"{LOOPBACK}:{self[role]}"

    def roles(self) -> tuple[str, ...]:
        """Every role that has a port."""
        return ("gateway", *_OFFSETS)


def purpose(role: str) -> str:
    """What the port of `role` is for, in words."""
    if role in _PURPOSES:
        return _PURPOSES[role]
    service, _, metrics = role.partition(" ")
    return f"the {'metrics and health' if metrics else 'gRPC'} address of {service}"


def choose(
    *, port: int | None, base: int | None, remembered: Ports | None, seed: str, roles: tuple[str, ...]
) -> Ports:
    """Decide the ports of a start.

    `port` and `base` are what the user asked for (None: nothing, 0: any that is free), `remembered` what this
    data folder used last, `seed` spreads stacks that choose freely, `roles` are the roles that will listen.
    Raises StackError when a port that the user asked for, or a default, is taken or does not exist.
    """
    gateway = DEFAULT_PORT if port is None else port
    if base is None and gateway == DEFAULT_PORT:
        base = DEFAULT_BASE
    if gateway == 0:
        gateway = _free_gateway(remembered, seed)
    if not base:
        base = _free_base(remembered, seed, roles, gateway)
    ports = Ports(gateway, base)
    _refuse_nonsense(ports)
    for role in roles:
        if not is_free(ports[role]):
            raise _taken(role, ports[role])
    return ports


def is_free(port: int) -> bool:
    """Whether a process could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without it, connections of the previous run that linger in TIME_WAIT would look like a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _refuse_nonsense(ports: Ports) -> None:
    numbers = [ports[role] for role in ports.roles()]
    if min(numbers) < 1 or max(numbers) > _HIGHEST_PORT:
        raise StackError(
            f"Ports from {min(numbers)} to {max(numbers)} do not all exist.",
            f"Choose --port up to {_HIGHEST_PORT} and --port-base below {_HIGHEST_PORT - _BLOCK_SIZE}.",
        )
    for role in _OFFSETS:
        if ports[role] == ports.gateway:
            raise StackError(
                f"Port {ports.gateway} would be both the gateway's and {purpose(role)}.",
                "Choose another --port or --port-base.",
            )


def _free_gateway(remembered: Ports | None, seed: str) -> int:
    if remembered is not None and is_free(remembered.gateway):
        return remembered.gateway
    # The last port of a block: no role uses it, so the same block can also be the base of this stack.
    for base in _blocks(seed):
        if is_free(base + _BLOCK_SIZE - 1):
            return base + _BLOCK_SIZE - 1
    raise StackError("No free port was found for the gateway.", "Choose one by --port.")


def _free_base(remembered: Ports | None, seed: str, roles: tuple[str, ...], gateway: int) -> int:
    def usable(base: int) -> bool:
        ports = Ports(gateway, base)
        others = [role for role in roles if role != "gateway"]
        return all(ports[role] != gateway and is_free(ports[role]) for role in others)

    if remembered is not None and usable(remembered.base):
        return remembered.base
    for base in _blocks(seed):
        if usable(base):
            return base
    raise StackError("No free range of ports was found.", "Choose one by --port-base.")


def _blocks(seed: str) -> Iterator[int]:
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    for step in range(_CHOSEN_BLOCKS):
        yield _CHOSEN_FROM + (start + step) % _CHOSEN_BLOCKS * _BLOCK_SIZE


def _taken(role: str, port: int) -> StackError:
    change = "--port 8090 (or --port 0 for any that is free)"
    if role != "gateway":
        change = "--port-base 9400 (or --port-base 0 for any that are free)"
    holder = inspection.listener(port)
    held = f" by {holder}" if holder else ""
    return StackError(
        f"Port {port} is in use{held}, and {purpose(role)} needs it.",
        f"Stop what listens there, or choose another: python -m stack up {change}",
    )
