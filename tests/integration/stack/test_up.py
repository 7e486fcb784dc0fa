"""`python -m stack up` as a user has it: real servers, real processes, stand-ins for the services."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from tests.integration.stack.conftest import Stacks
from tests.integration.stack.installation import (
    PROCESSES,
    SERVICES,
    Stack,
    as_nobody,
    ask,
    gone,
    library_path,
    unprivileged_python,
)
from tests.integration.stack.waiting import until

HANG_SECONDS = 3.0
SUPERVISOR_LIMIT_BYTES = 45 * 1024 * 1024


def shown(stack: Stack) -> dict[str, str]:
    """State and restarts of each process as `stack status` shows them."""
    rows = json.loads(stack.run("status", "--json").stdout)["processes"]
    return {name: f"{row['state']} {row['restarts']}" for name, row in rows.items() if name in PROCESSES}


@contextlib.contextmanager
def left_behind(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that goes on for minutes."""
    process = subprocess.Popen(["sleep", "600"], env=environment, process_group=0)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_everything_runs_is_shown_and_stops_in_order(stacks: Stacks) -> None:
    stack = stacks().start()
    assert shown(stack) == dict.fromkeys(PROCESSES, "ready 0")

    status = json.loads(stack.run("status", "--json").stdout)
    assert status["ready"] is True
    assert 0 < status["processes"]["stack"]["rss_bytes"] < SUPERVISOR_LIMIT_BYTES
    python = [row["rss_bytes"] for row in status["processes"].values() if row["python"]]
    assert status["python_rss_bytes"] == sum(python)
    assert len(python) == len(SERVICES) + 3
    table = stack.run("status").stdout
    assert all(name in table for name in PROCESSES)

    ports = json.loads(stack.run("ports", "--json").stdout)
    assert "200 OK" in ask(ports["http"], "GET /readyz HTTP/1.1")
    assert set(ports["grpc"]) == set(SERVICES)
    assert all("200 OK" in ask(address, "GET /readyz HTTP/1.1") for address in ports["metrics"].values())
    assert ports["http"] in stack.run("ports").stdout

    family = stack.everyone()
    assert stack.stop(signal.SIGINT) == 0
    assert gone(family)
    assert not (stack.data_dir / "stack.json").exists()
    assert stack.output().rstrip().endswith("stopped")
    assert "was killed" not in stack.output()


def test_a_token_is_signed_by_the_published_key_for_the_names_of_the_stack(standing: Stack) -> None:
    stack = replace(standing, environment={})
    token = stack.run("token", "--as", "buyer", "--user", "ana").stdout.strip()
    published = jwt.PyJWKSet.from_json((stack.data_dir / "auth" / "jwks.json").read_text())
    key = published[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="parley", issuer="our-issuer")
    assert (claims["sub"], claims["roles"]) == ("users/ana", ["buyer"])


@pytest.mark.parametrize("name", ["offers", pytest.param("gateway", marks=pytest.mark.faults)])
def test_a_crash_and_a_hang_are_explained_and_repaired(stacks: Stacks, name: str) -> None:
    stack = stacks(environment={"PARLEY_STACK_HANG_SECONDS": f"{HANG_SECONDS:g}"}).start()
    # Meanwhile another one hangs: it exists, but nothing in it turns.
    os.kill(stack.pid("orders"), signal.SIGSTOP)
    before = stack.pid(name)
    addresses = stack.state()["processes"][name]["addresses"]
    ask(addresses.get("grpc") or addresses["http"], "CRASH 7")
    until(lambda: f"{name:<10}| ready again" in stack.output(), "restarted")
    assert f"{name:<10}| ended with status 7; restarts in 0.2 s" in stack.output()
    assert "Boom: the last words" in stack.output()
    assert "error asked to crash because=CRASH 7" in stack.output()
    assert stack.pid(name) != before
    until(lambda: "orders    | ready again" in stack.output(), "the hung one restarted")
    assert f"orders    | gave no answer for {HANG_SECONDS:g} s and was killed; restarts" in stack.output()
    assert shown(stack) == {**dict.fromkeys(PROCESSES, "ready 0"), name: "ready 1", "orders": "ready 1"}
    for server in ("postgres", "nats"):
        os.kill(stack.pid(server), signal.SIGKILL)
        until(lambda server=server: f"{server:<10}| ready again" in stack.output(), f"{server} restarted")  # type: ignore[misc]
        assert f"{server:<10}| was killed by SIGKILL" in stack.output()

    # One request that arrives twice is still an orderly stop.
    os.kill(stack.supervisor(), signal.SIGINT)
    os.kill(stack.supervisor(), signal.SIGTERM)
    assert stack.stop() == 0
    log = (stack.data_dir / "logs" / "postgres.log").read_text()
    assert "database system is shut down" in log
    assert "immediate shutdown" not in log


