"""Run cut programs, many in one confined process, every trace sent when it is complete.

:func:`main` runs inside the sandbox; :func:`run_programs` is the side outside. A batch whose process dies is
continued with the program after the one that ended it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opencwm.core.errors import TraceFormatError
from opencwm.sandbox import RunLimits, Sandbox
from opencwm.tracer.child import decode_request, encode_request
from opencwm.tracer.limits import TraceLimits
from opencwm.tracer.run import Run
from opencwm.traces.jsonl import trace_from_json, trace_to_json
from opencwm.traces.program import Program
from opencwm.traces.trace import Trace

TARGET = "opencwm.corpus.harvest.check:main"
MAX_RESTARTS = 1


def main(payload: bytes, emit: Callable[[bytes], None]) -> None:
    """Record every program of ``payload``, twice if asked to; emit its trace's JSON, or why there is none.

    Each output is a number of a program, a space, and the JSON of a trace or of a text.
    """
    request = json.loads(payload)
    dumps = json.dumps
    for index, encoded in enumerate(request["programs"]):
        emit(f"{index} null".encode())
        program, limits, accelerate = decode_request(encoded.encode())
        record = functools.partial(_recorded, program, limits, request["cpu_s"], accelerate=accelerate)
        result: Any = record()
        if request["twice"] and record() != result:
            result = "differs from run to run"
        emit(f"{index} {dumps(result, separators=(',', ':'))}".encode())


def warm_up() -> None:
    """Record a tiny program, so that a fork of this process finds everything loaded."""
    encoded = encode_request(Program.from_call("def f(x):\n    return [y for y in x]\n", "f([1])")).decode()
    main(json.dumps({"programs": [encoded], "cpu_s": 1.0, "twice": True}).encode(), lambda _: None)


def _recorded(program: Program, limits: TraceLimits, cpu_s: float, *, accelerate: bool) -> dict[str, Any]:
    run = Run(program, limits, accelerate=accelerate)
    with _cpu_limit(run.expire, cpu_s):
        return trace_to_json(run.result())


@contextlib.contextmanager
def _cpu_limit(handler: Callable[..., None], cpu_s: float) -> Iterator[None]:
    previous = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)


def run_programs(
    programs: Sequence[Program],
    sandbox: Sandbox,
    limits: TraceLimits,
    *,
    twice: bool = True,
    cpu_s: float = 0.5,
    run_limits: RunLimits | None = None,
) -> list[Trace | str]:
    """Run programs and return for each its trace, or in a few words why there is none.

    Args:
        programs: in the order of the results.
        sandbox: where they run.
        limits: of the recording.
        twice: run each twice, and refuse those whose runs differ.
        cpu_s: processor seconds of one run.
        run_limits: of the process.

    Raises:
        SandboxError: the sandbox failed, not a program.
    """
    results: list[Trace | str] = ["not run"] * len(programs)
    first, restarts = 0, 0
    while first < len(programs) and restarts <= MAX_RESTARTS:
        encoded = [encode_request(program, limits).decode() for program in programs[first:]]
        payload = json.dumps({"programs": encoded, "cpu_s": cpu_s, "twice": twice}).encode()
        outcome = sandbox.run(TARGET, payload, run_limits)
        last = -1
        for output in outcome.outputs:
            number, _, text = output.partition(b" ")
            if not number.isdigit() or int(number) >= len(encoded):
                continue
            last = int(number)
            results[first + last] = _result(text, programs[first + last], f"process {outcome.status.value}")
        first += last + 1 if last > 0 else len(encoded)  # the first one cannot even begin: neither can others
        restarts += 1
    return results


def _result(text: bytes, program: Program, otherwise: str) -> Trace | str:
    try:
        data = json.loads(text)
        if isinstance(data, str):
            return data
        if data is None:
            return otherwise
        trace = trace_from_json(data)
    except (TraceFormatError, ValueError, RecursionError):
        return "record cannot be read"
    return trace if trace.program == program else "record of another program"
