"""The data folder: who holds it, and that its files are whole and private."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stack.accounts import Account
from stack.data_folder import DataFolder, write_atomically
from stack.failure import StackError
from stack.ports import SERVICES, Ports


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert DataFolder.locate(None, {}).root == tmp_path / ".parley"
    assert DataFolder.locate(None, {"PARLEY_DATA_DIR": "/var/parley"}).root == Path("/var/parley")
    assert DataFolder.locate("b", {"PARLEY_DATA_DIR": "/var/parley"}).root == tmp_path / "b"


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="--data-dir"):
        DataFolder(tmp_path / "file" / "data").create()


def test_it_never_enters_version_control(folder: DataFolder) -> None:
    assert (folder.root / ".gitignore").read_text() == "*\n"


def test_a_second_holder_is_told_who_the_first_is(folder: DataFolder) -> None:
    lock = folder.lock()
    folder.write_state({"supervisor": 4711, "http": "http://127.0.0.1:8080"})
    assert folder.is_locked()
    with pytest.raises(
        StackError, match=r"already running .*process 4711, http://127\.0\.0\.1:8080"
    ) as caught:
        folder.lock()
    assert "kill 4711" in caught.value.hint
    lock.release()
    assert not folder.is_locked()
    folder.lock().release()


def test_asking_who_holds_it_does_not_hold_it(folder: DataFolder) -> None:
    folder.lock().release()
    assert not folder.is_locked()
    folder.lock().release()


def test_a_state_without_a_holder_is_not_a_running_stack(folder: DataFolder) -> None:
    folder.write_state({"supervisor": 4711})
    with pytest.raises(StackError, match="No stack is running"):
        folder.running_state()


def test_a_broken_state_is_none(folder: DataFolder) -> None:
    (folder.root / "stack.json").write_text('{"supervisor": ')
    assert folder.state() is None


def test_secrets_are_private_and_stay(folder: DataFolder) -> None:
    first = folder.secrets()
    assert folder.secrets() == first
    assert stat.S_IMODE((folder.root / "secrets.json").stat().st_mode) == 0o600
    assert set(first.roles) == set(SERVICES)
    assert len({first.postgres, first.nats, *first.roles.values()}) == 2 + len(SERVICES)


def test_lost_secrets_of_existing_databases_are_not_silently_replaced(folder: DataFolder) -> None:
    folder.postgres.mkdir()
    (folder.postgres / "PG_VERSION").write_text("18\n")
    with pytest.raises(StackError, match="knows the passwords"):
        folder.secrets()


def test_ports_are_remembered(folder: DataFolder) -> None:
    assert folder.remembered_ports() is None
    folder.remember_ports(Ports(1234, 5678))
    assert folder.remembered_ports() == Ports(1234, 5678)
    (folder.root / "ports.json").write_text("[]")
    assert folder.remembered_ports() is None


def test_a_file_is_private_from_its_first_moment_and_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / ".secret.new").write_text("left by a crash")
    write_atomically(tmp_path / "secret", "one", mode=0o600)
    write_atomically(tmp_path / "secret", "two", mode=0o600)
    assert (tmp_path / "secret").read_text() == "two"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_an_account_reaches_what_every_folder_on_the_way_lets_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    inner = tmp_path / "private" / "data"
    inner.mkdir(parents=True)
    stranger = Account("stranger", uid=54_321, gid=54_321)
    owner = Account("owner", uid=inner.stat().st_uid, gid=inner.stat().st_gid)
    (tmp_path / "private").chmod(0o700)
    assert not any(stranger.can_reach(path) for path in (inner, inner / "deeper"))
    assert owner._may_search(tmp_path / "private")
    (tmp_path / "private").chmod(0o711)
    assert stranger._may_search(tmp_path / "private")
