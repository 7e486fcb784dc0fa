"""System users: PostgreSQL refuses to run as root, so as root it runs as somebody without rights."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.failure import StackError

USER_VARIABLE: Final = "PARLEY_POSTGRES_USER"
# The user that a distribution's package makes for this very purpose, else the one that owns nothing.
_CANDIDATES: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A system user by numbers; supplementary groups are dropped."""

    name: str
    uid: int
    gid: int

    def can_reach(self, path: Path) -> bool:
        """Whether the mode bits of every folder on the way let this user get to `path`."""
        return all(self._may_search(folder) for folder in path.resolve().parents)

    def _may_search(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def for_postgres(environ: Mapping[str, str]) -> Account | None:
    """Who runs the embedded PostgreSQL: None for the current user, an unprivileged one when that is root."""
    if os.geteuid() != 0:
        return None
    wanted = environ.get(USER_VARIABLE)
    for name in (wanted,) if wanted else _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid == 0:
            raise StackError(f"{USER_VARIABLE} names {name!r}, which is root.", "Name a user without rights.")
        return Account(name, entry.pw_uid, entry.pw_gid)
    tried = wanted or " or ".join(_CANDIDATES)
    raise StackError(
        f"PostgreSQL cannot run as root, and the system has no user called {tried}.",
        f"Create one, name another by {USER_VARIABLE}, or run the stack as a normal user.",
    )


def of_uid(uid: int) -> Account:
    """The account that owns something; a StackError if the system does not know the number."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise StackError(
            f"The system has no user with the number {uid}, who owns the database folder."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
