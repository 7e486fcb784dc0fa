"""Rules of CONTRIBUTING.md that neither ruff nor import-linter can express."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("bench", "chassis", "console", "docs", "gateway", "services", "stack", "tests")
MAXIMUM_FILE_LINES = 400
MAXIMUM_FUNCTION_LINES = 70
EMPTY_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

# A domain may use the standard library as far as it neither waits, draws lots, looks outside nor writes logs.
IMPURE = {
    "asyncio", "concurrent", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
    "uuid",
}  # fmt: skip
PURE = set(sys.stdlib_module_names) - IMPURE
CLOCK_CALLS = {"now", "today", "utcnow"}


def sources(repository: Path, *rooms: str) -> Iterator[Path]:
    for room in rooms or ROOMS:
        yield from sorted((repository / room).rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def test_files_stay_short_enough_to_read_in_one_go(repository: Path) -> None:
    long = {
        str(path.relative_to(repository)): count
        for path in sources(repository)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MAXIMUM_FILE_LINES
    }
    assert long == {}


def test_functions_fit_a_screen(repository: Path) -> None:
    long = {
        f"{path.relative_to(repository)}:{function.lineno} {function.name}": count
        for path in sources(repository)
        for function in functions(parsed(path))
        if (count := (function.end_lineno or 0) - function.lineno + 1) > MAXIMUM_FUNCTION_LINES
    }
    assert long == {}


def test_no_file_is_named_after_nothing(repository: Path) -> None:
    named = [
        str(path.relative_to(repository))
        for path in sources(repository)
        if EMPTY_NAMES & set(re.split(r"[_/.]", path.relative_to(repository).as_posix()))
    ]
    assert named == []


def test_domains_and_the_kernel_import_only_what_is_pure(repository: Path) -> None:
    impure = []
    for path in domain_files(repository):
        room = ".".join(
            path.relative_to(repository).parts[: 3 if path.is_relative_to(repository / "services") else 2]
        )
        for name in imports(parsed(path)):
            own = name == room or name.startswith((f"{room}.", "chassis.kernel"))
            # The kernel holds the system's clock and source of ids; it is handed to the domains from outside.
            allowed = (
                PURE | {"random", "secrets", "threading", "time", "uuid"}
                if room == "chassis.kernel"
                else PURE
            )
            if not own and name.split(".")[0] not in allowed:
                impure.append(f"{path.relative_to(repository)}: {name}")
    assert impure == []


def test_domains_neither_wait_nor_look_at_a_clock(repository: Path) -> None:
    found = []
    for path in domain_files(repository):
        for node in ast.walk(parsed(path)):
            waits = isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
            looks = isinstance(node, ast.Call) and reads_clock(node.func)
            if path.name != "clock.py" and (waits or looks):
                found.append(f"{path.relative_to(repository)}:{getattr(node, 'lineno', 0)}")
    assert found == []


def reads_clock(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in CLOCK_CALLS
        and isinstance(function.value, ast.Name)
        and function.value.id in {"date", "datetime"}
    )


def domain_files(repository: Path) -> Iterator[Path]:
    yield from sorted((repository / "chassis" / "kernel").rglob("*.py"))
    for domain in sorted((repository / "services").glob("*/domain")):
        yield from sorted(domain.rglob("*.py"))


def test_no_page_keeps_the_marks_of_a_merge(repository: Path) -> None:
    pages = [
        *repository.glob("*.md"),
        *(repository / "docs").rglob("*.md"),
        *(repository / "protos").rglob("*.proto"),
    ]
    mark = re.compile(r"^(<{7}|>{7}|\|{7}) ", re.MULTILINE)
    assert [page.name for page in pages if mark.search(page.read_text(encoding="utf-8"))] == []


def test_no_member_of_an_enum_is_an_empty_tuple(repository: Path) -> None:
    """The first releases of Python 3.11 take it for the arguments of a value: it becomes a bare object."""
    empty = [
        f"{path.relative_to(repository)}:{node.lineno}"
        for path in sources(repository)
        for kind in ast.walk(parsed(path))
        if isinstance(kind, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in kind.bases)
        for node in kind.body
        if isinstance(node, ast.Assign) and ast.unparse(node.value) == "()"
    ]
    assert empty == []
