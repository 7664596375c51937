"""One step ahead: what the debugger predicts, given the true run so far, against what was recorded.

The one idea: it is the debugger's own step predictor that is scored, with the program's rules and the text
it appends itself, so a number here is what a user sees. Unlike in teacher forcing, the model goes on from
what it wrote within a step. Nothing is supplied by the call: arguments are predicted too.
"""

from __future__ import annotations

import dataclasses
import math

from opencwm.codec.native import written_evaluations
from opencwm.core.errors import EngineError
from opencwm.debugger.execution import Origin, StepView
from opencwm.debugger.prediction import Prediction
from opencwm.debugger.sampler import OutOfContextError
from opencwm.evals.failures import Failure
from opencwm.evals.free_running import (
    Divergence,
    effects_difference,
    event_difference,
    first_difference,
    value_confidences,
)
from opencwm.evals.metrics import count_case
from opencwm.evals.predictor import SteppingPredictor
from opencwm.evals.teacher_forced import (
    ARGUMENTS,
    EXCEPTION,
    NEXT_LINE,
    RETURN_VALUE,
    STATE,
    STEP,
    VALUE_METRICS,
    YIELD_VALUE,
)
from opencwm.evals.values import value_kind
from opencwm.traces import CodeInfo, Step, StepFlags, StepKind, Trace

METRICS = (
    STEP,
    NEXT_LINE,
    STATE,
    ARGUMENTS,
    *VALUE_METRICS.values(),
    RETURN_VALUE,
    YIELD_VALUE,
    EXCEPTION,
)
"""What is counted, of every recorded step it applies to; a predicted step of another kind is wrong in it.

``step``: everything of a step, as :func:`opencwm.evals.free_running.first_difference` compares.
``next_line``: its kind and line. ``state``: changed names, their values and deleted names, all of them and
no more (at a call: its arguments, in a call of the same function). ``arguments``: the same at calls with
arguments only. ``value_*``: one changed local outside calls. ``return_value``, ``yield_value``: that the
function is left in this way, with this value. ``exception``: that and which exception is raised.
"""


@dataclasses.dataclass(slots=True)
class OneStep:
    """What was counted on one trace.

    Attributes:
        counts: metric of :data:`METRICS` -> [right, total]; a metric without a case is absent.
        line_confidences: of each predicted step, the probability of its kind and line, and whether they were
            right.
        value_confidences: the same of each predicted value of a name that changed, and of returned and raised
            values.
        num_steps: steps scored.
        num_left_out: recorded steps beyond the bound.
        num_sampled: tokens the model decided.
        num_tokens: tokens of the predicted steps in all, those appended without asking included.
        num_passes: forward passes in all, those that read prompts and go back after a wrong step included.
        divergences: what was wrong in wrong steps -> how many.
        failure: the wrong step the model was surest of; None when there was none.

    """

    counts: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    line_confidences: list[tuple[float, bool]] = dataclasses.field(default_factory=list)
    value_confidences: list[tuple[float, bool]] = dataclasses.field(default_factory=list)
    num_steps: int = 0
    num_left_out: int = 0
    num_sampled: int = 0
    num_tokens: int = 0
    num_passes: int = 0
    divergences: dict[str, int] = dataclasses.field(default_factory=dict)
    failure: Failure | None = None


def score_one_step(trace: Trace, predictor: SteppingPredictor, *, max_steps: int) -> OneStep:
    """Predict each of the first ``max_steps`` steps of ``trace`` from the true steps before it.

    After a step that was predicted exactly the predictor goes on where it stands, as in the debugger; after
    any other it is put where the true run stands.

    Args:
        trace: a recorded run.
        predictor: of the same program; where it stands now does not matter. Without a supplied call, or
            arguments are counted that nobody predicted.
        max_steps: at least 1.

    Raises:
        CodecError: a step stands on a line that is not shown.
        EngineError: the engine broke. A context too small for a step is a wrong step.

    """
    steps = trace.steps[:max_steps]
    result = OneStep(num_left_out=len(trace.steps) - len(steps))
    stands_right = False
    for index, observed in enumerate(steps):
        if not stands_right:
            predictor.start(steps[:index], _entered(trace, index))
        prediction = _predict(predictor)
        predicted = prediction.step if prediction is not None else None
        predicted = predicted if isinstance(predicted, Step) else None
        _count(predicted, observed, result.counts)
        if prediction is not None:
            result.num_sampled += prediction.num_sampled
            result.num_tokens += prediction.num_tokens
            result.num_passes += prediction.num_passes
            _add_confidences(prediction, observed, result)
        _add_failure(prediction, trace, index, result)
        result.num_steps += 1
        stands_right = predicted is not None and _leads_on(predicted, observed, predictor)
    return result


