"""Generated programs that were run: the filter between the generator and a corpus.

Only programs that ended by themselves, within bounds, and to some purpose are kept. The share of programs
that raise is set by deciding first whether the next one is to raise, and then drawing until one does as
decided.
"""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from opencwm.corpus.generator.config import GeneratorConfig
from opencwm.corpus.generator.functions import generate_candidate
from opencwm.traces import Program, Status, StepFlags, StepKind, Trace

Recorder = Callable[[Program], Trace]
"""Runs a program and returns its trace."""

MAX_ATTEMPTS = 40
CPU_LIMIT_S = 5.0


class _CpuLimitError(BaseException):
    """Raised inside a generated program that runs far longer than any should."""


@contextlib.contextmanager
def _cpu_limit(seconds: float) -> Iterator[list[int]]:
    """End what runs inside after this much CPU time; outside the main thread there is no limit.

    Yields a list that is not empty any more once the time was up: what ran inside may have caught the error.
    """
    expired: list[int] = []
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "ITIMER_PROF"):
        yield expired
        return

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the interface of signal handlers
        expired.append(signum)
        raise _CpuLimitError

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield expired
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, previous)


def in_process_recorder(
    config: GeneratorConfig, *, expressions: bool = False, cpu_s: float = CPU_LIMIT_S
) -> Recorder:
    """Return a recorder that runs programs in this process, bounded by the configuration.

    With ``expressions`` it records sub-expressions as well. ``cpu_s`` is the CPU time of one run.

    For programs of this generator alone: they touch nothing outside themselves and their loops are
    bounded. A CPU-time alarm stands behind that. Programs from elsewhere belong in ``opencwm.sandbox``.
    """
    from opencwm.tracer import TraceLimits, record

    limits = TraceLimits(
        max_steps=config.max_steps + 1,
        max_value_chars=4 * config.max_value_chars,
        max_bytes=2**20,
        expressions=expressions,
    )

    def run(program: Program) -> Trace:
        with contextlib.suppress(_CpuLimitError), _cpu_limit(cpu_s) as expired:
            trace = record(program, limits, accelerate=True)
            if not expired:
                return trace
        return Trace(program, (), (), Status.TIMEOUT, detail=f"more than {cpu_s} s of CPU time")

    return run


def rejection(trace: Trace, config: GeneratorConfig) -> str:
    """Return why a trace is not worth keeping, in two or three words; empty when it is."""
    if trace.status not in (Status.RETURNED, Status.RAISED):
        return f"status {trace.status.value}"
    if len(trace.steps) > config.max_steps:
        return "too many steps"
    num_lines = 0
    for step in trace.steps:
        if step.flags & StepFlags.TRUNCATED:
            return "value cut"
        if step.value is not None and len(step.value) > config.max_value_chars:
            return "long value"
        for _, value in step.changed:
            if len(value) > config.max_value_chars:
                return "long value"
        num_lines += step.kind is StepKind.LINE
    if num_lines < 2:
        return "too few steps"
    if config.size > 0.3 and is_idle(trace):
        return "nothing happens"
    return ""


def is_idle(trace: Trace) -> bool:
    """Whether no local variable ever changes after the arguments are bound, and nothing new comes out.

    A run that raises is never idle.
    """
    if trace.status is Status.RAISED:
        return False
    known = {"None", "True", "False"}
    for step in trace.steps:
        if step.kind is StepKind.CALL:
            known.update(value for _, value in step.changed)
        elif step.changed:
            return False
    return trace.result in known


def generate_traced(
    rng: random.Random, config: GeneratorConfig, recorder: Recorder | None = None
) -> Trace | None:
    """Generate programs until one runs as wanted, and return its trace; None when 40 in a row did not.

    Args:
        rng: the only source of randomness.
        config: what kind of program, and the bounds on its run.
        recorder: how programs are run; :func:`in_process_recorder` when None.
    """
    recorder = recorder or in_process_recorder(config)
    raises = config.size > 0.0 and rng.random() < config.raise_fraction
    for _ in range(MAX_ATTEMPTS):
        program = generate_candidate(rng, config, may_raise=raises)
        trace = recorder(program)
        if (trace.status is Status.RAISED) == raises and not rejection(trace, config):
            return trace
    return None
