"""Many sessions at once against ``opencwm serve``: whether anything is lost, and what it gains.

Each session asks for greedy continuations of a prompt of token ids that grows by what was written, as a
debugger's does. The same sessions are run one after the other, over one connection, and all at once, each
time against a new server on one core; whoever asks is on another core where there is one. What a session
gets must be the same both ways, id by id. On a machine that others use, trust the ratios of CPU time.

    python benchmarks/serve_load.py --turns 3

Needs the extras ``serve`` and ``http``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np

TOKEN = secrets.token_urlsafe()
SERVE = "import sys; from opencwm.frontends.cli import main; sys.exit(main(['serve', *sys.argv[1:]]))"


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the sessions ask: so many sessions, ids of a first prompt, requests, and ids of each answer."""

    sessions: int
    prompt: int
    requests: int
    new: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """What came of it: ids of each session, seconds of each request, and what the server spent."""

    written: list[list[int]]
    latencies_s: list[float]
    wall_s: float
    cpu_s: float
    peak_mib: float

    @property
    def num_tokens(self) -> int:
        """Ids that all sessions got."""
        return sum(map(len, self.written))


@contextlib.contextmanager
def server(model: str | None, core: int, rows: int) -> Iterator[tuple[str, int]]:
    """Yield the address and the process of a server on one core."""
    command = [sys.executable, "-c", SERVE, "--rows", str(rows), *(["--model", model] if model else [])]
    environment = {**os.environ, "OPENCWM_API_KEY": TOKEN, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http"), "the server did not start"
        yield url, process.pid
    finally:
        process.terminate()
        process.communicate()


def spent(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of a process and its peak memory in MiB."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return ticks / os.sysconf("SC_CLK_TCK"), peak / 1024


async def session(
    client: httpx.AsyncClient, ids: list[int], shape: Shape, latencies_s: list[float]
) -> list[int]:
    """Run a session; return the ids it got."""
    length = len(ids)
    for _ in range(shape.requests):
        begin_s = time.perf_counter()
        body = {"prompt": ids, "max_tokens": shape.new, "temperature": 0, "return_token_ids": True}
        reply = await client.post("completions", json=body)
        reply.raise_for_status()
        latencies_s.append(time.perf_counter() - begin_s)
        ids = ids + reply.json()["choices"][0]["token_ids"]
    return ids[length:]


async def measured(url: str, pid: int, shape: Shape, at_once: int, number: int) -> Measured:
    """Run the first so many of the sessions, so many at once."""
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, 1000, shape.prompt).tolist() for _ in range(shape.sessions)]
    latencies_s: list[float] = []
    gate = asyncio.Semaphore(at_once)
    limits = httpx.Limits(max_connections=at_once)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=600, limits=limits, trust_env=False
    ) as client:

        async def one(prompt: list[int]) -> list[int]:
            async with gate:
                return await session(client, prompt, shape, latencies_s)

        cpu_s, _ = spent(pid)
        begin_s = time.perf_counter()
        written = await asyncio.gather(*map(one, prompts[:number]))
        wall_s = time.perf_counter() - begin_s
    after_s, peak_mib = spent(pid)
    return Measured(list(written), latencies_s, wall_s, after_s - cpu_s, peak_mib)


def told(name: str, one: Measured) -> str:
    """Return a row of the table."""
    ordered = sorted(one.latencies_s)
    at = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    cells = (
        f"{one.num_tokens / one.wall_s:,.0f}",
        f"{1000 * one.cpu_s / one.num_tokens:.2f}",
        f"{1000 * statistics.median(ordered):,.0f}",
        f"{1000 * at:,.0f}",
        f"{one.peak_mib:,.0f}",
    )
    return f"{name:>16}" + "".join(f"{cell:>14}" for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a model folder; by default that of the package")
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=32, metavar="IDS", help="of the first request")
    parser.add_argument("--requests", type=int, default=4, help="of each session")
    parser.add_argument("--new", type=int, default=32, metavar="IDS", help="of each answer")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--alone", type=int, default=64, help="sessions that are also run one at a time")
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    shape = Shape(asked.sessions, asked.prompt, asked.requests, asked.new)
    heads = ("tokens/s", "CPU ms/token", "p50 ms", "p99 ms", "peak MiB")
    print(f"{shape}; load {os.getloadavg()[0]:.1f}")
    print(" " * 16 + "".join(f"{head:>14}" for head in heads))
    ratios = []
    for _ in range(asked.turns):
        both = []
        for at_once, number in ((1, min(asked.alone, shape.sessions)), (shape.sessions, shape.sessions)):
            with server(asked.model, cores[0], shape.sessions) as (url, pid):
                both.append(asyncio.run(measured(url, pid, shape, at_once, number)))
            print(told(f"{at_once} at once", both[-1]), flush=True)
        alone, together = both
        same = together.written[: len(alone.written)]
        assert alone.written == same, "sessions got other ids together than alone"
        assert together.num_tokens == shape.sessions * shape.requests * shape.new, "ids were lost"
        share = together.num_tokens / alone.num_tokens
        ratios.append((share * alone.wall_s / together.wall_s, share * alone.cpu_s / together.cpu_s))
    walls, cpus = zip(*ratios, strict=True)
    print(
        f"nothing lost, all ids equal; throughput {statistics.median(walls):.2f} times that of one at a time"
    )
    print(f"({min(walls):.2f} to {max(walls):.2f}), CPU time {statistics.median(cpus):.2f} times less")


if __name__ == "__main__":
    main()
