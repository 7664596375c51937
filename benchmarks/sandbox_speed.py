"""How many programs a second one sandbox runs: trivial targets, and recordings of a short program.

Run: python benchmarks/sandbox_speed.py [--num-runs 1000] Everything runs on one processor, the parent
included, as a worker of a corpus build does. Reported are the rate and the median and 95th-percentile
milliseconds of one run; a new interpreter for each program is measured beside them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from opencwm.core.errors import SandboxError
from opencwm.sandbox import IsolationKind, Sandbox, SandboxConfig, record
from opencwm.traces import Program, Status

SOURCE = """\
def count(text, letter):
    found = 0
    for character in text:
        if character == letter:
            found += 1
    return found
"""


def measured(name: str, num_runs: int, once: Callable[[], object]) -> None:
    for _ in range(min(20, num_runs)):
        once()
    durations_ms = []
    started = time.perf_counter()
    for _ in range(num_runs):
        before = time.perf_counter()
        once()
        durations_ms.append((time.perf_counter() - before) * 1e3)
    rate = num_runs / (time.perf_counter() - started)
    durations_ms.sort()
    median, late = statistics.median(durations_ms), durations_ms[int(0.95 * num_runs)]
    print(f"{name:34} {rate:8.0f}/s   median {median:7.2f} ms   95 % {late:7.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-runs", type=int, default=1000)
    num_runs: int = parser.parse_args().num_runs
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    program = Program.from_call(SOURCE, "count('strawberry', 'r')")
    for kind in IsolationKind:
        try:
            with Sandbox(SandboxConfig(isolation=kind, preload=("opencwm.tracer.child",))) as sandbox:

                def trace(sandbox: Sandbox = sandbox) -> None:
                    assert record(program, sandbox=sandbox).status is Status.RETURNED

                def echo(sandbox: Sandbox = sandbox) -> None:
                    assert sandbox.run("opencwm.sandbox.testing:echo", b"x").outputs == (b"x",)

                measured(f"{kind}, trivial target", num_runs, echo)
                measured(f"{kind}, recorded program", num_runs, trace)
        except SandboxError as error:
            print(f"{kind}: {error}")
    new = [sys.executable, "-I", "-c", "pass"]
    measured("a new interpreter each", max(num_runs // 20, 1), lambda: subprocess.run(new, check=True))


if __name__ == "__main__":
    main()