def test_a_kill_of_the_supervisor_leaves_nobody_and_the_next_start_recovers(
    stacks: Stacks, standing: Stack
) -> None:
    stack = stacks().start()
    family = stack.everyone()
    assert len(family) > len(PROCESSES)
    ports = stack.run("ports", "--json").stdout
    beside = json.loads(standing.run("ports", "--json").stdout)["grpc"]
    assert not set(json.loads(ports)["grpc"].values()) & set(beside.values())
    stack.stop(signal.SIGKILL)
    until(lambda: gone(family), f"nobody left of {family}")

    assert (stack.data_dir / "stack.json").exists()
    assert "No stack is running" in stack.run("ports").stderr
    # What is left where neither the guard nor the kernel did their work is killed by the next start.
    mark = {**os.environ, "PARLEY_STACK_MEMBER": str(stack.data_dir)}
    with left_behind(mark) as left, left_behind(dict(os.environ)) as stranger:
        state = {"processes": {"offers": {"pid": left.pid}, "orders": {"pid": stranger.pid}}}
        (stack.data_dir / "stack.json").write_text(json.dumps(stack.state() | state))
        stack.start()
        until(lambda: left.poll() is not None, "the leftover gone")
        assert stranger.poll() is None
    assert stack.run("ports", "--json").stdout == ports
    assert shown(stack) == shown(standing) == dict.fromkeys(PROCESSES, "ready 0")


@pytest.mark.faults
def test_a_start_right_after_a_kill_waits_for_the_dying(stacks: Stacks) -> None:
    stack = stacks().start()
    for _ in range(3):
        stack.stop(signal.SIGKILL)
        stack.start()
    assert shown(stack) == dict.fromkeys(PROCESSES, "ready 0")


@pytest.mark.parametrize(
    "after",
    [
        pytest.param("data in", marks=pytest.mark.faults),
        pytest.param("postgres.new", marks=pytest.mark.faults),
        "postmaster.pid",
    ],
)
def test_a_kill_in_the_middle_of_the_first_start_is_recovered(stacks: Stacks, after: str) -> None:
    stack = stacks()
    stack.launch()
    if after == "data in":
        until(lambda: after in stack.output(), after)
    elif after == "postgres.new":
        until((stack.data_dir / after).exists, after)
    else:
        until((stack.data_dir / "postgres" / after).exists, after)
    family = stack.everyone()
    stack.stop(signal.SIGKILL)
    until(lambda: gone(family), "nobody left")
    stack.start()
    assert shown(stack) == dict.fromkeys(PROCESSES, "ready 0")


