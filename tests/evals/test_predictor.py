from collections.abc import Sequence

import numpy as np
import pytest
from evals_programs import loop, mixed, raising
from numpy.typing import NDArray

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import BYTE_BASE, Control
from opencwm.core.errors import ConfigError
from opencwm.evals.predictor import NativePredictor, predict_outcome
from opencwm.evals.testing import oracle, trace_documents
from opencwm.model.testing import ScriptedEngine
from opencwm.traces import Outcome, OutcomeKind, Program, Trace

CODEC = NativeCodec()
NOTHING = NativePredictor("nothing", CODEC, oracle(CODEC, []))


def knowing(trace: Trace, *, probability: float = 0.99) -> NativePredictor:
    documents = trace_documents(CODEC, trace, NOTHING.view(trace.program))
    return NativePredictor("oracle", CODEC, oracle(CODEC, documents, probability=probability))


def test_outcomes_are_predicted_without_steps() -> None:
    returned = knowing(mixed()).outcome(mixed().program)
    assert returned.outcome == Outcome(OutcomeKind.RETURNED, mixed().result or "")
    raised = knowing(raising()).outcome(raising().program)
    assert raised.outcome == Outcome(OutcomeKind.RAISED, "KeyError('y')")
    assert raised.reason == ""


def test_the_probability_is_that_of_everything_written() -> None:
    trace = loop(2)
    document = CODEC.encode_outcome(trace, NOTHING.view(trace.program))
    found = knowing(trace, probability=0.9).outcome(trace.program)
    assert found.num_sampled == len(document.ids) - document.num_prompt
    assert 0.9**found.num_sampled <= found.probability < 0.9 ** (found.num_sampled / 2)


def babbling(_ids: Sequence[int]) -> NDArray[np.float32]:
    logits = np.zeros(len(CODEC.vocabulary), np.float32)
    logits[BYTE_BASE + ord("q")] = 5
    return logits


def test_a_value_without_end_is_no_outcome() -> None:
    trace = loop(2)
    engine = ScriptedEngine(len(CODEC.vocabulary), babbling)
    found = predict_outcome(CODEC, engine, NOTHING.view(trace.program), max_value_tokens=20)
    assert found.outcome is None
    assert found.reason == "a value of more than 20 tokens"
    assert found.num_sampled == 21


def test_a_context_too_small_is_no_outcome() -> None:
    trace = loop(2)
    view = NOTHING.view(trace.program)
    size = len(CODEC.encode_prompt(view, task=Control.OUTPUT))
    for room in range(4):
        engine = ScriptedEngine(len(CODEC.vocabulary), babbling, max_tokens=size + room)
        found = predict_outcome(CODEC, engine, view, max_value_tokens=20)
        assert found.outcome is None
        assert found.reason


def test_predictions_leave_the_engine_as_it_was() -> None:
    engine = oracle(CODEC, [])
    predictor = NativePredictor("m", CODEC, engine)
    predictor.execution(loop(2).program).get(0)
    predictor.outcome(loop(2).program)
    predictor.scoring_engine().append_all([1, 2, 3])
    assert list(engine.ids) == []
    assert list(predictor.scoring_engine().ids) == []


def test_settings_tell_what_predictions_depend_on() -> None:
    one = NativePredictor("m", CODEC, oracle(CODEC, []), revision="1")
    assert one.settings["revision"] == "1"
    for other in (
        NativePredictor("m", CODEC, oracle(CODEC, []), revision="2"),
        NativePredictor("m", CODEC, oracle(CODEC, []), constrained=False, revision="1"),
        NativePredictor("m", CODEC, oracle(CODEC, [], max_tokens=99), revision="1"),
    ):
        assert other.settings != one.settings


def test_a_program_without_its_entry_is_one_error() -> None:
    program = Program("def f():\n    return 1\n", "g")
    for ask in (NOTHING.view, NOTHING.execution, NOTHING.outcome):
        with pytest.raises(ConfigError, match="no function 'g'"):
            ask(program)
