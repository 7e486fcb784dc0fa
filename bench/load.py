"""A load generator of its own process: as many calls as a server answers, from a fixed number of callers.

`python -m bench.load` reads a job as JSON from standard input and writes the result as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

import grpc
import uvloop

SECONDS = 4.0
WARM_UP_SECONDS = 1.0
CALL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """`requests` are serialized, in hex, and sent in turn.

    `key_field`, if any, is the number of a string field that gets a fresh key for each call;
    protobuf allows to append it.
    """

    address: str
    method: str
    requests: list[str]
    token: str
    callers: int
    seconds: float
    key_field: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Calls per second and latencies in milliseconds. A failed call ends the job."""

    calls: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds


def run(job: Job) -> Outcome:
    """Runs a job in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(job)).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return Outcome(**json.loads(done.stdout))


async def _drive(job: Job) -> Outcome:
    requests = [bytes.fromhex(text) for text in job.requests]
    tag = bytes([job.key_field << 3 | 2, 36])
    metadata = (("authorization", f"Bearer {job.token}"),)
    latencies: list[float] = []
    async with grpc.aio.insecure_channel(job.address) as channel:
        call: Any = channel.unary_unary(job.method)
        counted_from = time.perf_counter() + WARM_UP_SECONDS
        until = counted_from + job.seconds

        async def caller(first: int) -> None:
            number = first
            while True:
                began = time.perf_counter()
                if began >= until:
                    return
                request = requests[number % len(requests)]
                if job.key_field:
                    request += tag + str(uuid.uuid4()).encode()
                await call(request, metadata=metadata, timeout=CALL_SECONDS)
                if began >= counted_from:
                    latencies.append(time.perf_counter() - began)
                number += job.callers

        async with asyncio.TaskGroup() as tasks:
            for first in range(job.callers):
                tasks.create_task(caller(first))
    latencies.sort()
    return Outcome(
        calls=len(latencies),
        seconds=job.seconds,
        p50=latencies[len(latencies) // 2] * 1000,
        p99=latencies[len(latencies) * 99 // 100] * 1000,
    )


def main() -> None:
    """Reads the job, does it, writes the outcome."""
    job = Job(**json.load(sys.stdin))
    outcome: dict[str, Any] = asdict(uvloop.run(_drive(job)))
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