def test_a_command_of_a_service_finds_the_database_of_the_stack(standing: Stack) -> None:
    def execute(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [standing.python, "-m", "stack", "exec", "--data-dir", str(standing.data_dir), *arguments]
        return subprocess.run(
            command,
            cwd=standing.checkout,
            env=standing.environ(),
            capture_output=True,
            text=True,
            check=False,
        )

    done = execute("offers", "migrate")
    assert (done.returncode, json.loads(done.stdout)["event"]) == (0, "migrated"), done.stderr
    for wrong, said in ((["sales", "migrate"], "There is no service sales"), (["offers"], "Which command?")):
        refused = execute(*wrong)
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr


def test_a_second_start_on_the_same_folder_is_refused(standing: Stack) -> None:
    second = standing.run("up", "--port", "0")
    assert second.returncode == 1
    assert f"already running on {standing.data_dir} (process {standing.supervisor()}" in second.stderr
    assert shown(standing) == dict.fromkeys(PROCESSES, "ready 0")


def test_a_port_in_use_is_named_with_its_purpose_and_a_way_out(stacks: Stacks) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = stacks().run("up", "--port", str(port))
        assert refused.returncode == 1
        assert f"Port {port} is in use by process {os.getpid()}" in refused.stderr
        assert "the HTTP address of the gateway needs it" in refused.stderr
        assert "python -m stack up --port" in refused.stderr


def test_real_servers_replace_the_embedded_ones(stacks: Stacks, standing: Stack) -> None:
    provider = standing
    offers = ask(provider.state()["metrics"]["offers"], "GET /environment HTTP/1.1")
    known = json.loads(offers.split("\r\n\r\n", 1)[1])
    secrets = json.loads((provider.data_dir / "secrets.json").read_text())
    environment = {"PARLEY_NATS_URL": known["PARLEY_NATS_URL"]}
    for service in SERVICES:
        dsn = f"postgresql://parley_{service}:{secrets['roles'][service]}@{provider.state()['postgres']}"
        environment[f"PARLEY_{service.upper()}_DSN"] = f"{dsn}/parley_{service}"
    user = stacks(environment=environment).start()
    assert set(user.state()["processes"]) == {"gateway", *SERVICES}
    assert not (user.data_dir / "postgres").exists()
    assert "postgres" not in json.loads(user.run("ports", "--json").stdout)


def test_a_failing_migration_ends_the_start_with_its_reason(stacks: Stacks) -> None:
    stack = stacks(environment={"STAND_IN_MIGRATION_FAILS": "orders"})
    failed = stack.run("up", "--port", "0")
    assert failed.returncode == 1
    assert "migrate ended with status 1" in failed.stderr
    assert "orders cannot migrate: the table is gone" in failed.stderr
    assert not (stack.data_dir / "stack.json").exists()


def test_a_stop_in_the_middle_of_the_start_leaves_nobody(stacks: Stacks) -> None:
    stack = stacks()
    stack.launch()
    until((stack.data_dir / "postgres.new").exists, "the cluster being made")
    family = stack.everyone()
    assert stack.stop(signal.SIGTERM) == 0
    assert gone(family)


@pytest.mark.skipif(os.geteuid() != 0, reason="already a normal user")
def test_it_works_as_a_normal_user(stacks: Stacks, open_folder: Path) -> None:
    python = unprivileged_python()
    if python is None:
        pytest.skip("every Python of this version belongs to root alone")
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    settings = {"PYTHONPATH": library_path(), "HOME": str(home)}
    stack = stacks(launcher=as_nobody(), python=python, environment=settings)
    stack.data_dir = home / "data"
    stack.start()
    assert {process.uids().real for process in stack.everyone()} == {stack.data_dir.stat().st_uid}
    assert shown(stack) == dict.fromkeys(PROCESSES, "ready 0")
    family = stack.everyone()
    stack.stop(signal.SIGKILL)
    until(lambda: gone(family), "nobody left")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of root")
def test_a_folder_of_another_user_is_a_clear_error(stacks: Stacks, standing: Stack) -> None:
    python = unprivileged_python()
    if python is None:
        pytest.skip("every Python of this version belongs to root alone")
    stranger = stacks(launcher=as_nobody(), python=python, environment={"PYTHONPATH": library_path()})
    refused = stranger.run("up", "--port", "0")
    assert refused.returncode == 1
    assert "cannot be written: Permission denied" in refused.stderr

    stranger.data_dir = standing.data_dir
    for arguments in (("up", "--port", "0"), ("token", "--as", "operator"), ("status",)):
        refused = stranger.run(*arguments)
        assert refused.returncode == 1
        assert "belongs to another user" in refused.stderr


def test_without_a_demo_the_demo_says_so_or_explains_itself(stacks: Stacks) -> None:
    answer = stacks().run("demo", "--help")
    assert answer.returncode == 0 or "has no demo" in answer.stderr
