"""Record a program in the sandbox: every program yields a trace, and what went wrong is its status.

Names the tracer as a dotted path only, to be imported in the server. Its side of the agreement: it emits one
trace as JSON; at a limit of its own, or when SIGALRM announces the deadline, it may emit what it has and
leave by ``os._exit(0)``. The trace comes from a process that the program controlled, so nothing in it is
believed about the program itself.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from opencwm.core.errors import TraceFormatError
from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus
from opencwm.sandbox.supervisor import Sandbox, one_line
from opencwm.traces.jsonl import program_to_json, trace_from_json
from opencwm.traces.program import Program
from opencwm.traces.trace import Status, Trace

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TARGET = "opencwm.tracer.child:main"

_STATUS = {
    RunStatus.RETURNED: Status.UNTRACED,
    RunStatus.FAILED: Status.UNTRACED,
    RunStatus.TIMEOUT: Status.TIMEOUT,
    RunStatus.MEMORY: Status.MEMORY,
    RunStatus.OUTPUT_LIMIT: Status.BYTE_LIMIT,
    RunStatus.EXITED: Status.EXITED,
    RunStatus.KILLED: Status.KILLED,
    RunStatus.GARBLED: Status.UNTRACED,
}
_LIMITS = (Status.STEP_LIMIT, Status.BYTE_LIMIT, Status.TIMEOUT, Status.MEMORY)


def record(
    program: Program,
    *,
    sandbox: Sandbox | None = None,
    limits: RunLimits | None = None,
    trace_limits: DataclassInstance | Mapping[str, Any] | None = None,
    accelerate: bool = False,
) -> Trace:
    """Run ``program`` in a confined process and return its trace, whose status says how it ended.

    Args:
        program: what to run.
        sandbox: reused from call to call, a few milliseconds each; without one a sandbox is started for this
            call alone, about a tenth of a second.
        limits: what the process may use.
        trace_limits: bounds of the recording, a ``TraceLimits`` of the tracer or its fields by name.
        accelerate: record with the tracer's compiled accelerator where it was built; the trace is the same.

    Raises:
        SandboxError: the sandbox failed, not the program.
    """
    return record_many(
        [program], sandbox=sandbox, limits=limits, trace_limits=trace_limits, accelerate=accelerate
    )[0]


def record_many(
    programs: Iterable[Program],
    *,
    sandbox: Sandbox | None = None,
    limits: RunLimits | None = None,
    trace_limits: DataclassInstance | Mapping[str, Any] | None = None,
    accelerate: bool = False,
) -> list[Trace]:
    """Record each program as :func:`record` does; those in a row with one source share processes.

    Made for several inputs of one source: an input then costs little more than its run. Each runs in a module
    of its own, but may see what earlier ones left in other modules; see :meth:`Sandbox.run_many`, also for
    what becomes of the others when one ends the process.

    Args:
        programs: what to run.
        sandbox: as for :func:`record`.
        limits: what one run may use.
        trace_limits: as for :func:`record`.
        accelerate: as for :func:`record`.

    Returns:
        one trace for each program, in order.

    Raises:
        SandboxError: the sandbox failed, not a program.
    """
    if sandbox is None:
        with Sandbox() as own:
            return record_many(
                programs, sandbox=own, limits=limits, trace_limits=trace_limits, accelerate=accelerate
            )
    bounds = trace_limits if isinstance(trace_limits, Mapping | None) else dataclasses.asdict(trace_limits)
    traces: list[Trace] = []
    for _, group in itertools.groupby(programs, key=lambda program: program.source):
        inputs = list(group)
        options = {"limits": dict(bounds or {}), "accelerate": accelerate}
        requests = [{"program": program_to_json(program), **options} for program in inputs]
        payloads = [json.dumps(request).encode() for request in requests]
        results = sandbox.run_many(TARGET, payloads, limits)
        traces += [trace_of(result, program) for result, program in zip(results, inputs, strict=True)]
    return traces


def trace_of(result: RunResult, program: Program) -> Trace:
    """Make the trace of ``program`` out of what a run of the tracer gave back, which may be anything."""
    trace, problem = _parse(result, program)
    is_left_at_limit = result.status is RunStatus.EXITED and result.exit_code == 0 and trace.status in _LIMITS
    if not problem and (result.status is RunStatus.RETURNED or is_left_at_limit):
        return trace
    return dataclasses.replace(trace, status=_STATUS[result.status], detail=result.detail or problem)


def _parse(result: RunResult, program: Program) -> tuple[Trace, str]:
    """Return the last trace emitted, or an empty one, and what is wrong."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    empty = Trace(program, (), (), Status.UNTRACED, python=version)
    if not result.outputs:
        return empty, "the program ended without a record"
    try:
        trace = trace_from_json(json.loads(result.outputs[-1]))
    except (TraceFormatError, ValueError, RecursionError) as error:
        return empty, one_line(f"the record cannot be read: {error}")
    if trace.program != program or trace.python != version:
        return empty, "the record is of another program"
    return dataclasses.replace(trace, program=program, detail=one_line(trace.detail)), ""
