"""How fast a run is recorded: the tracer, its accelerator, a tracer of every repr, PySnooper and hunter.

All run the same programs in one process and in turns. A figure is the steps of the program's trace divided by
the CPU time of the thread, the best of several turns, because the machine may be shared. The time is that of
the run and of making the steps; compiling is no part of it. That the tracer and its accelerator make equal
steps is asserted, and so is that the tracer of every repr makes the same where its rules are the same.

    pip install -e '.[benchmark]'
    python benchmarks/tracer_speed.py [--turns 5] [--generated 200]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import tracer_rivals
from tracer_workloads import SHORT_FUNCTIONS, Loaded, load, load_all

from opencwm.tracer import TraceLimits, accelerator, record
from opencwm.tracer.recorder import Recorder
from opencwm.traces import Program, Step

LIMITS = TraceLimits(max_steps=10**7)
GROWTH = """
def main():
    items = []
    for i in range(20000):
        items.append(i)
    return len(items)
"""
Timed = Callable[[Loaded], tuple[float, int, Any]]
"""Runs a program; returns the seconds it took, the characters it recorded and the steps, if any."""


def timed_repr(program: Loaded) -> tuple[float, int, Any]:
    entry = program.entry()
    start = time.thread_time()
    steps = tracer_rivals.repr_steps(program, entry)
    return time.thread_time() - start, tracer_rivals.num_chars(steps), steps


def timed_opencwm(*, accelerate: bool) -> Timed:
    def timed(program: Loaded) -> tuple[float, int, Any]:
        recorder = Recorder(program.code, program.text, LIMITS, lambda: None, accelerate=accelerate)
        entry = program.entry()
        limit = sys.getrecursionlimit()
        start = time.thread_time()
        recorder.start(10)
        try:
            tracer_rivals.run(entry)
        finally:
            sys.settrace(None)
            sys.setrecursionlimit(limit)
        steps = recorder.build_steps()
        return time.thread_time() - start, tracer_rivals.num_chars(steps), steps

    return timed


def timed_rival(run: Callable[[Loaded, Callable[[], object]], int]) -> Timed:
    def timed(program: Loaded) -> tuple[float, int, Any]:
        entry = program.entry()
        start = time.thread_time()
        size = run(program, entry)
        return time.thread_time() - start, size, None

    return timed


def tracers() -> dict[str, Timed]:
    """Return what can be compared here, by name."""
    found: dict[str, Timed] = {"repr all": timed_repr, "tracer": timed_opencwm(accelerate=False)}
    if accelerator.is_available():
        found["accelerated"] = timed_opencwm(accelerate=True)
    rivals = {"pysnooper": tracer_rivals.record_pysnooper, "hunter": tracer_rivals.record_hunter}
    found |= {name: timed_rival(run) for name, run in rivals.items() if tracer_rivals.available(name)}
    return found


def measure(programs: list[Loaded], turns: int) -> tuple[int, dict[str, tuple[float, int]]]:
    """Return the steps of all programs, and by tracer the best seconds and the characters recorded."""
    found: dict[str, tuple[float, int]] = {}
    num_steps = 0
    for _ in range(turns):
        steps_by_tracer: dict[str, list[Any]] = {}
        for name, timed in tracers().items():
            results = [timed(program) for program in programs]
            seconds = sum(result[0] for result in results)
            best = min(seconds, found[name][0]) if name in found else seconds
            found[name] = best, sum(result[1] for result in results)
            steps_by_tracer[name] = [result[2] for result in results]
        num_steps = sum(map(len, steps_by_tracer["tracer"]))
        check(steps_by_tracer)
    return num_steps, found


def check(steps_by_tracer: dict[str, list[Any]]) -> None:
    """Assert that the accelerator made the same steps, and the tracer of every repr as many of each kind.

    Python 3.12 and later report comprehensions, which the tracer folds and the other does not.
    """
    if "accelerated" in steps_by_tracer:
        assert steps_by_tracer["tracer"] == steps_by_tracer["accelerated"]
    if sys.version_info < (3, 12):
        for ours, theirs in zip(steps_by_tracer["tracer"], steps_by_tracer["repr all"], strict=True):
            assert shapes(ours) == shapes(theirs)


def shapes(steps: list[Step]) -> list[object]:
    """Return what must be equal of all programs; values differ where a repr is the program's own."""
    return [(step.lineno, step.depth) for step in steps if step.kind in ("call", "line")]


