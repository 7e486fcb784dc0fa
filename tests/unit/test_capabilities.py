"""The list of capabilities: what it reads from tests, and that no test names a row that does not exist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs import capabilities

PAGE = """\
# Page

| id | must hold | proved by |
|---|---|---|
| G01 | One. | — |
| G02 | Two. | stale |
"""

TEST_FILE = """\
import pytest

pytestmark = pytest.mark.covers("G01")

@pytest.mark.covers("G02", "B03")
async def test_one(): ...

@pytest.mark.covers("X01")
class TestTwo:
    def test_three(self): ...
    def no_test(self): ...

@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.covers("V01"))])
def test_four(n): ...
"""


def folder_of(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    return folder


def test_every_covered_row_exists(repository: Path) -> None:
    known = capabilities.rows(capabilities.PAGE.read_text(encoding="utf-8"))
    unknown = {
        id_: tests for id_, tests in capabilities.marked(repository / "tests").items() if id_ not in known
    }
    assert unknown == {}


def test_list_is_complete() -> None:
    ids = list(capabilities.rows(capabilities.PAGE.read_text(encoding="utf-8")))
    series = {"G": 41, "B": 39, "V": 43, "X": 24}
    assert ids == [
        f"{letter}{number:02d}" for letter, last in series.items() for number in range(1, last + 1)
    ]


def test_marks_are_read_from_functions_classes_modules_and_parameters(tmp_path: Path) -> None:
    proofs = capabilities.marked(folder_of(tmp_path, TEST_FILE))
    one, three, four = (
        f"tests/test_it.py::{name}" for name in ("test_one", "TestTwo::test_three", "test_four")
    )
    assert proofs == {"G01": [one, three, four], "G02": [one], "B03": [one], "X01": [three], "V01": [four]}


def test_mark_that_is_not_plain_text_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "@pytest.mark.covers(ROW)\ndef test_it(): ...\n")
    with pytest.raises(capabilities.Mistake, match=r"tests/test_it\.py:1"):
        capabilities.marked(folder)


def test_column_is_filled_from_the_marks() -> None:
    page = capabilities.render(
        PAGE,
        {
            "G01": ["tests/e2e/test_a.py::test_y", "tests/e2e/test_a.py::test_x"],
            # Not through the public API: it names the row and proves nothing.
            "G02": ["tests/unit/test_a.py::test_x"],
        },
    )
    assert "| G01 | One. | [e2e/test_a.py](../tests/e2e/test_a.py) `test_x`, `test_y` |\n" in page
    assert "| G02 | Two. | — |\n" in page
    assert capabilities.render(page, {}) == capabilities.render(PAGE, {})


def test_unknown_row_is_refused() -> None:
    with pytest.raises(capabilities.Mistake, match="G77"):
        capabilities.render(PAGE, {"G77": ["tests/test_a.py::test_x"]})


@pytest.mark.parametrize("line", ["<<<<<<< main", "=======", ">>>>>>> branch", "| G01 | One. | — |"])
def test_what_a_merge_left_behind_is_refused(line: str) -> None:
    with pytest.raises(capabilities.Mistake, match=r"capabilities\.md"):
        capabilities.render(f"{PAGE}{line}\n", {})


def test_report_names_rows_without_a_passing_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = tmp_path / "covers"
    outcomes.write_text(
        json.dumps(
            {
                "tests/test_it.py::test_one[a]": {"covers": ["G02"], "passed": False},
                "tests/test_it.py::TestTwo::test_three": {"covers": ["G01"], "passed": True},
                "tests/test_it.py::test_gone": {"covers": ["G02"], "passed": True},
            }
        ),
        encoding="utf-8",
    )
    monkeypatch.setattr(capabilities, "OUTCOMES", outcomes)
    proofs = capabilities.passed(capabilities.marked(folder_of(tmp_path, TEST_FILE)))
    assert capabilities.report(capabilities.rows(PAGE), proofs) == 0
    printed = capsys.readouterr().out
    assert printed == "G02  Two.\n1 of 2 capabilities are covered by a passing test\n"
