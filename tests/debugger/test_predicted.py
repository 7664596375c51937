"""Predicted executions over a scripted engine: an oracle that always says what really happens, and liars."""

import dataclasses
from collections.abc import Sequence
from dataclasses import replace

import pytest
from engines import CODEC, VOCABULARY_SIZE, generated, oracle, random_engine
from followed_classes import CLASS_PROGRAMS
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from opencwm.codec.native import written_evaluations
from opencwm.codec.native_writer import MAX_EVALUATIONS
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, line_token
from opencwm.core.errors import ConfigError, EngineError
from opencwm.debugger.context import contextualise
from opencwm.debugger.execution import Origin
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.selection import source_view
from opencwm.debugger.working import Working
from opencwm.model.speculation import SpeculativeEngine
from opencwm.model.testing import ScriptedEngine
from opencwm.source.cfg import ControlFlow
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Step, StepFlags, StepKind, Trace

COUNT = """\
def count(text, letter):
    n = 0
    for c in text:
        if c == letter:
            n += 1
    return n
"""


def smallest_room(trace: Trace, view: SourceView) -> int:
    """The ids that the longest stretch between two states takes, the prompt and the first state included."""
    kinds = [step.kind for step in trace.steps]
    firsts = [0, *(i + 1 for i, kind in enumerate(kinds[:-1]) if kind is StepKind.LINE)]
    longest = 0
    for first in firsts:
        following = [i for i in range(first, len(kinds)) if kinds[i] is StepKind.LINE]
        last = following[0] if following else len(kinds) - 1
        longest = max(longest, CODEC.encode(trace, view, first_step=first).step_ends[last - first])
    return longest


def steps_of(execution: PredictedExecution, limit: int = 400) -> list[Step]:
    steps: list[Step] = []
    while len(steps) < limit and (view := execution.get(len(steps))) is not None:
        steps.append(view.step)
    return steps


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_with_an_oracle_the_prediction_is_the_recorded_run(seed: int, constrained: bool) -> None:
    trace = generated(seed)
    execution = PredictedExecution(trace.program, CODEC, oracle(trace), constrained=constrained)
    assert steps_of(execution) == list(trace.steps)
    assert execution.ended()
    assert execution.get(len(trace.steps)) is None
    assert all(0 < p.control_probability <= 1 for p in execution.predictions)


def folded(steps: Sequence[Step]) -> list[Step]:
    return [replace(step, evaluations=()) for step in steps]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(Working))
@example(301, True, Working.FOLLOWED)  # what super().__init__(...) is worth
@example(301, True, Working.CALCULATED)
def test_with_expression_detail_the_model_works_out_what_was_evaluated(
    seed: int, constrained: bool, working: Working
) -> None:
    trace = record(generated(seed).program, TraceLimits(expressions=True))
    engine = oracle(trace, expressions=True)
    execution = PredictedExecution(
        trace.program, CODEC, engine, constrained=constrained, expressions=True, working=working
    )
    steps = steps_of(execution)
    assert folded(steps) == folded(trace.steps)
    for step, expected in zip(steps, trace.steps, strict=True):
        written = [(item.text, item.value) for item in written_evaluations(expected)]
        assert [(item.text, item.value) for item in step.evaluations] == written
    assert all(0 < p.control_probability <= 1 for p in execution.predictions)


@pytest.mark.parametrize("working", Working)
@pytest.mark.parametrize(("source", "call"), CLASS_PROGRAMS[1:])
def test_classes_go_as_they_really_went(source: str, call: str, working: Working) -> None:
    trace = record(Program.from_call(source, call), TraceLimits(expressions=True))
    engine = oracle(trace, expressions=True)
    execution = PredictedExecution(trace.program, CODEC, engine, expressions=True, working=working)
    assert folded(steps_of(execution, limit=600)) == folded(trace.steps)


def test_a_generator_that_is_surely_asked_goes_on_without_the_model() -> None:
    source = """\
def flat(tree):
    for item in tree:
        if isinstance(item, list):
            for inner in flat(item):
                yield inner
        else:
            yield item

def f(tree):
    found = list(flat(tree))
    for item in flat(tree):
        found.append(item)
    return found
"""
    trace = record(Program.from_call(source, "f([1, [2, [3]], []])"), TraceLimits(expressions=True))
    engine = oracle(trace, expressions=True)
    execution = PredictedExecution(trace.program, CODEC, engine, expressions=True, working=Working.CALCULATED)
    steps = steps_of(execution)
    assert folded(steps) == folded(trace.steps)
    sampled = [
        prediction.num_sampled
        for prediction, step in zip(execution.predictions, steps, strict=True)
        if step.flags & StepFlags.RESUME
    ]
    assert len(sampled) == 12
    assert sampled.count(0) >= 3  # those that list() asks