def compare(turns: int, num_generated: int) -> None:
    """Print the tables."""
    names = list(tracers())
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        results = {
            name: measure(programs, turns) for name, programs in load_all(Path(folder), num_generated).items()
        }
    print("steps per second of CPU time; in brackets, how many times the tracer of every repr")
    print(f"{'program':<16}{'steps':>7}" + "".join(f"{name:>20}" for name in names))
    for program, (num_steps, found) in results.items():
        cells = [
            f"{num_steps / seconds:>12,.0f} ({found['repr all'][0] / seconds:4.1f}x)"
            for seconds, _ in found.values()
        ]
        print(f"{program:<16}{num_steps:>7}" + "".join(f"{cell:>20}" for cell in cells))
    print("\ncharacters recorded per step")
    for program, (num_steps, found) in results.items():
        cells = [f"{size / num_steps:,.1f}" for _, size in found.values()]
        print(f"{program:<16}{num_steps:>7}" + "".join(f"{cell:>20}" for cell in cells))


def whole_records(num_generated: int, turns: int) -> None:
    """Print the cost of all of ``record``, compiling included, on the short functions."""
    from opencwm.core.seeds import derive_rng
    from opencwm.corpus.generator import generate_program, sample_config

    programs: list[Program] = []
    for index in range(num_generated):
        rng = derive_rng("tracer speed", index)
        programs.append(generate_program(rng, sample_config(rng)))
    print(f"\nall of record(), {SHORT_FUNCTIONS}: milliseconds per program")
    for accelerate in (False, True):
        best = float("inf")
        for _ in range(turns):
            start = time.thread_time()
            for program in programs:
                record(program, LIMITS, accelerate=accelerate)
            best = min(best, time.thread_time() - start)
        print(f"  {'accelerated' if accelerate else 'tracer':<12}{best / num_generated * 1e3:8.2f}")


def grow() -> None:
    """Print the cost per step of the tracer written in Python while a list grows to 20,000 elements."""
    with tempfile.TemporaryDirectory() as folder:
        program = load(GROWTH, "main", Path(folder) / "growth.py")
    recorder = Recorder(program.code, GROWTH, LIMITS, lambda: None)
    times: list[float] = []
    inner = recorder.trace
    marks = range(0, 20001, 4000)

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        local = inner(frame, event, arg)
        if local is None:
            return None

        def timed(frame: FrameType, event: str, arg: Any) -> Any:
            if frame.f_lineno == 5 and event == "line":
                times.append(time.thread_time())
            local(frame, event, arg)
            return timed

        return timed

    limit = sys.getrecursionlimit()
    entry = program.entry()
    recorder.start(10)
    sys.settrace(trace)
    entry()
    sys.settrace(None)
    sys.setrecursionlimit(limit)
    print("\nlist of 20,000 elements growing by append: microseconds per iteration (2 steps)")
    for low, high in itertools.pairwise(marks):
        spent = times[min(high, len(times) - 1)] - times[low]
        print(f"  {low:>6} to {high:>6} elements: {spent / (high - low) * 1e6:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--generated", type=int, default=200)
    arguments = parser.parse_args()
    if not accelerator.is_available():
        print("the accelerator is not built here", file=sys.stderr)
    compare(arguments.turns, arguments.generated)
    whole_records(arguments.generated, arguments.turns)
    grow()


if __name__ == "__main__":
    main()
