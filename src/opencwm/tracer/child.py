"""What runs inside a sandbox child: JSON of a program in, JSON of its trace out.

The wire is bytes, so that the parent never unpickles what an untrusted program could have forged. Nothing
here isolates: that is the sandbox's part.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any, NoReturn

from opencwm.core.errors import TraceFormatError
from opencwm.tracer.limits import DEFAULT_LIMITS, TraceLimits
from opencwm.tracer.run import record
from opencwm.traces.jsonl import program_from_json, program_to_json, trace_to_json
from opencwm.traces.program import Program
from opencwm.traces.trace import Trace


def encode_request(program: Program, limits: TraceLimits = DEFAULT_LIMITS) -> bytes:
    """Return the payload that makes :func:`main` record ``program``."""
    return json.dumps({"program": program_to_json(program), "limits": dataclasses.asdict(limits)}).encode()


def main(payload: bytes, emit: Callable[[bytes], None]) -> None:
    """Record the program in ``payload`` and give the trace's JSON, ASCII bytes, to ``emit`` exactly once.

    When a limit is reached the trace so far is emitted and the process ends at once, with ``os._exit(0)``: an
    exception could be swallowed by the program. The caller's ``emit`` must therefore have written everything
    when it returns.

    Raises:
        TraceFormatError: ``payload`` is not what :func:`encode_request` returns.
    """
    program, limits = decode_request(payload)
    dumps, leave = json.dumps, os._exit  # the program shares these modules and may change them

    def finish(trace: Trace) -> NoReturn:
        emit(dumps(trace_to_json(trace), separators=(",", ":")).encode())
        leave(0)

    trace = record(program, limits, on_limit=finish)
    emit(dumps(trace_to_json(trace), separators=(",", ":")).encode())


def decode_request(payload: bytes) -> tuple[Program, TraceLimits]:
    """Return what :func:`encode_request` encoded.

    Raises:
        TraceFormatError: it is something else.
    """
    try:
        request: Any = json.loads(payload)
        limits = TraceLimits(**request["limits"])
        program = request["program"]
    except (ValueError, KeyError, TypeError) as error:
        raise TraceFormatError(f"not a request to record a program: {error}", where="payload") from None
    return program_from_json(program, where="payload.program"), limits
