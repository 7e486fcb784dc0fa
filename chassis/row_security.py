"""Who may see a row, kept by the database itself: the second line behind every check of ours.

A table that is protected (`protect`, in a migration) shows nothing, and takes nothing, where nobody has said
who looks. The connections of a service say when they are made that they are the process's own, whose
commands, reactions and timers check by themselves. A read says for whom it is in the round trip of its BEGIN:
for a caller, who then sees his own rows and changes none, or for nobody. That word is the transaction's
alone, and over with it.

It is a guard against the condition that somebody forgets, not against a stranger's SQL, which could say as
well for whom it runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from chassis.kernel.caller import Role

if TYPE_CHECKING:
    from chassis.call import Call

SETTING: Final = "parley.viewer"
"""The setting of a transaction: `PROCESS`, or the names under which a caller is known, between spaces."""
PROCESS: Final = "process"
NOBODY: Final = ""
AS_PROCESS: Final[dict[str, str]] = {SETTING: PROCESS}
"""The server settings of a connection that is the process's own; for tools beside a service as well."""

BYPASSED: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
"""Whether the role of a connection is held to no policy."""

# Sub-selects, so that each is evaluated once for a statement and not for every row.
_IS_PROCESS: Final = f"(SELECT current_setting('{SETTING}', true)) = '{PROCESS}'"
_NAMES: Final = f"(SELECT string_to_array(current_setting('{SETTING}', true), ' '))::text[]"
# The planner takes an `IS NOT NULL` to hold nearly always, which here it does: statements ask for rows that
# are the caller's anyway. What it guesses of the condition itself, one row in forty, would have it sort the
# whole list of a team instead of walking to the end of a page.
_SEEN: Final = f"CASE WHEN {_IS_PROCESS} THEN true WHEN {{}} THEN true END IS NOT NULL"
_TAKEN: Final = f"CASE WHEN {_IS_PROCESS} THEN true END IS NOT NULL"

_NAME = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9._-]*")


def viewer_of(call: Call) -> str:
    """For whom a call reads: the caller, his teams and what he observes; the process where the method admits
    the caller to everything.
    """
    caller, roles = call.caller, call.rule.roles
    if (caller.is_service and Role.SERVICE in roles) or (caller.is_operator and Role.OPERATOR in roles):
        return PROCESS
    names = [name for name in (caller.user, *caller.teams, *caller.observers) if name]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is the name of nobody")
    return " ".join(names)


def set_statement(viewer: str) -> str:
    """Tells the database who looks in the transaction that begins: what `viewer_of` answered, `PROCESS` or
    `NOBODY`.
    """
    return f"SET LOCAL {SETTING} = '{viewer}'"


def protect(op: Any, table: str, *, seen: str = "false") -> None:
    """Hides the rows of a table from everybody but the process (`op` is alembic's). Callers see the rows for
    which `seen` holds: SQL over a row of the table, in which `{names}` is the array of their names. What it
    reads of other protected tables is what the caller sees of those.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    # The service's role owns its tables, and no owner is held to policies otherwise.
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    condition = seen.replace("{names}", _NAMES)
    op.execute(f"CREATE POLICY {table}_read ON {table} FOR SELECT USING ({_SEEN.format(condition)})")
    op.execute(f"CREATE POLICY {table}_add ON {table} FOR INSERT WITH CHECK ({_TAKEN})")
    op.execute(f"CREATE POLICY {table}_change ON {table} FOR UPDATE USING ({_TAKEN})")
    op.execute(f"CREATE POLICY {table}_remove ON {table} FOR DELETE USING ({_TAKEN})")


def unprotect(op: Any, table: str) -> None:
    """Takes `protect` back."""
    for action in ("read", "add", "change", "remove"):
        op.execute(f"DROP POLICY {table}_{action} ON {table}")
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
