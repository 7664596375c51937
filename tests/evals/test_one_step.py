"""One step ahead: an oracle is right about every step, a liar wrong in exactly what it lies about."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from evals_programs import generator, loop, mixed, raising, recorded

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import BYTE_BASE, Control
from opencwm.core.errors import EngineError
from opencwm.debugger.step_predictor import StepPredictor
from opencwm.evals.failures import describe
from opencwm.evals.journal import FILE_NAME
from opencwm.evals.one_step import METRICS, OneStep, score_one_step
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.report import format_table
from opencwm.evals.steps import StepsConfig, evaluate_steps
from opencwm.evals.teacher_forced import ARGUMENTS, NEXT_LINE, RETURN_VALUE, STATE, STEP
from opencwm.evals.testing import oracle
from opencwm.model.engine import Logits
from opencwm.model.testing import ScriptedEngine
from opencwm.traces import Program, Step, StepFlags, StepKind, Trace

CODEC = NativeCodec()
NOTHING = NativePredictor("nothing", CODEC, oracle(CODEC, []))
ONLY_AHEAD = StepsConfig(teacher_forced=False, free_running=False)


def encoded(trace: Trace, first_step: int = 0) -> list[int]:
    return CODEC.encode(trace, NOTHING.view(trace.program), first_step=first_step).ids


def score(
    trace: Trace, *documents: Sequence[int], constrained: bool = True, max_tokens: int = 4096
) -> OneStep:
    engine = oracle(CODEC, documents, probability=0.999, max_tokens=max_tokens)
    predictor = NativePredictor("", CODEC, engine, constrained=constrained)
    return score_one_step(trace, predictor.step_predictor(trace.program), max_steps=1000)


def edited(trace: Trace, index: int, edit: Callable[[Step], Step]) -> Trace:
    """Return the trace with another step ``index``."""
    steps = (*trace.steps[:index], edit(trace.steps[index]), *trace.steps[index + 1 :])
    return dataclasses.replace(trace, steps=steps)


def wrong(result: OneStep) -> dict[str, int]:
    """Return metric -> number of wrong cases, of those with any."""
    return {name: total - right for name, (right, total) in result.counts.items() if right < total}


TRACES = pytest.mark.parametrize("trace", [mixed(), raising(), generator(), loop(20)])


@TRACES
@pytest.mark.parametrize("constrained", [True, False])
def test_an_oracle_is_right_about_every_step(trace: Trace, constrained: bool) -> None:
    result = score(trace, encoded(trace), constrained=constrained)
    assert wrong(result) == {}
    assert result.num_steps == len(trace.steps) == result.counts[STEP][1] == result.counts[STATE][1]
    assert set(result.counts) <= set(METRICS)
    assert 0 < result.num_sampled < result.num_tokens
    assert len(result.line_confidences) == result.num_steps
    assert result.value_confidences
    for probability, is_right in result.line_confidences + result.value_confidences:
        assert is_right
        assert 0.5 < probability <= 1.0


def test_every_kind_of_metric_has_cases() -> None:
    counted = {
        name for trace in (mixed(), raising(), generator()) for name in score(trace, encoded(trace)).counts
    }
    assert counted == set(METRICS)


def test_arguments_of_the_first_call_are_predicted_and_not_supplied() -> None:
    trace = loop(3)
    lie = edited(trace, 2, lambda step: dataclasses.replace(step, changed=(("n", "7"),)))
    assert trace.steps[2].kind is StepKind.CALL
    result = score(trace, encoded(lie), encoded(trace))
    assert wrong(result) == {STEP: 1, STATE: 1, ARGUMENTS: 1}


def test_the_surest_wrong_step_is_kept_and_shown() -> None:
    trace = loop(3)
    index = next(i for i, s in enumerate(trace.steps) if i > 3 and s.changed and s.kind is StepKind.LINE)
    (name, _), *others = trace.steps[index].changed
    lie = edited(trace, index, lambda step: dataclasses.replace(step, changed=((name, "'lie'"), *others)))
    result = score(trace, encoded(lie), encoded(trace))
    assert result.divergences == {"value": 1}
    assert result.failure is not None
    assert result.failure.position == index
    assert result.failure.expected == describe(trace.steps[index])
    assert result.failure.predicted == describe(lie.steps[index])
    assert result.failure.line == trace.program.text.split("\n")[trace.steps[index - 1].lineno - 1].strip()
    assert 0.5 < result.failure.probability < 1.0


def test_nobody_is_wrong_where_everything_is_right() -> None:
    result = score(loop(3), encoded(loop(3)))
    assert (result.divergences, result.failure) == ({}, None)


def test_a_liar_is_wrong_in_what_it_lies_about_and_goes_on_from_the_truth() -> None:
    trace = loop(6)
    index = next(i for i, s in enumerate(trace.steps) if i > 6 and s.changed and s.kind is StepKind.LINE)
    (name, _), *others = trace.steps[index].changed
    assert not others
    value = edited(trace, index, lambda step: dataclasses.replace(step, changed=((name, "'zz'"),)))
    kind = "value_number" if name == "i" else "value_string"
    result = score(trace, encoded(value), encoded(trace))
    assert wrong(result) == {STEP: 1, STATE: 1, kind: 1}
    assert [is_right for _, is_right in result.value_confidences].count(False) == 1
    assert all(is_right for _, is_right in result.line_confidences)


def test_a_wrong_line_leaves_the_state_right() -> None:
    trace = loop(6)
    index = next(
        i
        for i, s in enumerate(trace.steps)
        if i > 6 and s.kind is StepKind.LINE and s.lineno == 4 and s.changed
    )
    lie = edited(trace, index, lambda step: dataclasses.replace(step, lineno=5))
    result = score(trace, encoded(lie), encoded(trace))
    assert wrong(result) == {STEP: 1, NEXT_LINE: 1}
    assert [is_right for _, is_right in result.line_confidences].count(False) == 1


def test_a_wrong_returned_value_leaves_line_and_state_right() -> None:
    trace = loop(2)
    index = next(i for i, step in enumerate(trace.steps) if step.kind is StepKind.RETURN)
    lie = edited(trace, index, lambda step: dataclasses.replace(step, value="'ba'"))
    assert wrong(score(trace, encoded(lie), encoded(trace))) == {STEP: 1, RETURN_VALUE: 1}


def test_a_step_the_rules_forbid_is_wrong_and_the_next_ones_are_not() -> None:
    trace = loop(4)
    jump = next(i for i, s in enumerate(trace.steps) if i > 6 and s.kind is StepKind.LINE and s.lineno == 4)
    forbidden = edited(trace, jump, lambda step: dataclasses.replace(step, lineno=2))  # no way back to there
    free = score(forbidden, encoded(forbidden), constrained=False)
    assert wrong(free) == {}
    ruled = score(forbidden, encoded(forbidden))
    assert ruled.counts[NEXT_LINE][0] < ruled.counts[NEXT_LINE][1]
    assert ruled.num_steps == len(trace.steps)
    assert ruled.counts[NEXT_LINE][1] - ruled.counts[NEXT_LINE][0] <= 2  # it, and what follows line 2


def test_what_is_no_step_is_wrong_in_everything() -> None:
    def babbling(_ids: Sequence[int]) -> Logits:
        logits = np.zeros(len(CODEC.vocabulary), np.float32)
        logits[BYTE_BASE + ord("q")] = 5
        return logits

    trace = mixed()
    predictor = NativePredictor("", CODEC, ScriptedEngine(len(CODEC.vocabulary), babbling), constrained=False)
    result = score_one_step(trace, predictor.step_predictor(trace.program), max_steps=5)
    assert {right for right, _ in result.counts.values()} == {0}
    assert (result.num_steps, result.num_left_out) == (5, len(trace.steps) - 5)
    assert result.line_confidences == result.value_confidences == []


def test_a_call_predicted_for_a_line_is_wrong_in_the_state_too() -> None:
    trace = mixed()
    index = next(
        i
        for i, s in enumerate(trace.steps)
        if i > 4 and s.kind is StepKind.CALL and s.changed == (("x", "0"),)
    )
    line = next(
        i for i in range(index) if trace.steps[i].kind is StepKind.LINE and not trace.steps[i].changed
    )
    ids = encoded(trace)
    document = CODEC.encode(trace, NOTHING.view(trace.program))
    start, end = document.step_ends[line - 1], document.step_ends[line]
    call = ids[document.step_ends[index - 1] : document.step_ends[index]]
    lie = [*ids[:start], *call]
    assert ids[start:end] != call
    assert call[0] == Control.CALL
    result = score(trace, lie, ids, constrained=False)
    assert wrong(result) == {STEP: 1, NEXT_LINE: 1, STATE: 1}


def test_a_run_longer_than_the_context_is_scored_to_its_end() -> None:
    trace = loop(60)
    starts = [0, *(i + 1 for i, step in enumerate(trace.steps[:-1]) if step.kind is StepKind.LINE)]
    documents = [encoded(trace, start) for start in starts]
    result = score(trace, *documents, max_tokens=400)
    assert len(documents[0]) > 4 * 400
    assert wrong(result) == {}
    assert result.num_steps == len(trace.steps)


def test_a_context_too_small_for_a_step_makes_it_wrong() -> None:
    trace = recorded("def f(n):\n    t = 'x' * n\n    return 1\n", "f(180)")
    predictor = NativePredictor("", CODEC, oracle(CODEC, [encoded(trace)], max_tokens=150))
    result = score_one_step(trace, predictor.step_predictor(trace.program), max_steps=100)
    assert result.num_steps == len(trace.steps)
    assert 0 < result.counts[STEP][0] < result.counts[STEP][1]


def test_a_broken_engine_is_an_error() -> None:
    def broken(_ids: Sequence[int]) -> Logits:
        raise EngineError("the engine broke")

    predictor = NativePredictor("", CODEC, ScriptedEngine(len(CODEC.vocabulary), broken))
    with pytest.raises(EngineError, match="broke"):
        score_one_step(loop(2), predictor.step_predictor(loop(2).program), max_steps=5)


def test_a_yield_of_the_entry_does_not_break_the_evaluation() -> None:
    trace = recorded("def f():\n    yield 1\n", "f()")
    steps = (
        *trace.steps[:1],
        Step(
            StepKind.RETURN, trace.steps[0].code, trace.steps[0].lineno, 0, value="1", flags=StepFlags.YIELD
        ),
        *trace.steps[1:],
    )
    assert score(dataclasses.replace(trace, steps=steps), encoded(trace)).num_steps == len(steps)


def test_results_are_kept_and_resumed(tmp_path: Path) -> None:
    traces = [loop(n) for n in range(2, 6)]

    def predictor() -> NativePredictor:
        return NativePredictor("oracle", CODEC, oracle(CODEC, [encoded(trace) for trace in traces]))

    class Breaking(NativePredictor):
        def step_predictor(self, program: Program) -> StepPredictor:
            if program == traces[2].program:
                raise KeyboardInterrupt
            return super().step_predictor(program)

    whole = evaluate_steps(traces, predictor(), ONLY_AHEAD).to_json()
    broken = Breaking("oracle", CODEC, predictor().scoring_engine())
    with pytest.raises(KeyboardInterrupt):
        evaluate_steps(traces, broken, ONLY_AHEAD, folder=tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes().count(b'"one_step":{') == 2
    resumed = evaluate_steps(traces, predictor(), ONLY_AHEAD, folder=tmp_path).to_json()
    for report in (whole, resumed):
        report["one_step"].pop("ms_per_step")
    assert resumed == whole


def test_the_table_of_one_step_comes_first_and_says_what_was_counted() -> None:
    known, unknown = loop(2), generator()
    lie = edited(known, 2, lambda step: dataclasses.replace(step, changed=(("n", "9"),)))
    predictor = NativePredictor(
        "", CODEC, oracle(CODEC, [encoded(lie), encoded(known), encoded(unknown)], probability=0.999)
    )
    report = evaluate_steps([known, unknown], predictor, ONLY_AHEAD)
    assert format_table(report.tables()[0]) == TABLE


TABLE = """\
One step ahead, as the debugger predicts it
  exact match             percent   95 % interval  right  of
  whole step                97.56   80.04 - 99.75     40  41
  next line                100.00  34.24 - 100.00     41  41
  state (changed locals)    97.56   80.04 - 99.75     40  41
  call arguments            66.67   10.36 - 97.19      2   3
  values: strings          100.00  20.65 - 100.00      3   3
  values: numbers          100.00  34.24 - 100.00     11  11
  values: containers            -               -      0   0
  values: others                -               -      0   0
  returned values          100.00  34.24 - 100.00      5   5
  yielded values           100.00  20.65 - 100.00      3   3
  exceptions                    -               -      0   0"""
