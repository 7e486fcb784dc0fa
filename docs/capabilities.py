#!/usr/bin/env python3
"""The list of what Parley must do, and the tests that prove it.

    python docs/capabilities.py            print the rows that no passing test covers, by the last test runs
    python docs/capabilities.py --write    fill in the column "proved by" of docs/capabilities.md
    python docs/capabilities.py --check    exit 1 if that column is not what the tests say

The rows live in docs/capabilities.md and nowhere else. A test names the rows it proves with
`@pytest.mark.covers("G12")`; the column is collected from the test files without running them. Only tests
that go through the public API count; unit tests may name rows too, as a help for readers.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.generated_page import options_of, rewritten_or_compared  # noqa: E402

PAGE = ROOT / "docs" / "capabilities.md"
TESTS = ROOT / "tests"
PUBLIC = ("tests/component/", "tests/e2e/", "tests/faults/")
"""Where the tests are that speak to running services."""
# Written by tests/conftest.py at the end of each test run.
OUTCOMES = ROOT / ".pytest_cache" / "v" / "parley" / "covers"

MARK = "covers"
NOTHING = "—"
CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
ROW = re.compile(r"^\| (?P<id>[GBVX]\d\d) \| (?P<text>.+?) \| (?P<tests>[^|]*) \|$")

# Row id -> names of tests, each "tests/unit/x/test_y.py::test_z".
Proofs = Mapping[str, Sequence[str]]


class Mistake(Exception):
    """A mark that cannot be read or a row that does not exist; the text names the place."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command of the module's docstring and returns the exit code."""
    options = options_of(PAGE, __doc__, arguments, required=False)
    page = PAGE.read_text(encoding="utf-8")
    try:
        marks = marked(TESTS)
        fresh = render(page, marks)
        marks = proving(marks)
    except Mistake as mistake:
        print(f"capabilities: {mistake}", file=sys.stderr)
        return 1
    if not options.write and not options.check:
        return report(rows(page), passed(marks))
    return rewritten_or_compared(PAGE, fresh, write=options.write, source="the tests say")


def rows(page: str) -> dict[str, str]:
    """Id and text of every row of the page, in order."""
    return {row["id"]: row["text"] for line in page.splitlines() if (row := ROW.match(line))}


def render(page: str, proofs: Proofs) -> str:
    """The page with its last column filled in from `proofs`; Mistake for an id without a row, for a row
    that stands there twice, and for marks of a merge.
    """
    known = rows(page)
    for id_ in proofs:
        if id_ not in known:
            raise Mistake(f"{id_} is no row of docs/capabilities.md, but {proofs[id_][0]} covers it")
    proofs = proving(proofs)
    lines = []
    for number, line in enumerate(page.splitlines(), start=1):
        if line.startswith(CONFLICT):
            raise Mistake(f"docs/capabilities.md:{number} is a mark of a merge")
        row = ROW.match(line)
        if row and known.pop(row["id"], None) is None:
            raise Mistake(f"{row['id']} stands twice in docs/capabilities.md")
        lines.append(f"| {row['id']} | {row['text']} | {cell(proofs.get(row['id'], ()))} |" if row else line)
    return "\n".join(lines) + "\n"


def proving(marks: Proofs) -> Proofs:
    """Only the tests that go through the public API, and the rows that they name."""
    kept = {id_: [test for test in tests if test.startswith(PUBLIC)] for id_, tests in marks.items()}
    return {id_: tests for id_, tests in kept.items() if tests}


def cell(tests: Iterable[str]) -> str:
    """Tests as one table cell, grouped by file."""
    files: dict[str, set[str]] = defaultdict(set)
    for test in tests:
        file, _, name = test.partition("::")
        files[file].add(name.rpartition("::")[2])
    parts = []
    for file, names in sorted(files.items()):
        short = file.removeprefix("tests/")
        parts.append(f"[{short}](../{file}) " + ", ".join(f"`{name}`" for name in sorted(names)))
    return "<br>".join(parts) or NOTHING


# ------------------------------------------------------------------------------------ marks in the tests


def marked(tests: Path) -> Proofs:
    """Every `covers` mark below `tests`, read without importing anything."""
    proofs: dict[str, list[str]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        file = path.relative_to(tests.parent).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for name, id_ in marks_in(tree, file):
            proofs[id_].append(name)
    return proofs


def marks_in(tree: ast.Module, file: str) -> Iterator[tuple[str, str]]:
    """Pairs of test name and row id of one test file."""
    module_ids = [
        id_
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in statement.targets)
        for id_ in ids_in(statement.value, file)
    ]
    yield from marks_of(tree.body, prefix=file, inherited=module_ids, file=file)


def marks_of(
    body: Sequence[ast.stmt], *, prefix: str, inherited: Sequence[str], file: str
) -> Iterator[tuple[str, str]]:
    """Marks of the tests in a module's or class's body; a class hands its own on to its methods."""
    for statement in body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        name = f"{prefix}::{statement.name}"
        own = [*inherited, *(id_ for mark in statement.decorator_list for id_ in ids_in(mark, file))]
        if isinstance(statement, ast.ClassDef):
            yield from marks_of(statement.body, prefix=name, inherited=own, file=file)
        elif statement.name.startswith("test"):
            for id_ in dict.fromkeys(own):
                yield name, id_


def ids_in(expression: ast.expr, file: str) -> Iterator[str]:
    """Row ids of every `pytest.mark.covers(...)` inside an expression, parametrization included."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == MARK:
            for argument in node.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise Mistake(f"{file}:{argument.lineno}: covers() takes row ids as plain text")
                yield argument.value


# --------------------------------------------------------------------------------------- outcomes of runs


def passed(marks: Proofs) -> Proofs | None:
    """What the tests that passed in their last run cover; None if no run has been recorded.

    `marks` is what the test files say today: the record also remembers tests that are gone.
    """
    if not OUTCOMES.exists():
        return None
    proofs: dict[str, list[str]] = defaultdict(list)
    for test, outcome in json.loads(OUTCOMES.read_text(encoding="utf-8")).items():
        name = test.partition("[")[0]
        for id_ in outcome[MARK] if outcome["passed"] else ():
            if name in marks.get(id_, ()):
                proofs[id_].append(test)
    return proofs


def report(texts: Mapping[str, str], proofs: Proofs | None) -> int:
    """Prints the rows without a passing test and a summary; always 0, because missing rows are a plan."""
    if proofs is None:
        print("capabilities: no test run is recorded yet; `make test` records one")
        return 0
    missing = [id_ for id_ in texts if id_ not in proofs]
    for id_ in missing:
        print(f"{id_}  {texts[id_]}")
    print(f"{len(texts) - len(missing)} of {len(texts)} capabilities are covered by a passing test")
    return 0


if __name__ == "__main__":
    sys.exit(main())
