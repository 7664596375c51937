"""How much of recorded runs is foreseen, and how much of that comes true.

    python benchmarks/foresight.py FILE

FILE holds traces with expression detail (.parquet), for example those of a corpus that `opencwm corpus build`
made. No model takes part: values are told as they were recorded. For each kind of thing that is foreseen the
table says how often it came true.
"""

from __future__ import annotations

import argparse
import collections
from collections.abc import Sequence
from pathlib import Path

from opencwm.codec.native_writer import written_evaluations
from opencwm.debugger.foreseeing.expectations import (
    Ask,
    EnteringError,
    Expected,
    Outcome,
    ResumingError,
    UnforeseenError,
)
from opencwm.debugger.foreseeing.foresight import Foresight
from opencwm.debugger.foreseeing.with_blocks import RETURNS, UNWINDS
from opencwm.debugger.foreseeing.workings import Workings
from opencwm.traces import Activation, Step, StepFlags, StepKind, Trace, apply_step
from opencwm.traces.parquet import read_parquet

Counts = collections.Counter[tuple[str, bool]]


class _NothingMoreError(Exception):
    """The recorded step has no further evaluation."""


def count_trace(trace: Trace, counts: Counts, *, calculates: bool) -> None:
    """Follow one run and count what comes true."""
    foresight = Foresight(Workings.of(trace.program.text), calculates=calculates)
    stack: list[Activation] = []
    for step in trace.steps:
        written = [(item.text, item.value) for item in written_evaluations(step)]
        to_come = list(written)

        def ask(
            expected: Expected, to_come: list[tuple[str, str]] = to_come, step: Step = step
        ) -> tuple[str, str]:
            raised = foresight.workings.known.raised(expected)
            if raised is not None:
                is_right = not to_come and step.kind is StepKind.EXCEPTION and step.value == raised
                counts["raised", is_right] += 1
            if not to_come:
                raise _NothingMoreError
            text, value = to_come.pop(0)
            if expected.text is not None:
                counts["evaluation", expected.matches(text)] += 1
            calculated = foresight.workings.known.calculated(expected)
            if calculated is not None and expected.matches(text):
                counts["calculated value", calculated == value] += 1
            return text, value

        num_written = len(written)
        outcome = _followed(foresight, ask, step, trace, counts)
        counts["written evaluation", True] += num_written
        branch, returns_none = foresight.branch, foresight.returns_none
        if step.kind is StepKind.CALL and not step.flags & StepFlags.RESUME:
            counts["call recorded", True] += 1
            _count_arguments(foresight, step, written, counts)
        apply_step(stack, step, trace.codes)
        if step.kind in (StepKind.LINE, StepKind.RETURN) and not step.flags & StepFlags.UNWIND:
            _count_outcome(outcome, branch, step, stack, counts)
        if (
            returns_none
            and step.kind is StepKind.RETURN
            and not step.flags & (StepFlags.YIELD | StepFlags.UNWIND)
        ):
            counts["returned None", step.value == "None"] += 1
        if outcome.raised is not None:
            counts["raised", step.kind is StepKind.EXCEPTION and step.value == outcome.raised] += 1
        if outcome.is_told:
            counts["nothing raises", step.kind is not StepKind.EXCEPTION] += 1
        _count_following(outcome, step, counts)
        if step.kind is StepKind.RETURN:
            stack.pop()
        foresight.push(step, stack, trace.codes)


def _followed(foresight: Foresight, ask: Ask, step: Step, trace: Trace, counts: Counts) -> Outcome:
    """Follow the line that runs; count a function that is sure to be entered."""
    try:
        return foresight.follow(ask)
    except EnteringError as entering:
        is_right = step.kind is StepKind.CALL and trace.codes[step.code].firstlineno == entering.first
        counts["entered function", is_right] += 1
    except ResumingError as resuming:
        is_resumed = step.kind is StepKind.CALL and bool(step.flags & StepFlags.RESUME)
        is_right = is_resumed and step.lineno == resuming.suspended.lineno
        kept = resuming.kept(foresight.workings.known.shared)
        is_right = is_right and kept.items() <= dict(step.changed).items()
        is_right = is_right and not (resuming.is_at_once and len(kept) < len(step.changed))
        counts["resumed generator", is_right] += 1
    except (_NothingMoreError, UnforeseenError):
        pass
    return Outcome()


def _count_following(outcome: Outcome, step: Step, counts: Counts) -> None:
    """Count what is said of where the line leads, and of what it enters."""
    if outcome.leads_to is not None and step.kind is not StepKind.EXCEPTION:
        leaving = UNWINDS if step.flags & StepFlags.UNWIND else RETURNS
        following = leaving if step.kind is StepKind.RETURN else step.lineno
        counts["line after a block", following in outcome.leads_to] += 1
    is_resumed = bool(step.flags & StepFlags.RESUME)
    if outcome.enters_nothing:
        counts["enters nothing", step.kind is not StepKind.CALL or is_resumed] += 1
    if outcome.resumes_nothing:
        counts["resumes nothing", not is_resumed] += 1


def _count_arguments(
    foresight: Foresight, step: Step, written: Sequence[tuple[str, str]], counts: Counts
) -> None:
    known = foresight.arguments(step.lineno, written)
    for name, value in step.changed:
        counts["argument recorded", True] += 1
        if name in known:
            counts["argument", known[name] == value] += 1


def _count_outcome(
    outcome: Outcome, branch: int, step: Step, stack: Sequence[Activation], counts: Counts
) -> None:
    for name, value in outcome.values.items():
        counts["value of a name", stack[-1].locals.get(name) == value] += 1
    if outcome.is_told and outcome.is_pure:
        changed = {name for name, _ in step.changed}
        counts["nothing else changes", changed <= outcome.values.keys()] += 1
    if outcome.untouched:
        counts["a name stays", outcome.untouched.isdisjoint(name for name, _ in step.changed)] += 1
    if outcome.returned is not None and step.kind is StepKind.RETURN:
        counts["returned value", outcome.returned == step.value] += 1
    if outcome.truth is not None and branch:
        is_taken = step.kind is StepKind.LINE and step.lineno == branch
        counts["branch", is_taken is outcome.truth] += 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How much of recorded runs is foreseen.")
    parser.add_argument("file", type=Path, help="traces with expression detail, .parquet")
    parser.add_argument("--traces", type=int, default=500, help="how many, the first ones")
    parser.add_argument("--calculate", action="store_true", help="also what changed containers are")
    options = parser.parse_args()
    counts: Counts = collections.Counter()
    for number, trace in enumerate(read_parquet(options.file)):
        if number == options.traces:
            break
        count_trace(trace, counts, calculates=options.calculate)
    print(f"{'':<24}{'right':>8}{'wrong':>8}")
    for name in sorted({name for name, _ in counts}):
        print(f"{name:<24}{counts[name, True]:>8,}{counts[name, False]:>8,}")


if __name__ == "__main__":
    main()
