"""What a whole run amounts to, without its steps."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from opencwm.traces.trace import Status, Step, StepFlags, StepKind, Trace


class OutcomeKind(enum.StrEnum):
    """How a run that came to its end ended."""

    RETURNED = "returned"
    RAISED = "raised"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The rendered value the entry returned, or the exception that left it."""

    kind: OutcomeKind
    value: str


def observed_outcome(trace: Trace) -> Outcome | None:
    """Return what a recorded run came to, or None when it did not come to its end."""
    if trace.status not in (Status.RETURNED, Status.RAISED):
        return None
    return outcome_of_steps(trace.steps)


def outcome_of_steps(steps: Sequence[Step]) -> Outcome | None:
    """Return what steps come to, or None when the last one does not leave the entry."""
    if not steps or not leaves_entry(steps[-1]):
        return None
    last = steps[-1]
    if not last.flags & StepFlags.UNWIND:
        return Outcome(OutcomeKind.RETURNED, last.value or "")
    raised = (step for step in reversed(steps) if step.kind is StepKind.EXCEPTION and step.depth == 0)
    return Outcome(OutcomeKind.RAISED, next((step.value or "" for step in raised), ""))


def leaves_entry(step: Step) -> bool:
    """Whether the run is over with ``step``: the entry's activation ends."""
    return step.kind is StepKind.RETURN and step.depth == 0 and not step.flags & StepFlags.YIELD
