"""Steps in short, for a timeline of all that is known: what is at each, without its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from opencwm.debugger.activations import function_at
from opencwm.debugger.execution import Execution
from opencwm.traces import StepFlags, StepKind


@dataclasses.dataclass(frozen=True, slots=True)
class StepRecord:
    """One step in short.

    Attributes:
        position: its index.
        kind: what happened.
        flags: what the kind does not say.
        function: qualified name of the function it belongs to.
        lineno: 1-based line in ``Program.text``.
        depth: number of activations below its own.
        changed: names of the variables that got a value.
        deleted: names of the variables that are gone.
        value: rendered value that was returned, yielded or raised; None for none.
        probability: of all the model decided in it; None when it was observed.
    """

    position: int
    kind: StepKind
    flags: StepFlags
    function: str
    lineno: int
    depth: int
    changed: tuple[str, ...]
    deleted: tuple[str, ...]
    value: str | None
    probability: float | None


def records(execution: Execution, first: int, end: int) -> Iterator[StepRecord]:
    """Yield the steps from ``first`` up to, not including, ``end`` that are known; nothing is predicted."""
    for index in range(first, min(end, execution.num_known)):
        view = execution.get(index)
        if view is None or view.malformed is not None:
            return
        step = view.step
        yield StepRecord(
            index,
            step.kind,
            step.flags,
            function_at(execution, index),
            step.lineno,
            step.depth,
            tuple(name for name, _ in step.changed),
            step.deleted,
            step.value,
            view.probability,
        )
