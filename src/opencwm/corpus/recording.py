"""Record programs in the sandbox: where the tracer and the sandbox meet.

The idea: every program yields a trace, also one that hangs, crashes or cheats; what went wrong is its status. The trace comes
from a process that the program controlled, so nothing in it is believed about the program itself.
"""

from __future__ import annotations

import dataclasses
import json
import sys

from opencwm.core.errors import TraceFormatError
from opencwm.sandbox import RunLimits, RunResult, RunStatus, Sandbox
from opencwm.tracer import TraceLimits
from opencwm.tracer.child import encode_request
from opencwm.traces import Program, Status, Trace
from opencwm.traces.jsonl import trace_from_json

TARGET = "opencwm.tracer.child:main"

_STATUS = {
    RunStatus.FAILED: Status.UNTRACED,  # the recorder itself was made to fail
    RunStatus.TIMEOUT: Status.TIMEOUT,
    RunStatus.MEMORY: Status.MEMORY,
    RunStatus.OUTPUT_LIMIT: Status.BYTE_LIMIT,
    RunStatus.EXITED: Status.EXITED,
    RunStatus.KILLED: Status.KILLED,
    RunStatus.GARBLED: Status.UNTRACED,
}


def record_in_sandbox(
    program: Program, sandbox: Sandbox, limits: TraceLimits | None = None, run_limits: RunLimits | None = None
) -> Trace:
    """Run ``program`` in a confined process and return its trace; a program that fails has a status that says how.

    Args:
        program: what to run.
        sandbox: reused from call to call; the caller closes it.
        limits: bounds of the recording.
        run_limits: what the process may use.

    Raises:
        SandboxError: the sandbox failed, not the program.
    """
    result = sandbox.run(TARGET, encode_request(program, limits or TraceLimits()), run_limits)
    trace = _trace_of(result, program)
    if trace is not None:
        return trace
    status = _STATUS.get(result.status, Status.UNTRACED)
    detail = result.detail or "the record is missing"
    return Trace(program, (), (), status, detail, f"{sys.version_info.major}.{sys.version_info.minor}")


def _trace_of(result: RunResult, program: Program) -> Trace | None:
    """The trace that was emitted, when there is exactly one and the process ended as a recording does."""
    if len(result.outputs) != 1 or result.status not in (RunStatus.RETURNED, RunStatus.EXITED) or result.exit_code:
        return None
    try:
        trace = trace_from_json(json.loads(result.outputs[0]))
    except (TraceFormatError, ValueError, RecursionError):
        return None
    if trace.program != program:
        return None
    if result.status is RunStatus.EXITED and trace.status not in (Status.STEP_LIMIT, Status.BYTE_LIMIT):
        return None  # the program wrote this itself and left
    return dataclasses.replace(trace, program=program)