def test_a_model_that_is_asked_for_values_decides_less_the_more_is_calculated() -> None:
    total = dict.fromkeys(Working, 0)
    for seed in range(12):
        trace = record(generated(seed).program, TraceLimits(expressions=True))
        for working in Working:
            engine = oracle(trace, expressions=True)
            execution = PredictedExecution(trace.program, CODEC, engine, expressions=True, working=working)
            steps_of(execution)
            total[working] += sum(prediction.num_sampled for prediction in execution.predictions)
    assert total[Working.FOLLOWED] < 0.6 * total[Working.FREE]
    assert total[Working.CALCULATED] < 0.7 * total[Working.FOLLOWED]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_model_that_knows_nothing_works_out_a_bounded_number_of_things(seed: int, noise: int) -> None:
    program = generated(seed).program
    engine = random_engine(noise, max_tokens=6000)
    execution = PredictedExecution(program, CODEC, engine, expressions=True)
    for step in steps_of(execution, limit=4):
        assert len(step.evaluations) <= MAX_EVALUATIONS
    assert all(
        len(prediction.step.evaluations) <= MAX_EVALUATIONS
        for prediction in execution.predictions
        if isinstance(prediction.step, Step)
    )


def test_a_changed_variable_is_worked_with_in_expression_detail() -> None:
    program = Program.from_call(COUNT, "count('ab', 'b')")
    trace = record(program, TraceLimits(expressions=True))
    execution = PredictedExecution(program, CODEC, oracle(trace, expressions=True), expressions=True)
    steps = steps_of(execution)
    index = next(i for i, step in enumerate(steps) if dict(step.changed).get("c") == "'b'")
    again = execution.fork(index, {"c": "'b'"})
    assert isinstance(again, PredictedExecution)
    assert folded(steps_of(again)) == folded(steps)
    assert steps_of(again)[index + 1].evaluations == steps[index + 1].evaluations


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.integers(0, 10**6))
def test_a_run_longer_than_the_context_goes_on_from_a_state(seed: int) -> None:
    trace = generated(seed)
    view = source_view(trace.program, CODEC, max_tokens=16_000)
    states = [
        CODEC.encode(trace, view, first_step=i + 1)
        for i, step in enumerate(trace.steps[:-1])
        if step.kind is StepKind.LINE
    ]
    # A state holds variables, not where an iterator stands: what follows equal states may differ.
    assume(len({tuple(document.ids[: document.num_prompt]) for document in states}) == len(states))
    room = smallest_room(trace, view) + 4
    engine = oracle(trace)
    small = ScriptedEngine(VOCABULARY_SIZE, engine._logits, max_tokens=room)
    execution = PredictedExecution(trace.program, CODEC, small, view=view)
    assert steps_of(execution) == list(trace.steps)
    assert len(small.ids) <= room


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 100))
def test_whatever_the_model_believes_steps_are_legal(seed: int, noise: int) -> None:
    trace = generated(seed)
    execution = PredictedExecution(trace.program, CODEC, random_engine(noise))
    flow = execution.control_flow
    shown = set(execution.view.lines)
    for index in range(25):
        view = execution.get(index)
        if view is None or view.malformed:
            break
        code = execution.codes[view.step.code]
        graph = flow.get(code.qualname, code.firstlineno)
        assert graph is not None
        assert view.step.lineno in shown
        assert {name for name, _ in view.step.changed} <= set(graph.local_names)
        if view.step.kind is StepKind.LINE:
            assert view.step.lineno in graph.lines
        assert execution.stack_at(index)


def test_unconstrained_nonsense_is_one_malformed_step_and_the_end() -> None:
    trace = record(Program.from_call(COUNT, "count('abc', 'b')"))
    execution = PredictedExecution(trace.program, CODEC, random_engine(3), constrained=False)
    first = execution.get(0)
    assert first is not None
    assert first.malformed
    assert execution.get(1) is None
    assert "malformed" in execution.status
    with pytest.raises(IndexError):
        execution.stack_at(0)


def test_values_say_where_they_come_from() -> None:
    trace = record(Program.from_call(COUNT, "count('abc', 'b')"))
    execution = PredictedExecution(trace.program, CODEC, oracle(trace))
    call = execution.get(2)
    assert call is not None
    assert {name: value.origin for name, value in call.changes.items()} == {
        "text": Origin.SUPPLIED,
        "letter": Origin.SUPPLIED,
    }
    line = execution.get(4)
    assert line is not None
    assert line.changes["n"].origin is Origin.PREDICTED
    assert line.changes["n"].probability == pytest.approx(0.99, abs=0.05)
    assert execution.get(5) is not None
    (_, frame) = execution.stack_at(5)
    assert frame.locals["n"].origin is Origin.CARRIED
    steps_of(execution)
    assert execution.status == "the program returned 1"


def test_looking_at_a_step_predicts_no_further_than_that_step() -> None:
    trace = record(Program.from_call(COUNT, "count('abc', 'b')"))
    engine = oracle(trace)
    execution = PredictedExecution(trace.program, CODEC, engine)
    execution.get(3)
    assert len(execution.predictions) == 4
    before = len(engine.calls)
    execution.get(1)
    assert len(engine.calls) == before


