"""What the programs of this folder have in common: each makes the page beside it, and either rewrites it or
compares it with what is kept.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path


def options_of(
    page: Path, about: str | None, arguments: Sequence[str] | None, *, required: bool = True
) -> argparse.Namespace:
    """`write` or `check`, as the command line says; neither, where none of them is `required`."""
    parser = argparse.ArgumentParser(
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog=f"docs/{page.stem}.py",
    )
    choice = parser.add_mutually_exclusive_group(required=required)
    choice.add_argument("--write", action="store_true", help=f"rewrite docs/{page.name}")
    choice.add_argument("--check", action="store_true", help=f"compare docs/{page.name}")
    return parser.parse_args(arguments)


def rewritten_or_compared(page: Path, fresh: str, *, write: bool, source: str) -> int:
    """Makes the page say what `fresh` says, or prints where it does not yet; returns the exit code."""
    if write:
        page.write_text(fresh, encoding="utf-8")
        return 0
    kept = page.read_text(encoding="utf-8") if page.exists() else ""
    if fresh != kept:
        changes = difflib.unified_diff(
            kept.splitlines(), fresh.splitlines(), "kept", "fresh", n=0, lineterm=""
        )
        print("\n".join(changes))
        print(f"{page.stem}: docs/{page.name} is stale; `make docs` rewrites it", file=sys.stderr)
        return 1
    print(f"{page.stem}: docs/{page.name} is what {source}")
    return 0
