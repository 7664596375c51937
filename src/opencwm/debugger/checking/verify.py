"""Confirm or refute what a check found: the same call, run for real in the sandbox."""

from __future__ import annotations

import dataclasses

from opencwm.debugger.checking.check import (
    CheckedFunction,
    Finding,
    FindingKind,
    Verdict,
    exception_name,
    raising_line,
)
from opencwm.debugger.execution import describe_end
from opencwm.sandbox import RunLimits, Sandbox, record
from opencwm.tracer import TraceLimits
from opencwm.traces import OutcomeKind, Program, Status, Trace, observed_outcome

MAX_STEPS = 50_000
"""A run that takes more steps than these, or more time than it is given, counts as endless."""

_ENDLESS = (Status.TIMEOUT, Status.STEP_LIMIT, Status.BYTE_LIMIT, Status.MEMORY)
_NO_RUN = (Status.MODULE_FAILED, Status.NO_ENTRY, Status.REFUSED, Status.UNTRACED)


def verify(
    checked: CheckedFunction,
    source: str,
    sandbox: Sandbox,
    *,
    seconds: float = 2.0,
    filename: str = "<program>",
) -> CheckedFunction:
    """Return what was found with a verdict on each finding.

    Args:
        checked: what was found.
        source: of the program.
        sandbox: runs it.
        seconds: wall-clock limit of a run.
        filename: as in the check.

    Raises:
        SandboxError: the sandbox failed, not the program.
    """
    limits = RunLimits(wall_s=seconds, cpu_s=seconds)
    findings = []
    for finding in checked.findings:
        program = Program.from_call(source, finding.call, filename=filename)
        trace = record(
            program,
            sandbox=sandbox,
            limits=limits,
            trace_limits=TraceLimits(max_steps=MAX_STEPS),
            accelerate=True,
        )
        findings.append(judged(finding, trace))
    return dataclasses.replace(checked, findings=tuple(findings))


def judged(finding: Finding, trace: Trace) -> Finding:
    """Return a finding with the verdict of a real run of its call.

    An exception is confirmed when one of the same type comes from the same line.
    """
    really = describe_end(trace.status, trace.result, trace.detail)
    if trace.status in _NO_RUN:
        return dataclasses.replace(finding, verdict=Verdict.UNDECIDED, really=really)
    outcome = observed_outcome(trace)
    is_raised = outcome is not None and outcome.kind is OutcomeKind.RAISED
    lineno = raising_line(trace.steps, trace.program.source) if is_raised else 0
    name = exception_name(outcome.value) if outcome is not None and is_raised else ""
    if is_raised:
        really += f" at line {lineno}"
    match finding.kind:
        case FindingKind.EXCEPTION:
            is_so = name == exception_name(finding.what) and lineno == finding.lineno
        case FindingKind.ENDLESS_RECURSION:
            is_so = name == "RecursionError" or trace.status in _ENDLESS
        case FindingKind.ENDLESS_LOOP:
            is_so = trace.status in _ENDLESS
    return dataclasses.replace(
        finding, verdict=Verdict.CONFIRMED if is_so else Verdict.REFUTED, really=really
    )
