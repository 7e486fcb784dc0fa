"""docker-compose.yml for real: build, start, the end-to-end suite, a service killed meanwhile, down again.

`python -m tests.e2e.compose` (`make test-compose`). `COMPOSE` names the command, `docker compose` by default.
With `--running` the containers are up already: nothing is built, and they are left as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx

from stack import container_secrets
from stack.demo import campaign, loading, marketplace, scripts
from stack.demo.api import Api, Patience, until
from stack.demo.audit import Audit, audit
from stack.demo.negotiation import Pace, Record
from tests.e2e.shop import fresh
from tests.e2e.target import DATA_DIR, REPOSITORY, URL, Target

ADDRESS = "http://127.0.0.1:8080"
SECRETS = REPOSITORY / ".compose"
VICTIM = "offers"

READY_SECONDS = 240.0
COMMAND_SECONDS = 1_800.0
DOWN_SECONDS = 3.0
NEGOTIATIONS = 60
CONCURRENCY = 8
# Longer than a killed service needs to come back.
PATIENCE = Patience(seconds=120.0)
PACE = Pace(fact_seconds=120.0, expiry_seconds=3.0)


class Failed(Exception):
    """What did not work, for people."""


def compose(*arguments: str) -> None:
    """Run the compose command; Failed if it fails."""
    run([*shlex.split(os.environ.get("COMPOSE", "docker compose")), *arguments])


def run(command: list[str], **variables: str) -> None:
    """Run a command in the repository, its output shown; Failed if it fails."""
    print(f"+ {shlex.join(command)}", flush=True)
    environment = {**os.environ, **variables}
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment, check=False, timeout=COMMAND_SECONDS)
    if ended.returncode != 0:
        raise Failed(f"{shlex.join(command)} ended with status {ended.returncode}")


@contextlib.contextmanager
def containers(*, running: bool) -> Iterator[None]:
    """Everything up and ready; down again at the end, with the volumes."""
    if running:
        until_ready()
        yield
        return
    try:
        compose("build")
        compose("up", "--detach", "--no-build")
        until_ready()
        yield
    except BaseException:
        with contextlib.suppress(Failed):
            compose("logs", "--tail", "50")
        raise
    finally:
        compose("down", "--volumes", "--remove-orphans")


def until_ready() -> None:
    """Wait until the gateway says that every service serves; Failed after READY_SECONDS."""
    deadline, answer = time.monotonic() + READY_SECONDS, "nothing"
    while time.monotonic() < deadline:
        try:
            response = httpx.get(f"{ADDRESS}/readyz", timeout=5.0, trust_env=False)
        except httpx.TransportError as error:
            answer = type(error).__name__
        else:
            answer = response.text
            if response.is_success:
                print(f"ready: {answer}", flush=True)
                return
        time.sleep(0.5)
    raise Failed(f"{ADDRESS} was not ready within {READY_SECONDS:.0f} s, it answered: {answer}")


def suite(*paths: str) -> None:
    """The end-to-end tests against the containers."""
    tests = paths or ("tests/e2e",)
    run(
        [sys.executable, "-m", "pytest", "-q", "--timeout", "300", *tests],
        **{URL: ADDRESS, DATA_DIR: str(SECRETS)},
    )


async def kill_in_the_middle() -> None:
    """Negotiate, kill a service meanwhile, bring it back, and look for what was lost."""
    target = Target(ADDRESS, SECRETS / "auth" / "issuer.pem")
    async with Api(target.url, target.token, patience=PATIENCE) as api:
        market = marketplace.read()
        await loading.load(api, market)
        stalls = await scripts.survey(api, market, api.buyer(fresh("surveyor")))
        drawn = scripts.draw(NEGOTIATIONS, seed=11, stalls=stalls)
        ended: list[Record] = []
        playing = asyncio.create_task(
            campaign.play_all(api, drawn, concurrency=CONCURRENCY, pace=PACE, on_end=ended.append)
        )

        async def third_over() -> bool:
            return playing.done() or len(ended) >= NEGOTIATIONS // 3

        await until(third_over, "a third of the negotiations is over", seconds=300.0)
        if playing.done():
            raise Failed("all negotiations were over before anything was killed")
        await asyncio.to_thread(compose, "kill", VICTIM)
        # Long enough for calls to fail, and short enough for nobody to lose patience.
        await asyncio.sleep(DOWN_SECONDS)
        await asyncio.to_thread(compose, "up", "--detach", "--no-build", VICTIM)
        records = await playing
        verdict = await audit(api, records, fact_seconds=PACE.fact_seconds)
    report(records, verdict)


def report(records: list[Record], verdict: Audit) -> None:
    """Say what became of the negotiations; Failed if anything was lost, doubled or unexpected."""
    print(
        f"{VICTIM} was killed during {len(records)} negotiations: acknowledged {verdict.acknowledged}, "
        f"charged {verdict.charged}, lost {len(verdict.lost)}, duplicated {len(verdict.duplicated)}, "
        f"unexpected {len(verdict.unexpected)}, recovered {verdict.recovered}",
        flush=True,
    )
    broken = [*verdict.findings(), *(record.failure for record in records if record.failure)]
    if broken:
        raise Failed("\n".join(broken))


def main() -> int:
    """The whole run; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.compose", description=__doc__)
    parser.add_argument(
        "--running", action="store_true", help="the containers are up: leave them as they are"
    )
    options = parser.parse_args()
    try:
        container_secrets.write(SECRETS)
        with containers(running=options.running):
            suite()
            asyncio.run(kill_in_the_middle())
            suite("tests/e2e/test_negotiations.py")
    except Failed as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    print("docker-compose.yml holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
