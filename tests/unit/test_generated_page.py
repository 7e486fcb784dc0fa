"""The pages that are made from code: rewritten, or compared with what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import capabilities, events, settings
from docs.generated_page import options_of, rewritten_or_compared


def test_a_page_is_as_the_code_says_once_it_is_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "events.md"
    assert rewritten_or_compared(page, "one\ntwo\n", write=False, source="the code says") == 1
    assert not page.exists()
    assert rewritten_or_compared(page, "one\ntwo\n", write=True, source="the code says") == 0
    assert rewritten_or_compared(page, "one\ntwo\n", write=False, source="the code says") == 0
    assert "events: docs/events.md is what the code says" in capsys.readouterr().out
    assert rewritten_or_compared(page, "one\nthree\n", write=False, source="the code says") == 1
    told = capsys.readouterr()
    assert "-two\n+three\n" in told.out
    assert "make docs" in told.err
    assert page.read_text(encoding="utf-8") == "one\ntwo\n"


@pytest.mark.parametrize("page", [events.PAGE, settings.PAGE, capabilities.PAGE])
def test_it_is_either_rewritten_or_compared(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert options_of(page, None, ["--write"]).write
    assert not options_of(page, None, ["--check"]).write
    for wrong in ([], ["--write", "--check"]):
        with pytest.raises(SystemExit):
            options_of(page, None, wrong)
    assert f"docs/{page.stem}.py" in capsys.readouterr().err
    assert not options_of(page, None, [], required=False).write
