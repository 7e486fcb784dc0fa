"""The embedded PostgreSQL: made whole, kept apart by role, durable, recovered from what a crash left."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest

from stack import postgres_server, topology
from stack.data_folder import DataFolder, Secrets
from stack.environment import Environments, External
from stack.failure import StackError
from stack.leash import Command
from stack.logs import Console
from stack.ports import SERVICES, Ports, choose
from stack.postgres_server import Cluster
from stack.supervisor import Supervisor

START_SECONDS = 60.0


class Embedded:
    """A data folder with its cluster, and PostgreSQL running on it for the time of a block."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.create()
        self.secrets: Secrets = self.folder.secrets()
        self.ports = choose(port=0, base=0, remembered=None, seed=str(root), roles=("postgres",))
        self.environments = Environments(
            self.folder,
            self.ports,
            self.secrets,
            External(postgres=False, nats=False, keys=False),
            os.environ,
        )
        self.stream = io.StringIO()

    def cluster(self) -> Cluster:
        return postgres_server.locate(self.folder, self.secrets, {})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Supervisor]:
        async with Supervisor(self.folder.logs, Console(self.stream, color=False)) as supervisor:

            async def once(command: Command, standard_input: str) -> None:
                await supervisor.run_once("set-up", command, standard_input=standard_input)

            cluster = self.cluster()
            await postgres_server.prepare(cluster, self.secrets, self.environments.server(), once)
            supervisor.start(topology.postgres(cluster, self.ports, self.environments))
            await supervisor.wait_ready("postgres", timeout_seconds=START_SECONDS)
            yield supervisor

    def refusal(self, user: str, database: str, password: str) -> str:
        """What a client is told that tries to get in; the test fails where it gets in."""
        client = self.cluster().binaries / "psql"
        address = ("-h", "127.0.0.1", "-p", str(self.ports["postgres"]))
        tried = subprocess.run(
            [client, "--no-password", *address, "-U", user, "-d", database, "-c", "select 1"],
            env={"PGPASSWORD": password, "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert tried.returncode == 2, tried.stdout
        return tried.stderr

    async def connect(self, user: str, *, database: str | None = None) -> Any:
        service = user.removeprefix("parley_")
        known = self.secrets.postgres if user == "postgres" else self.secrets.roles[service]
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self.ports["postgres"],
            user=user,
            database=database or user,
            password=known,
            ssl=False,
        )

    async def ask(self, statement: str, *, user: str = "postgres", database: str | None = None) -> Any:
        connection = await self.connect(user, database=database)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest.fixture
def embedded(open_folder: Path) -> Embedded:
    return Embedded(open_folder / "data")


async def test_each_role_reaches_its_own_database_and_no_other(embedded: Embedded) -> None:
    databases = {*(f"parley_{service}" for service in SERVICES), "postgres", "template1"}
    async with embedded.running():
        for service in SERVICES:
            await embedded.ask("create table t (n integer)", user=f"parley_{service}")
            for other in databases - {f"parley_{service}"}:
                refusal = embedded.refusal(f"parley_{service}", other, embedded.secrets.roles[service])
                assert "no pg_hba.conf entry" in refusal
        # Even with the access file out of the way, the databases themselves refuse.
        for service in SERVICES:
            reachable = await embedded.ask(
                "select string_agg(datname, ',') from pg_database "
                f"where datallowconn and has_database_privilege('parley_{service}', datname, 'connect')"
            )
            assert reachable == f"parley_{service}"


async def test_nobody_gets_in_without_the_password(embedded: Embedded) -> None:
    async with embedded.running():
        assert "password authentication failed" in embedded.refusal("parley_offers", "parley_offers", "wrong")
        assert "no password supplied" in embedded.refusal("parley_offers", "parley_offers", "")
        stored = "select bool_and(rolpassword like 'SCRAM-SHA-256$%') from pg_authid where rolcanlogin"
        assert await embedded.ask(stored) is True


async def test_it_is_durable_listens_on_loopback_and_has_no_socket_file(embedded: Embedded) -> None:
    async with embedded.running():
        wanted = {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "TimeZone": "UTC",
            "server_encoding": "UTF8",
        }
        assert {name: await embedded.ask(f"show {name}") for name in wanted} == wanted
        mighty = (
            "select count(*) from pg_roles where rolsuper or rolcreaterole or rolcreatedb or rolbypassrls"
        )
        assert await embedded.ask(mighty) == 1


async def test_the_cluster_is_private(embedded: Embedded) -> None:
    async with embedded.running():
        pass
    status = embedded.folder.postgres.stat()
    assert stat.S_IMODE(status.st_mode) == 0o700
    assert (status.st_uid == 0) is False


async def test_committed_rows_survive_the_death_of_the_postmaster(embedded: Embedded) -> None:
    async with embedded.running() as supervisor:
        await embedded.ask("create table t as select 1 as n", user="parley_offers")
        first = int(supervisor.describe()["postgres"]["pid"])
        connection = await embedded.connect("parley_offers")
        try:
            await connection.execute("insert into t values (2)")
            os.kill(first, signal.SIGKILL)
            await until_async(lambda: "ready again" in embedded.stream.getvalue())
        finally:
            connection.terminate()
        assert await embedded.ask("select sum(n) from t", user="parley_offers") == 3
        assert "was killed by SIGKILL" in embedded.stream.getvalue()


async def test_a_pid_file_that_names_a_stranger_is_no_obstacle(embedded: Embedded) -> None:
    async with embedded.running():
        await embedded.ask("create table t as select 1 as n", user="parley_offers")
    pid_file = embedded.folder.postgres / "postmaster.pid"
    pid_file.write_text(
        f"{os.getpid()}\n{embedded.folder.postgres}\n1700000000\n{embedded.ports['postgres']}\n\n\n\nready\n"
    )
    owner = embedded.folder.postgres.stat()
    os.chown(pid_file, owner.st_uid, owner.st_gid)
    async with embedded.running():
        assert await embedded.ask("select n from t", user="parley_offers") == 1


async def test_a_server_that_was_left_running_is_ended_first(embedded: Embedded) -> None:
    async with embedded.running():
        await embedded.ask("create table t as select 1 as n", user="parley_offers")
    cluster = embedded.cluster()
    command = cluster.serve(embedded.ports["postgres"], embedded.environments.server())
    account = command.account
    left = await asyncio.create_subprocess_exec(
        *command.argv,
        stderr=asyncio.subprocess.DEVNULL,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    await until_async(lambda: cluster.is_ready(left.pid))
    async with embedded.running() as supervisor:
        assert await embedded.ask("select n from t", user="parley_offers") == 1
        assert supervisor.describe()["postgres"]["restarts"] == 0
    await left.wait()


async def test_a_half_finished_cluster_is_thrown_away(embedded: Embedded) -> None:
    staging = embedded.folder.root / "postgres.new"
    staging.mkdir()
    (staging / "PG_VERSION").write_text("18\n")
    async with embedded.running():
        assert await embedded.ask("select count(*) from pg_database where datname like 'parley_%'") == 4
    assert not staging.exists()


async def test_a_failing_set_up_publishes_nothing(
    embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "_provisioning", lambda _: "CREATE NONSENSE\n")
    with pytest.raises(StackError, match="set-up ended with status 1") as caught:
        async with embedded.running():
            pass
    assert "syntax error" in caught.value.hint
    assert not embedded.folder.postgres.exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("PG_VERSION", "16\n", "made by PostgreSQL 16"),
        ("thesis.txt", "do not lose", "is not a database cluster"),
    ],
)
async def test_what_is_not_ours_is_left_alone(
    embedded: Embedded, file: str, content: str, message: str
) -> None:
    embedded.folder.postgres.mkdir()
    (embedded.folder.postgres / file).write_text(content)
    with pytest.raises(StackError, match=message):
        async with embedded.running():
            pass
    assert (embedded.folder.postgres / file).read_text() == content


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as somebody else")
async def test_behind_a_private_folder_root_keeps_it_elsewhere(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = open_folder / "shared"
    monkeypatch.setattr(postgres_server, "_SHARED_HOME", shared)
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    embedded = Embedded(private / "data")
    async with embedded.running():
        assert await embedded.ask("select 1") == 1
    assert embedded.cluster().home == shared / "clusters" / embedded.secrets.stack_id / "postgres"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    # A cluster whose data folder was removed goes when the next one is made.
    (embedded.folder.root / "secrets.json").unlink()
    other = Embedded(private / "other")
    assert other.cluster().home.parent.name == other.secrets.stack_id
    assert {path.name for path in (shared / "clusters").iterdir()} == {other.secrets.stack_id}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as somebody else")
async def test_programs_behind_a_private_folder_are_copied(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "_SHARED_HOME", open_folder / "shared")
    copy = postgres_server._shared_copy(postgres_server._wheel())
    assert postgres_server._shared_copy(postgres_server._wheel()) == copy
    embedded = Embedded(open_folder / "data")
    found = embedded.cluster()
    monkeypatch.setattr(postgres_server, "locate", lambda *_: Cluster(found.home, copy, found.account))
    async with embedded.running() as supervisor:
        pid = int(supervisor.describe()["postgres"]["pid"])
        assert Path(psutil.Process(pid).exe()).is_relative_to(open_folder / "shared")


async def test_a_long_path_is_no_obstacle(open_folder: Path) -> None:
    deep = open_folder / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    embedded = Embedded(deep / "data with a blank")
    async with embedded.running():
        assert await embedded.ask("select 1") == 1


async def until_async(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (nothing tells when)
            await asyncio.sleep(0.02)


def test_ports_are_those_of_the_dsn(embedded: Embedded) -> None:
    ports = Ports(8080, 9100)
    dsn = postgres_server.dsn("orders", ports["postgres"], embedded.secrets)
    assert (
        dsn == f"postgresql://parley_orders:{embedded.secrets.roles['orders']}@127.0.0.1:9132/parley_orders"
    )
