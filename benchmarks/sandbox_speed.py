"""How many programs a second one sandbox runs on one core, by isolation and by how they are run.

Run: python benchmarks/sandbox_speed.py [--num-rounds 20] [--num-runs 20]

Everything is pinned to one processor: this process, the server and the programs, as in a worker of a corpus
build. The cases take turns, a batch of runs each, so that all meet the same machine. Reported are programs a
second over the median batch and the best one: on a machine with other work the best comes nearest to what one
core does. Rows:

- trivial: ``x = 1`` in a process of its own
- recorded: the trace of a short function, 31 steps, in a process of its own
- recorded, 20 inputs: the same function with 20 inputs, by ``record_many``
- new interpreter: ``python -c pass``, for comparison
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from opencwm.core.errors import SandboxError
from opencwm.sandbox import IsolationKind, RunStatus, Sandbox, SandboxConfig, record, record_many
from opencwm.traces import Program, Status

SOURCE = """\
def count(text, letter):
    found = 0
    for character in text:
        if character == letter:
            found += 1
    return found
"""
NUM_INPUTS = 20
PROGRAMS = [Program.from_call(SOURCE, f"count('strawberry', {chr(97 + i)!r})") for i in range(NUM_INPUTS)]

Case = tuple[str, int, Callable[[], None]]
"""Name, programs run by one call, and the call."""


def cases_of(sandbox: Sandbox) -> list[Case]:
    def trivial() -> None:
        assert sandbox.run("opencwm.sandbox.testing:execute", b"x = 1").status is RunStatus.RETURNED

    def recorded() -> None:
        assert record(PROGRAMS[0], sandbox=sandbox).status is Status.RETURNED

    def several() -> None:
        assert all(trace.status is Status.RETURNED for trace in record_many(PROGRAMS, sandbox=sandbox))

    kind = sandbox.isolation.kind
    return [
        (f"{kind}, trivial", 1, trivial),
        (f"{kind}, recorded", 1, recorded),
        (f"{kind}, recorded, {NUM_INPUTS} inputs", NUM_INPUTS, several),
    ]


def new_interpreter() -> None:
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)


def rates_of(cases: list[Case], num_rounds: int, num_runs: int) -> dict[str, list[float]]:
    """Programs a second of every batch, by case."""
    rates: dict[str, list[float]] = {name: [] for name, _, _ in cases}
    for _ in range(num_rounds + 1):
        for name, num_programs, once in cases:
            num_calls = max(num_runs // num_programs, 1)
            started_s = time.perf_counter()
            for _ in range(num_calls):
                once()
            rates[name].append(num_calls * num_programs / (time.perf_counter() - started_s))
    return {name: found[1:] for name, found in rates.items()}  # the first batch warms up


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-rounds", type=int, default=20)
    parser.add_argument("--num-runs", type=int, default=20, help="programs of one batch")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with contextlib.ExitStack() as stack:
        cases: list[Case] = []
        for kind in IsolationKind:
            try:
                cases += cases_of(stack.enter_context(Sandbox(SandboxConfig(isolation=kind))))
            except SandboxError as error:
                print(f"{kind}: {error}")
        cases.append(("new interpreter", 1, new_interpreter))
        print(f"{'programs a second, one core':34} {'median':>8} {'best':>8}")
        for name, rates in rates_of(cases, arguments.num_rounds, arguments.num_runs).items():
            print(f"{name:34} {statistics.median(rates):8.0f} {max(rates):8.0f}")


if __name__ == "__main__":
    main()
