"""Attempting unsure steps again: what is elected, and that the predictor stands behind it afterwards."""

from typing import Any

import pytest
from engines import CODEC, generated, oracle, random_engine
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.vocabulary import Control, is_text, line_token
from opencwm.core.errors import ConfigError
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.step_search import Attempt, SearchConfig, elected, proper
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Step, StepKind, Trace

EVAL, IS = int(Control.EVAL), int(Control.IS)
TEXT = tuple(CODEC.vocabulary.encode_text("ab"))


def attempt(ids: tuple[int, ...], logarithm: float, malformed: str = "") -> Attempt:
    return Attempt(ids, malformed, logarithm, {}, 1.0, None, frozenset())


def test_sub_expressions_do_not_tell_steps_apart() -> None:
    line = line_token(3)
    assert proper((EVAL, *TEXT, IS, *TEXT, EVAL, *TEXT, IS, line)) == (line,)
    assert proper((int(Control.SET), *TEXT, IS, *TEXT, line)) == (int(Control.SET), *TEXT, IS, *TEXT, line)
    assert proper((EVAL, *TEXT)) == ()


def test_what_most_attempts_come_to_is_elected() -> None:
    right, wrong = line_token(3), line_token(4)
    one = attempt((EVAL, *TEXT, IS, *TEXT, right), -3.0)
    other = attempt((right,), -2.5)
    sure = attempt((wrong,), -1.0)
    broken = attempt((), 0.0, malformed="no step")
    assert elected([sure, one, broken, broken, other]) is other
    assert elected([one, sure]) is sure
    assert elected([broken, one]) is one
    assert elected([broken, broken]) is broken


@pytest.mark.parametrize("settings_", [{"samples": -1}, {"below": 1.5}, {"temperature": 0.0}])
def test_settings_out_of_range_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="temperature is above 0"):
        SearchConfig(**settings_)


def recorded(seed: int) -> Trace:
    return record(generated(seed).program, TraceLimits(expressions=True))


def steps_of(execution: PredictedExecution, limit: int) -> list[Step]:
    views = [execution.get(index) for index in range(limit)]
    return [view.step for view in views if view is not None and not view.malformed]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_model_that_is_sure_is_asked_once(seed: int) -> None:
    trace = recorded(seed)
    searching = SearchConfig(samples=3, below=1e-6)  # a step of a thousand tokens is not quite sure
    counts = []
    for search in (None, searching):
        engine = oracle(trace, expressions=True)
        execution = PredictedExecution(trace.program, CODEC, engine, expressions=True, search=search)
        steps_of(execution, len(trace.steps))
        counts.append([prediction.num_sampled for prediction in execution.predictions])
    assert counts[0] == counts[1]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_right_but_unsure_model_stays_right(seed: int) -> None:
    trace = recorded(seed)
    engine = oracle(trace, expressions=True, probability=0.95)
    search = SearchConfig(samples=3, below=1.0, temperature=0.2)
    execution = PredictedExecution(trace.program, CODEC, engine, expressions=True, search=search)
    found = steps_of(execution, len(trace.steps))
    assert [(step.kind, step.lineno, step.changed, step.value) for step in found] == [
        (step.kind, step.lineno, step.changed, step.value) for step in trace.steps
    ]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 100), st.booleans())
def test_the_model_stands_behind_the_step_that_was_elected(seed: int, noise: int, expressions: bool) -> None:
    trace = recorded(seed)
    search = SearchConfig(samples=2, below=1.0)
    execution = PredictedExecution(
        trace.program, CODEC, random_engine(noise), expressions=expressions, search=search
    )
    again = PredictedExecution(
        trace.program, CODEC, random_engine(noise), expressions=expressions, search=search
    )
    predictor = execution._predictor
    for index in range(6):
        view = execution.get(index)
        if view is None or view.malformed:
            break
        held = predictor.sampler.ids
        step_ids = held[len(held) - execution.predictions[-1].num_tokens :]
        assert predictor._writer.ahead is None
        if view.step.kind is StepKind.LINE:
            assert line_token(execution.view.label_of[view.step.lineno]) in step_ids
        for _, value in view.step.changed:
            assert value in CODEC.vocabulary.decode_text([token for token in step_ids if is_text(token)])
    assert steps_of(execution, 6) == steps_of(again, 6)