def _leads_on(predicted: Step, observed: Step, predictor: SteppingPredictor) -> bool:
    """Tell whether the predictor, having written ``predicted``, stands where the true run stands."""
    bare = dataclasses.replace(predicted, code=observed.code, evaluations=())
    if bare != dataclasses.replace(observed, evaluations=()):
        return False
    if not predictor.expressions:
        return True
    written, wanted = predicted.evaluations, written_evaluations(observed)
    return [(item.text, item.value) for item in written] == [(item.text, item.value) for item in wanted]


def _entered(trace: Trace, num_steps: int) -> tuple[CodeInfo, ...]:
    """Return the code objects known after ``num_steps`` steps; what is entered later is not given away."""
    return trace.codes[: 1 + max((step.code for step in trace.steps[:num_steps]), default=-1)]


def _predict(predictor: SteppingPredictor) -> Prediction | None:
    try:
        return predictor.predict()
    except EngineError as error:
        if isinstance(error, OutOfContextError) or isinstance(error.__cause__, OutOfContextError):
            return None
        raise


def _count(predicted: Step | None, observed: Step, counts: dict[str, list[int]]) -> None:
    """Count one step; None is no step at all."""
    is_call = observed.kind is StepKind.CALL
    is_event_right = predicted is not None and event_difference(predicted, observed) is None
    is_state_right = (
        predicted is not None
        and effects_difference(predicted, observed) is None
        and (is_event_right if is_call else predicted.kind is not StepKind.CALL)
    )
    is_value_right = is_event_right and predicted is not None and predicted.value == observed.value
    count_case(counts, STEP, predicted is not None and first_difference(predicted, observed) is None)
    count_case(counts, NEXT_LINE, is_event_right)
    count_case(counts, STATE, is_state_right)
    if is_call:
        if observed.changed and not observed.flags & StepFlags.RESUME:
            count_case(counts, ARGUMENTS, is_state_right)
        return
    changed = {} if predicted is None or predicted.kind is StepKind.CALL else dict(predicted.changed)
    for name, text in observed.changed:
        count_case(counts, VALUE_METRICS[value_kind(text)], changed.get(name) == text)
    if observed.kind is StepKind.EXCEPTION:
        count_case(counts, EXCEPTION, is_value_right)
    elif observed.kind is StepKind.RETURN and not observed.flags & StepFlags.UNWIND:
        count_case(counts, YIELD_VALUE if observed.flags & StepFlags.YIELD else RETURN_VALUE, is_value_right)


def _add_failure(prediction: Prediction | None, trace: Trace, index: int, result: OneStep) -> None:
    """Take in what is wrong in the prediction of step ``index``, if anything is."""
    if prediction is None or not isinstance(prediction.step, Step):
        _count_divergence(Divergence.MALFORMED, result)
        return
    what = first_difference(prediction.step, trace.steps[index])
    if what is None:
        return
    _count_divergence(what, result)
    values = prediction.probabilities.values()
    probability = math.prod((prediction.control_probability, prediction.value_probability or 1.0, *values))
    if result.failure is None or probability > result.failure.probability:
        result.failure = Failure.of(trace, index, prediction.step, probability, what)


def _count_divergence(what: Divergence, result: OneStep) -> None:
    result.divergences[what.value] = result.divergences.get(what.value, 0) + 1


def _add_confidences(prediction: Prediction, observed: Step, result: OneStep) -> None:
    if not isinstance(prediction.step, Step):
        return
    view = StepView(
        prediction.step,
        Origin.PREDICTED,
        dict(prediction.probabilities),
        prediction.control_probability,
        prediction.value_probability,
        prediction.supplied,
    )
    is_right = event_difference(prediction.step, observed) is None
    result.line_confidences.append((min(max(prediction.control_probability, 0.0), 1.0), is_right))
    result.value_confidences += value_confidences(view, observed)
