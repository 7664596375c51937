"""What runs inside a sandbox child: JSON of a program in, JSON of its trace out.

The wire is bytes, so that the parent never unpickles what an untrusted program could have forged. Nothing
here isolates or keeps the time: that is the sandbox's part, which announces the deadline by a signal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from opencwm.core.errors import TraceFormatError
from opencwm.tracer.limits import DEFAULT_LIMITS, TraceLimits
from opencwm.tracer.run import Run
from opencwm.traces.jsonl import program_from_json, program_to_json, trace_to_json
from opencwm.traces.program import Program
from opencwm.traces.trace import Trace

DEADLINES = (signal.SIGALRM, signal.SIGXCPU)
"""Signals that say that the time on the clock, or of the processor, is used up."""


def encode_request(
    program: Program, limits: TraceLimits = DEFAULT_LIMITS, *, accelerate: bool = False
) -> bytes:
    """Return the payload that makes :func:`main` record ``program``; see :func:`opencwm.tracer.record`."""
    request = {
        "program": program_to_json(program),
        "limits": dataclasses.asdict(limits),
        "accelerate": accelerate,
    }
    return json.dumps(request).encode()


def main(payload: bytes, emit: Callable[[bytes], None]) -> None:
    """Record the program in ``payload`` and give the trace's JSON, ASCII bytes, to ``emit`` exactly once.

    When a limit is reached, or one of :data:`DEADLINES` arrives, the trace so far is emitted and the process
    ends at once, with ``os._exit(0)``: an exception could be swallowed by the program. The caller's ``emit``
    must therefore have written everything when it returns. A program that handles or blocks these signals
    itself, or is inside one long operation written in C, does not notice them; it takes a kill to end it.

    To be called in the main thread, where alone Python handles signals.

    Raises:
        TraceFormatError: ``payload`` is not what :func:`encode_request` returns.
    """
    program, limits, accelerate = decode_request(payload)
    dumps, leave = json.dumps, os._exit  # the program shares these modules and may change them

    def finish(trace: Trace) -> NoReturn:
        emit(dumps(trace_to_json(trace), separators=(",", ":")).encode())
        leave(0)

    run = Run(program, limits, on_limit=finish, accelerate=accelerate)
    with _handled(DEADLINES, run.expire):
        trace = run.result()
        emit(dumps(trace_to_json(trace), separators=(",", ":")).encode())


def warm_up() -> None:
    """Record a tiny program and drop the record, so that a fork of this process finds everything loaded."""
    program = Program.from_call("def f(x):\n    return [y for y in x]\n", "f([1])")
    main(encode_request(program), lambda _: None)


@contextlib.contextmanager
def _handled(signals: tuple[signal.Signals, ...], handler: Callable[..., None]) -> Iterator[None]:
    """Have ``handler`` called on ``signals``; put the handlers of before back afterwards."""
    previous = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before or signal.SIG_DFL)


def decode_request(payload: bytes) -> tuple[Program, TraceLimits, bool]:
    """Return what :func:`encode_request` encoded: program, limits, and whether to use the accelerator.

    Raises:
        TraceFormatError: it is something else.
    """
    try:
        request: Any = json.loads(payload)
        limits = TraceLimits(**request["limits"])
        program = request["program"]
        accelerate = request.get("accelerate", False) is True
    except (ValueError, KeyError, TypeError) as error:
        raise TraceFormatError(f"not a request to record a program: {error}", where="payload") from None
    return program_from_json(program, where="payload.program"), limits, accelerate