def test_a_fork_keeps_the_past_changes_the_state_and_leaves_the_original_alone() -> None:
    program = Program.from_call(COUNT, "count('abc', 'b')")
    trace = record(program)
    execution = PredictedExecution(program, CODEC, oracle(trace))
    original = steps_of(execution)
    at = next(i for i, step in enumerate(trace.steps) if step.kind is StepKind.LINE and step.lineno == 6)
    fork = execution.fork(at, {"n": "41"})
    frame = fork.stack_at(at)[-1]
    assert frame.locals["n"].text == "41"
    assert frame.locals["n"].origin is Origin.SUPPLIED
    assert [fork.get(i) for i in range(at)] == [execution.get(i) for i in range(at)]
    assert steps_of(execution) == original
    following = fork.get(at + 1)
    assert following is not None
    assert following.malformed is None


@pytest.mark.parametrize(
    ("index", "name", "message"), [(0, "n", "no local"), (99, "n", "no step 99"), (-1, "n", "return")]
)
def test_a_fork_that_makes_no_sense_is_refused(index: int, name: str, message: str) -> None:
    trace = record(Program.from_call(COUNT, "count('abc', 'b')"))
    execution = PredictedExecution(trace.program, CODEC, oracle(trace))
    steps_of(execution)
    with pytest.raises(ConfigError, match=message):
        execution.fork(len(trace.steps) - 1 if index < 0 else index, {name: "1"})


def test_missing_imports_and_undefined_names_do_not_matter() -> None:
    source = (
        "import no_such_module\n\nVALUE = undefined\n\n"
        "def f(a):\n    b = no_such_module.g(a) + VALUE\n    return b\n"
    )
    execution = PredictedExecution(Program.from_call(source, "f(1)"), CODEC, random_engine(1))
    kinds = []
    for index in range(4):
        view = execution.get(index)
        kinds.append(view.step.kind if view else None)
    assert kinds[:3] == [StepKind.CALL, StepKind.LINE, kinds[2]]


def test_a_context_too_small_for_one_step_is_an_engine_error() -> None:
    program = Program.from_call(COUNT, f"count({'x' * 60!r}, 'b')")
    view = source_view(program, CODEC, max_tokens=16_000)
    engine = ScriptedEngine(
        VOCABULARY_SIZE, oracle(record(program))._logits, max_tokens=len(CODEC.encode_prompt(view)) + 20
    )
    execution = PredictedExecution(program, CODEC, engine, view=view)
    with pytest.raises(EngineError, match="do not fit the model's context"):
        steps_of(execution)


def test_a_literal_call_enters_its_function_whatever_the_model_believes() -> None:
    source = "def other(a, b):\n    return b\n\ndef f(a, *rest, b=2, **more):\n    return other(a, b)\n"
    execution = PredictedExecution(Program.from_call(source, "f(1, 'x', c=[3])"), CODEC, random_engine(5))
    call = execution.get(2)
    assert call is not None
    assert call.step.lineno == 4
    assert dict(call.step.changed) == {"a": "1", "b": "2", "rest": "('x',)", "more": "{'c': [3]}"}
    assert {value.origin for value in call.changes.values()} == {Origin.SUPPLIED}


def test_a_context_holds_everything_or_starts_from_the_earliest_state_that_fits() -> None:
    program = Program.from_call(COUNT, "count('abcabc', 'b')")
    trace = record(program)
    view = source_view(program, CODEC, max_tokens=16_000)
    flow = ControlFlow(program.text)
    whole, _ = contextualise(CODEC, view, flow, trace.steps[:12], trace.codes, max_tokens=4000)
    assert whole[: len(CODEC.encode_prompt(view))] == CODEC.encode_prompt(view)
    part, decoder = contextualise(CODEC, view, flow, trace.steps[:12], trace.codes, max_tokens=len(whole) - 1)
    assert Control.STATE in part
    assert len(part) < len(whole)
    assert decoder.stack[-1].lineno == trace.steps[11].lineno
    assert line_token(view.label_of[trace.steps[11].lineno]) in part


@pytest.mark.parametrize("expressions", [False, True])
def test_running_ahead_changes_the_passes_and_nothing_else(expressions: bool) -> None:
    program = Program.from_call(COUNT, "count('strawberry', 'r')")
    trace = record(program, TraceLimits(expressions=expressions))
    runs = []
    for is_ahead in (False, True):
        wrapped = oracle(trace, expressions=expressions)
        engine = SpeculativeEngine(wrapped) if is_ahead else wrapped
        execution = PredictedExecution(program, CODEC, engine, expressions=expressions)
        assert execution.get(len(trace.steps)) is None
        predictions = [dataclasses.replace(found, num_passes=0) for found in execution.predictions]
        runs.append((predictions, len(wrapped.calls)))
    assert runs[0][0] == runs[1][0]
    assert runs[1][1] < runs[0][1]
