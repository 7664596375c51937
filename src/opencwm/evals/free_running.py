"""Compare a rollout, in which the model lives with its own mistakes, with the recorded run.

The one idea: the first step that differs decides. What comes after it is a prediction of another run, so
nothing after it is scored but the outcome and whether the rollout came to an end at all.
"""

from __future__ import annotations

import dataclasses
import enum

from opencwm.debugger.execution import StepView
from opencwm.evals.rollout import End, Rollout
from opencwm.evals.values import is_same_value
from opencwm.traces import Step, StepFlags, StepKind, Trace, observed_outcome


class Divergence(enum.StrEnum):
    """What is wrong in the first wrong step, the first thing written of it that differs."""

    KIND = "kind"  # another event, or one in another activation
    LINE = "line"  # the right event on another line
    NAME = "name"  # another set of changed or deleted locals
    VALUE = "value"  # another text for a local, a returned or a raised value
    MALFORMED = "malformed"  # no step at all
    EARLY_END = "early_end"  # the rollout ended, or stopped by itself, before the run did
    STEP_LIMIT = "step_limit"  # all steps right up to a bound of the rollout
    TIMEOUT = "timeout"
    CONTEXT = "context"  # likewise up to where the engine's context was full


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """A rollout against the recorded run of the same program.

    Attributes:
        num_steps: steps of the recorded run.
        num_predicted: steps of the rollout.
        num_right: steps before the first wrong one.
        divergence: what is wrong in it; None when there is none.
        end: why the rollout was over.
        is_exact: all recorded steps were predicted and, where the recorded run came to its end, the rollout
            ended there too.
        is_outcome_right: the same returned or raised value (see :func:`opencwm.evals.values.is_same_value`);
            None when the recorded run did not come to its end.
        ending: how the recorded run ended: returned, raised, or never within its bounds.
        is_ending_right: the rollout ended in the same way; one that is to go on for ever must not have ended.
        confidences: (probability, right) of each predicted value, up to and including the first wrong step;
            of that step only values of names that are changed in both.
        seconds: wall-clock time of the rollout.

    """

    num_steps: int
    num_predicted: int
    num_right: int
    divergence: Divergence | None
    end: End
    is_exact: bool
    is_outcome_right: bool | None
    ending: str
    is_ending_right: bool
    confidences: tuple[tuple[float, bool], ...]
    seconds: float


def compare(rollout: Rollout, trace: Trace) -> Comparison:
    """Find where ``rollout`` leaves ``trace``."""
    pairs = zip(rollout.steps, trace.steps, strict=False)
    checked = [(view, first_difference(view.step, step)) for view, step in pairs]
    num_right = next((i for i, (_, wrong) in enumerate(checked) if wrong is not None), len(checked))
    divergence = checked[num_right][1] if num_right < len(checked) else None
    if divergence is None and num_right < len(trace.steps):
        divergence = _ENDS[rollout.end]
    expected = observed_outcome(trace)
    outcome = rollout.outcome
    return Comparison(
        num_steps=len(trace.steps),
        num_predicted=len(rollout.steps),
        num_right=num_right,
        divergence=divergence,
        end=rollout.end,
        is_exact=divergence is None and (expected is None or rollout.end is End.ENDED),
        is_outcome_right=None
        if expected is None
        else outcome is not None
        and outcome.kind is expected.kind
        and is_same_value(outcome.value, expected.value),
        ending=NEVER if expected is None else str(expected.kind),
        is_ending_right=rollout.end in _UNENDED
        if expected is None
        else outcome is not None and outcome.kind is expected.kind,
        confidences=tuple(
            found
            for view, step in zip(rollout.steps[: num_right + 1], trace.steps, strict=False)
            for found in value_confidences(view, step)
        ),
        seconds=rollout.seconds,
    )


NEVER = "never"
"""The ending of a run that was cut off: as far as the record goes it does not end."""
_UNENDED = (End.STEP_LIMIT, End.TIMEOUT, End.CONTEXT)

_ENDS = {
    End.ENDED: Divergence.EARLY_END,
    End.STOPPED: Divergence.EARLY_END,
    End.MALFORMED: Divergence.MALFORMED,
    End.STEP_LIMIT: Divergence.STEP_LIMIT,
    End.TIMEOUT: Divergence.TIMEOUT,
    End.CONTEXT: Divergence.CONTEXT,
}

_SHAPE = StepFlags.YIELD | StepFlags.RESUME | StepFlags.UNWIND


def first_difference(predicted: Step, observed: Step) -> Divergence | None:
    """Return what differs first between two steps, in the order they are written, or None if nothing does.

    A call is written kind, line, arguments; every other step what it changed, kind, line, value.
    ``Step.code`` is not compared: depth and line decide it, and its numbering is each trace's own. Neither is
    the flag TRUNCATED: the text of a value that was cut says so itself.
    """
    event = event_difference(predicted, observed)
    effects = effects_difference(predicted, observed)
    is_call = StepKind.CALL in (predicted.kind, observed.kind)
    found = (event or effects) if is_call else (effects or event)
    if found is None and predicted.value != observed.value:
        return Divergence.VALUE
    return found


def event_difference(predicted: Step, observed: Step) -> Divergence | None:
    """Return ``KIND`` or ``LINE`` when two steps are not the same event on the same line, otherwise None."""
    if (
        predicted.kind is not observed.kind
        or predicted.depth != observed.depth
        or (predicted.flags & _SHAPE) != (observed.flags & _SHAPE)
    ):
        return Divergence.KIND
    return Divergence.LINE if predicted.lineno != observed.lineno else None


def effects_difference(predicted: Step, observed: Step) -> Divergence | None:
    """Return ``NAME`` or ``VALUE`` when two steps change or delete other locals, otherwise None."""
    for one, other in zip(predicted.changed, observed.changed, strict=False):
        if one != other:
            return Divergence.VALUE if one[0] == other[0] else Divergence.NAME
    if len(predicted.changed) != len(observed.changed) or predicted.deleted != observed.deleted:
        return Divergence.NAME
    return None


def value_confidences(view: StepView, observed: Step) -> list[tuple[float, bool]]:
    """Return (probability, right) of each value of a predicted step, of names that are changed in both.

    Values that the program's call supplied were not predicted and are left out.
    """
    found: list[tuple[float, bool]] = []
    if view.step.kind is observed.kind and view.value_probability is not None and observed.value is not None:
        found.append((view.value_probability, view.step.value == observed.value))
    truth = dict(observed.changed)
    found += [
        (view.probabilities[name], truth[name] == text)
        for name, text in view.step.changed
        if name in truth and name in view.probabilities and name not in view.supplied
    ]
    return [(min(max(probability, 0.0), 1.0), is_right) for probability, is_right in found]
