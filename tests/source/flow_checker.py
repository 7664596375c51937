"""Checks recorded runs against control-flow graphs; also a script, so that other interpreters can run it.

``python flow_checker.py NUM_RANDOM`` prints one JSON object. Standard library and opencwm only.
"""

from __future__ import annotations

import dataclasses
import json
import sys

from flow_programs import STATEMENTS, random_program

from opencwm.source.cfg import NOTHING, CodeGraph, Continuation, ControlFlow
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Step, StepFlags, StepKind, Trace


@dataclasses.dataclass
class Tally:
    """What was checked, and what a graph did not allow."""

    num_programs: int = 0
    num_steps: int = 0
    num_next_lines: int = 0  # LINE events that follow a LINE event of the same activation
    num_single: int = 0  # of these, how many had one legal next line and no other way but an exception
    num_legal_lines: int = 0  # sum of the numbers of legal next lines
    violations: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Live:
    graph: CodeGraph
    allowed: Continuation
    line: int | None = None
    is_after_line: bool = False


def check_trace(name: str, flow: ControlFlow, trace: Trace, tally: Tally) -> None:
    """Check every step of ``trace``."""
    tally.num_programs += 1
    stack: list[_Live] = []
    for index, step in enumerate(trace.steps):
        tally.num_steps += 1
        problem = _check_step(flow, trace, stack, step, tally)
        if problem:
            tally.violations.append(f"{name}: step {index} {step.kind} line {step.lineno}: {problem}")


def _check_step(flow: ControlFlow, trace: Trace, stack: list[_Live], step: Step, tally: Tally) -> str:
    if step.kind is StepKind.CALL:
        del stack[step.depth :]
        info = trace.codes[step.code]
        graph = flow.get(info.qualname, info.firstlineno)
        if graph is None:
            return f"no graph of {info.qualname}"
        caller = stack[-1] if stack else None
        resumed = step.flags & StepFlags.RESUME
        stack.append(_Live(graph, graph.after_resume if resumed else graph.after_call))
        if step.lineno != graph.firstlineno and not step.flags & StepFlags.RESUME:
            return f"called at {step.lineno}, the graph says {graph.firstlineno}"
        if graph not in flow.at(step.lineno) and not step.flags & StepFlags.RESUME:
            return f"not found by line {step.lineno}"
        is_merged = len(set(graph.local_names)) > len(info.local_names) and info.qualname.endswith("<lambda>")
        if info.local_names != graph.local_names and not is_merged:
            return f"names {info.local_names} in the trace, {graph.local_names} in the graph"
        if unknown := {binding for binding, _ in step.changed} - set(graph.local_names):
            return f"unknown names {unknown}"
        return "" if caller is None or caller.allowed.can_call else f"line {caller.line} may not call"
    del stack[step.depth + 1 :]
    live = stack[-1]
    allowed = live.allowed
    if step.kind is StepKind.LINE:
        if live.is_after_line:
            tally.num_next_lines += 1
            tally.num_legal_lines += len(allowed.lines)
            tally.num_single += len(allowed.lines) == 1 and not (allowed.can_return or allowed.can_yield)
        previous, live.line, live.is_after_line = live.line, step.lineno, True
        live.allowed = live.graph.after_line.get(step.lineno, NOTHING)
        return "" if step.lineno in allowed.lines else f"from line {previous} only to {sorted(allowed.lines)}"
    if step.kind is StepKind.EXCEPTION:
        live.is_after_line = False
        line = step.lineno if live.line is None else live.line
        live.allowed = live.graph.after_exception.get(line, NOTHING)
        return "" if allowed.can_raise else f"line {live.line} may not raise"
    return _check_return(allowed, step, live)


def _check_return(allowed: Continuation, step: Step, live: _Live) -> str:
    if step.flags & StepFlags.YIELD:
        return "" if allowed.can_yield else f"line {live.line} may not yield"
    if step.flags & StepFlags.UNWIND:
        return "" if allowed.can_unwind else f"line {live.line} may not unwind"
    return "" if allowed.can_return else f"line {live.line} may not return"


def check_programs(programs: dict[str, Program]) -> Tally:
    """Record and check every program."""
    tally = Tally()
    for name, program in programs.items():
        trace = record(program, TraceLimits(max_steps=3000))
        if not trace.steps:
            tally.violations.append(f"{name}: not recorded: {trace.detail}")
        check_trace(name, ControlFlow(program.text, name), trace, tally)
    return tally


def check_sources(sources: dict[str, str]) -> Tally:
    """Record and check every source; each defines ``main``."""
    return check_programs({name: Program(source, "main") for name, source in sources.items()})


def main() -> None:
    sources = STATEMENTS | {f"random{seed}": random_program(seed) for seed in range(int(sys.argv[1]))}
    print(json.dumps(dataclasses.asdict(check_sources(sources))))


if __name__ == "__main__":
    main()
