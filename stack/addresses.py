"""Where a running stack can be reached, for people and programs (`stack ports`, the demo, the tests)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.data_folder import DataFolder


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that runs now. `http` is the gateway's base address; `grpc` maps services to `host:port`."""

    data_dir: Path
    http: str
    grpc: Mapping[str, str]
    metrics: Mapping[str, str]
    issuer_key: Path
    issuer: str
    audience: str
    ready: bool
    supervisor: int

    @classmethod
    def find(cls, folder: DataFolder) -> RunningStack:
        """Read what the stack on this data folder says of itself; StackError if none runs."""
        state = folder.running_state()
        return cls(
            data_dir=folder.root,
            http=state["http"],
            grpc=state["grpc"],
            metrics=state["metrics"],
            issuer_key=folder.issuer_key,
            issuer=state["issuer"],
            audience=state["audience"],
            ready=bool(state["ready"]),
            supervisor=int(state["supervisor"]),
        )

    def token(self, kind: str, *, ttl_seconds: int | None = None, **who: str | None) -> str:
        """A token that this stack accepts; the arguments are those of `stack.keys.identity`."""
        from stack import keys

        named = {name: value for name, value in who.items() if value is not None}
        return keys.issue(
            self.issuer_key,
            keys.identity(kind, **named),
            ttl_seconds=ttl_seconds or keys.DEFAULT_TTL_SECONDS,
            issuer=self.issuer,
            audience=self.audience,
        )


def as_json(state: Mapping[str, Any]) -> dict[str, Any]:
    """What `stack ports --json` prints. Not those of external servers, which may carry passwords."""
    names = (
        "ready",
        "http",
        "openapi",
        "docs",
        "grpc",
        "metrics",
        "postgres",
        "nats",
        "mails",
        "smtp",
        "data_dir",
    )
    return {name: state[name] for name in names if name in state}
