"""Wrong steps, shown: what was expected, what was predicted, and how sure the model was.

The one idea: a share tells how often a model is wrong, an example tells a user what to beware of. Of each
program the surest wrong step is kept, and a report shows the surest of those, since an error that is
announced does less harm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from opencwm.traces import Step, StepFlags, StepKind, Trace

MAX_CHARS = 200
"""Longer lines and steps are cut."""
NUM_SHOWN = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A step that was predicted wrong.

    Attributes:
        position: index of the step in the run.
        lineno: line that ran before it, 1-based; 0 at the first step.
        line: text of that line.
        expected: the recorded step in words.
        predicted: the predicted one.
        probability: of everything the model decided in it.
        what: what differs first, a :class:`opencwm.evals.free_running.Divergence`.
    """

    position: int
    lineno: int
    line: str
    expected: str
    predicted: str
    probability: float
    what: str

    @classmethod
    def of(cls, trace: Trace, position: int, predicted: Step, probability: float, what: str) -> Failure:
        """Describe the prediction ``predicted`` of step ``position`` of ``trace``."""
        lineno = _line_before(trace, position)
        lines = trace.program.text.split("\n")
        line = lines[lineno - 1].strip() if 0 < lineno <= len(lines) else ""
        expected = describe(trace.steps[position])
        return cls(position, lineno, _cut(line), expected, describe(predicted), probability, what)


def _line_before(trace: Trace, position: int) -> int:
    """Return the line that was running in the step's activation; of its caller at a call; 0 at the first."""
    step = trace.steps[position]
    depth = step.depth - (step.kind is StepKind.CALL)
    for earlier in reversed(trace.steps[:position]):
        if earlier.depth <= depth:
            return earlier.lineno
    return 0


def describe(step: Step) -> str:
    """Return a step in words: what changed, then what happens."""
    parts = [f"{name} = {value}" for name, value in step.changed]
    parts += [f"{name} is gone" for name in step.deleted]
    if step.kind is StepKind.CALL:
        happening = "resumed" if step.flags & StepFlags.RESUME else "called"
        return _cut(f"{happening} on line {step.lineno}: " + (", ".join(parts) or "no arguments"))
    if step.kind is StepKind.LINE:
        parts.append(f"then line {step.lineno}")
    elif step.kind is StepKind.EXCEPTION:
        parts.append(f"raises {step.value}")
    elif step.flags & StepFlags.UNWIND:
        parts.append("is left by an exception")
    else:
        parts.append(f"{'yields' if step.flags & StepFlags.YIELD else 'returns'} {step.value}")
    return _cut(", ".join(parts))


def surest(failures: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the most confident failures, surest first; those equally sure in the order they came."""
    ranked = sorted(failures, key=lambda failure: -float(failure["probability"]))
    return [dict(failure) for failure in ranked[:NUM_SHOWN]]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 3] + "..."
