"""protos/generate.py notices what it must notice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from protos import generate

PROTO = """\
syntax = "proto3";

// A contract of one message.
package parley.type.v1;

import "buf/validate/validate.proto";

// A thing with a name.
message Thing {
  // The name, at most 10 characters.
  string name = 1 [(buf.validate.field).string.max_len = 10];
}
"""


@pytest.fixture
def project(tmp_path: Path, repository: Path) -> Path:
    """A git repository of its own with one committed proto and a copy of the generator."""
    protos = tmp_path / "protos"
    protos.mkdir()
    for name in ("generate.py", "buf.yaml"):
        shutil.copy(repository / "protos" / name, protos)
    proto_of(tmp_path).parent.mkdir(parents=True)
    proto_of(tmp_path).write_text(PROTO, encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    return tmp_path


def proto_of(project: Path) -> Path:
    return project / "protos" / "parley" / "type" / "v1" / "thing.proto"


def git(project: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True)


def commit(project: Path) -> None:
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "State")


def run(project: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and everything printed by the project's generator."""
    command = [sys.executable, str(project / "protos" / "generate.py"), *arguments]
    result = subprocess.run(
        command, cwd=project, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return result.returncode, result.stdout


def test_fresh_stubs_pass_the_check(project: Path) -> None:
    assert run(project)[0] == 0
    assert run(project, "--check") == (0, "protos: protos/gen is what the protos say\n")


def test_check_names_every_stub_that_was_edited_removed_or_left_over(project: Path) -> None:
    run(project)
    stubs = project / "protos" / "gen" / "parley" / "type" / "v1"
    with (stubs / "thing_pb2.py").open("a", encoding="utf-8") as stub:
        stub.write("# edited\n")
    (stubs / "thing_pb2.pyi").unlink()
    (stubs / "old_pb2.py").touch()
    code, printed = run(project, "--check")
    assert code == 1
    assert printed.splitlines()[:3] == [
        "  left over  parley/type/v1/old_pb2.py",
        "  changed    parley/type/v1/thing_pb2.py",
        "  missing    parley/type/v1/thing_pb2.pyi",
    ]


def test_check_notices_a_changed_proto(project: Path) -> None:
    run(project)
    proto_of(project).write_text(PROTO.replace("max_len = 10", "max_len = 11"), encoding="utf-8")
    code, printed = run(project, "--check")
    assert code == 1
    assert "changed    parley/type/v1/thing_pb2.py" in printed


def test_refused_proto_leaves_the_stubs_alone(project: Path) -> None:
    run(project)
    proto_of(project).write_text(PROTO.replace("string name", "strong name"), encoding="utf-8")
    code, printed = run(project)
    assert code == 1
    assert '"strong" is not defined' in printed
    assert (project / "protos" / "gen" / "parley" / "type" / "v1" / "thing_pb2.py").exists()


def test_lint_demands_comments(project: Path) -> None:
    assert run(project, "lint")[0] == 0
    proto_of(project).write_text(
        PROTO.replace("  // The name, at most 10 characters.\n", ""), encoding="utf-8"
    )
    code, printed = run(project, "lint")
    assert code == 1
    assert "thing.proto" in printed


def test_breaking_passes_without_history(project: Path) -> None:
    assert run(project, "breaking") == (0, "protos: breaking: no commit to compare with yet\n")


def test_breaking_refuses_what_callers_cannot_survive(project: Path) -> None:
    commit(project)
    proto_of(project).write_text(PROTO.replace("string name = 1", "string name = 2"), encoding="utf-8")
    code, printed = run(project, "breaking")
    assert code == 1
    assert "thing.proto" in printed


def test_breaking_compares_a_branch_with_where_it_left_main(project: Path) -> None:
    commit(project)
    git(project, "checkout", "--quiet", "-b", "work")
    proto_of(project).write_text(PROTO.replace("message Thing", "message Item"), encoding="utf-8")
    commit(project)
    assert run(project, "breaking")[0] == 1


def test_additions_break_nobody(project: Path) -> None:
    commit(project)
    addition = PROTO.replace("10];\n", "10];\n  // The size in millimetres.\n  int32 size_mm = 2;\n")
    proto_of(project).write_text(addition, encoding="utf-8")
    assert run(project, "breaking")[0] == 0


def test_other_versions_of_the_generators_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(generate.TOOLCHAIN, "mypy-protobuf", "0.0.1")
    assert generate.main(["--check", "--sources", str(project / "protos")]) == 1
    assert "pinned is 0.0.1" in capsys.readouterr().err
