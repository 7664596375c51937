"""The debugger on what is written in the cwm format, against what really happens."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cwm_programs import programs
from cwm_recorder import record as record_plainly
from cwm_replies import CODEC, LOGARITHM, Playback, followed, ids_of, oracle, step
from hypothesis import HealthCheck, given, settings

from opencwm.codec.cwm_text import written_steps
from opencwm.codec.cwm_told import told_by_format
from opencwm.core.errors import CodecError, ConfigError, EngineError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.debugger.cwm_execution import CwmConfig, CwmExecution
from opencwm.debugger.cwm_steps import CwmStepPredictor
from opencwm.debugger.execution import Execution, Origin, RealExecution, Steerable
from opencwm.debugger.session import Session
from opencwm.evals.one_step import score_one_step
from opencwm.evals.rollout import End, roll_out
from opencwm.model.generation import Generation
from opencwm.model.sampling import SamplingConfig
from opencwm.tracer import record
from opencwm.traces import Outcome, OutcomeKind, Program, StepFlags, StepKind, Trace

CALL, LINE, RETURN, EXCEPTION = StepKind.CALL, StepKind.LINE, StepKind.RETURN, StepKind.EXCEPTION

NESTED = """\
def outer(n):
    total = 0
    for i in range(n):
        total += inner(i)
    return total


def inner(i):
    try:
        return 10 // i
    except ZeroDivisionError as error:
        return -1
"""
UNCAUGHT = """\
def top(key):
    table = {'a': 1}
    return look(table, key)


def look(table, key):
    return table[key]
"""
SUSPENDS = """\
def numbers(n):
    for i in range(n):
        yield i


def total(n):
    found = 0
    for value in numbers(n):
        found += value
    return found
"""
CALLS = [
    (NESTED, "outer(3)"),
    (UNCAUGHT, "top('a')"),
    (UNCAUGHT, "top('b')"),
    (SUSPENDS, "total(3)"),
    (SUSPENDS, "total(n=0)"),
]


def seen(execution: Execution, index: int, *, is_last: bool) -> tuple[object, ...] | None:
    """What the format tells of a step: the locals of an activation as of its last call or line."""
    view = execution.get(index)
    if view is None:
        return None
    one = view.step
    frames = [
        (frame.function, frame.lineno, {name: value.text for name, value in frame.locals.items()})
        for frame in execution.stack_at(index)
    ]
    if one.kind in (RETURN, EXCEPTION) or is_last:
        frames = [(function, lineno, {}) for function, lineno, _ in frames]
    lineno = one.lineno
    if (
        one.flags & StepFlags.UNWIND
    ):  # no step is written, and an exception that is passed on may change the line
        lineno, frames[-1] = 0, (frames[-1][0], 0, {})
    return one.kind, lineno, one.depth, one.flags & ~StepFlags.TRUNCATED, one.value, frames


def assert_same_session(trace: Trace) -> CwmExecution:
    """Every step of the prediction is that of the run, and every move of a session ends alike."""
    predicted = CwmExecution(trace.program, CODEC, oracle(trace))
    real = RealExecution(told_by_format(trace))
    for index in itertools.count():
        is_last = index == len(trace.steps) - 1
        assert seen(predicted, index, is_last=is_last) == seen(real, index, is_last=is_last), index
        view = predicted.get(index)
        if view is None:
            break
        assert view.objection is None
        assert view.malformed is None
        assert view.origin is Origin.PREDICTED
    assert predicted.status == real.status
    sessions = [Session(execution) for execution in (predicted, real)]
    for move in ("step_over", "step_over", "step_into", "step_into", "step_out", "back_over", "step_over",
                 "step_out", "back_out", "continue_", "step_back", "back_out"):  # fmt: skip
        stops = [getattr(session, move)() for session in sessions]
        assert stops[0] == stops[1], move
    return predicted


@pytest.mark.parametrize(("source", "call"), CALLS)
def test_a_perfect_model_gives_the_session_of_the_real_run(source: str, call: str) -> None:
    assert_same_session(record(Program.from_call(source, call)))


@pytest.mark.parametrize("seed", range(30))
def test_so_it_does_on_generated_programs(seed: int) -> None:
    rng = derive_rng(seed, "cwm sessions")
    trace = generate_traced(rng, sample_config(rng))
    assert trace is not None
    assert_same_session(trace)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(unique_lines=True))
def test_whatever_exceptions_cross_nothing_that_is_written_is_lost(source: str) -> None:
    """Which activation of a recursive function an exception left is told by later steps only, if at all."""
    trace = record_plainly(source)
    execution = CwmExecution(trace.program, CODEC, oracle(trace))
    views = list(itertools.takewhile(bool, map(execution.get, itertools.count())))
    told = [view.step for view in views if view is not None and not view.step.flags & StepFlags.UNWIND]
    written = [trace.steps[one.index] for one in written_steps(trace)]
    assert [(one.kind, one.lineno, one.value) for one in told] == [
        (one.kind, one.lineno, one.value) for one in written
    ]
    assert all(view is not None and view.objection is None for view in views)


def test_an_entry_without_arguments_is_given_some_by_the_model() -> None:
    program = Program(NESTED, "inner")
    execution = followed(program, step(CALL, "def inner(i):", '{"i": "5"}'))
    view = execution.get(0)
    assert view is not None
    assert (view.step.lineno, view.step.changed) == (8, (("i", "5"),))
    assert view.changes["i"].origin is Origin.PREDICTED


def test_the_call_of_the_user_is_entered_as_written_and_costs_nothing() -> None:
    trace = record(Program.from_call(NESTED, "outer(3)"))
    playback = oracle(trace)
    execution = CwmExecution(trace.program, CODEC, playback)
    view = execution.get(2)
    assert view is not None
    assert view.changes["n"].origin is Origin.SUPPLIED
    assert playback.prompts == []
    assert [prediction.num_sampled for prediction in execution.predictions] == [0, 0, 0]
    free = CwmExecution(trace.program, CODEC, playback, CwmConfig(constrained=False))
    view = free.get(2)
    assert view is not None
    assert view.changes["n"].origin is Origin.PREDICTED
    assert len(playback.prompts) == 3


def test_probabilities_multiply_to_that_of_all_ids() -> None:
    trace = record(Program.from_call(NESTED, "outer(3)"))
    execution = CwmExecution(trace.program, CODEC, oracle(trace), CwmConfig(constrained=False))
    for index in range(12):
        view = execution.get(index)
        assert view is not None
        prediction = execution.predictions[index]
        expected = 2.718281828459045 ** (LOGARITHM * prediction.num_tokens)
        assert view.probability == pytest.approx(expected)


def test_a_variable_that_is_set_rewrites_the_step_and_the_rest_is_new() -> None:
    trace = record(Program.from_call(NESTED, "outer(2)"))
    playback = oracle(trace)
    execution = CwmExecution(trace.program, CODEC, playback)
    before = [execution.get(index) for index in range(6)]
    session = Session(execution)
    session.goto(4)  # for i in range(n), with total = 0
    truth = playback._reply
    playback._reply = lambda _: ids_of(
        step(LINE, "        total += inner(i)", '{"n": "..", "total": "..", "i": "0"}')
    )
    session.set_variable("total", "40 + 2")
    assert session.locals["total"].origin is Origin.SUPPLIED
    prompt = len(playback.prompts)
    session.step_into()
    shown = CODEC.to_text(playback.prompts[prompt])
    assert shown.endswith(
        '<|line_sep|>{"n": "..", "total": "42"}<|action_sep|>    for i in range(n):\n<|frame_sep|>'
    )
    assert {name: value.text for name, value in session.locals.items()} == {"n": "2", "total": "42", "i": "0"}
    playback._reply = truth
    assert [execution.get(index) for index in range(6)] == before
    assert execution.get(9) is not None


def test_a_variable_without_a_value_can_be_set_where_it_belongs() -> None:
    trace = record(Program.from_call(NESTED, "outer(2)"))
    execution = CwmExecution(trace.program, CODEC, oracle(trace))
    assert execution.get(3) is not None
    twin = execution.fork(3, {"i": "7", "total": "1"})
    view = twin.get(3)
    assert view is not None
    assert dict(view.step.changed) == {"total": "1", "i": "7"}
    assert list(twin.stack_at(3)[-1].locals) == ["n", "total", "i"]


def test_what_cannot_be_set_is_said() -> None:
    trace = record(Program.from_call(UNCAUGHT, "top('b')"))
    execution = CwmExecution(trace.program, CODEC, oracle(trace))
    assert execution.get(7) is not None
    with pytest.raises(ConfigError, match="no local variable of top"):
        execution.fork(2, {"nothing": "1"})
    with pytest.raises(ConfigError, match="no step 99"):
        execution.fork(99, {})
    exception = next(i for i in range(9) if (v := execution.get(i)) and v.step.kind is EXCEPTION)
    with pytest.raises(ConfigError, match="where a line is about to run"):
        execution.fork(exception, {"table": "{}"})


@pytest.mark.parametrize("kind", list(StepKind))
def test_the_kind_of_the_next_step_can_be_forced(kind: StepKind) -> None:
    trace = record(Program.from_call(NESTED, "outer(2)"))
    playback = oracle(trace)
    execution = CwmExecution(trace.program, CODEC, playback)
    assert execution.get(4) is not None
    assert isinstance(execution, Steerable)
    twin = execution.steered(4, kind)
    source = {CALL: "def inner(i):", LINE: "        total += inner(i)"}.get(kind, "    for i in range(n):")
    rest = {CALL: '{"i": "0"}', LINE: '{"n": "..", "total": "..", "i": "0"}'}.get(kind, '"5"')
    written = ids_of(step(kind, source, rest))
    playback._reply = lambda _: written[1:]
    view = twin.get(5)
    assert view is not None
    assert (view.step.kind, view.malformed, view.objection) == (kind, None, None)
    assert playback.prompts[-1][-1] == written[0]


def test_a_call_is_stepped_over_by_forcing_its_return() -> None:
    trace = record(Program.from_call(NESTED, "outer(2)"))
    playback = oracle(trace)
    session = Session(CwmExecution(trace.program, CODEC, playback))
    session.goto(6)
    assert session.step.kind is CALL
    playback._reply = lambda _: ids_of(step(RETURN, "        return -1", '"-1"'))[1:]
    stop = session.steer(RETURN)
    assert stop.position == 7
    assert (session.step.kind, session.step.value, session.step.depth) == (RETURN, "-1", 2)
    assert str(session.timeline) == "return asked for after step 6, line 8"
    playback._reply = lambda _: ids_of(
        step(LINE, "    for i in range(n):", '{"n": "..", "total": "-1", "i": ".."}')
    )
    session.step_over()
    assert (session.step.depth, session.locals["total"].text) == (1, "-1")
    assert session.view.objection is None
    session.select_timeline(1)
    assert session.position == 6


def test_steering_is_for_executions_that_can_be_steered() -> None:
    session = Session(RealExecution(record(Program.from_call(NESTED, "outer(2)"))))
    with pytest.raises(ConfigError, match="cannot be steered"):
        session.steer(RETURN)
    trace = record(Program.from_call(UNCAUGHT, "top('a')"))
    execution = CwmExecution(trace.program, CODEC, oracle(trace))
    assert execution.get(99) is None
    with pytest.raises(ConfigError, match="nothing follows"):
        execution.steered(len(trace.steps) - 1, LINE)


def test_an_expression_can_be_asked_about() -> None:
    trace = record(Program.from_call(NESTED, "outer(2)"))
    playback = oracle(trace)
    session = Session(CwmExecution(trace.program, CODEC, playback))
    session.goto(3)
    session.goto(4)
    playback.prompts.clear()
    replies = [
        step(LINE, "    return inner(n + total)", '{"n": "..", "total": ".."}'),
        step(RETURN, "    return inner(n + total)", '"5"'),
    ]
    playback._reply = lambda _: ids_of(replies.pop(0))
    answer = session.ask("inner(n + total)")
    assert (answer.text, answer.is_predicted) == ("5", True)
    assert '<|call_sep|>{"n": "2", "total": "0"}<|action_sep|>def ask(n, total):\n' in CODEC.to_text(
        playback.prompts[0]
    )


def test_what_was_predicted_stays_when_the_engine_breaks_and_is_tried_again() -> None:
    trace = record(Program.from_call(NESTED, "outer(2)"))
    playback = oracle(trace)
    execution = CwmExecution(trace.program, CODEC, playback)
    known = [execution.get(index) for index in range(6)]
    truth = playback._reply

    def broken(_: tuple[int, ...]) -> list[int]:
        raise EngineError("the server is gone")

    playback._reply = broken
    with pytest.raises(EngineError, match="gone"):
        execution.get(6)
    assert [execution.get(index) for index in range(6)] == known
    assert not execution.ended()
    playback._reply = truth
    assert execution.get(6) is not None


def test_a_trace_that_fills_the_context_ends_and_keeps_its_steps() -> None:
    trace = record(Program.from_call(NESTED, "outer(3)"))
    playback = oracle(trace)
    playback.max_tokens = len(CODEC.encode_prompt(trace.program)) + 220
    execution = CwmExecution(trace.program, CODEC, playback)
    assert execution.get(1000) is None
    assert execution.num_known > 4
    assert "context of" in execution.status
    assert "is full" in execution.status
    playback.max_tokens = 10
    with pytest.raises(CodecError, match="do not fit the model's context"):
        CwmExecution(trace.program, CODEC, playback)


def test_runs_can_be_rolled_out_and_drawn() -> None:
    trace = record(Program.from_call(NESTED, "outer(3)"))
    playback = oracle(trace)
    execution = CwmExecution(trace.program, CODEC, playback)
    execution.read()
    rollout = roll_out(execution.afresh(), max_steps=500)
    assert rollout.end is End.ENDED
    assert rollout.outcome == Outcome(OutcomeKind.RETURNED, "14")
    assert len(rollout.steps) == len(trace.steps)
    assert len(list(written_steps(trace))) == len(trace.steps)


class _Drawing(Playback):
    """Writes a step that the program does not allow, unless it is drawn anew."""

    def generate(self, *_: Any, sampling: SamplingConfig, **__: Any) -> Generation:
        source = "    return total" if sampling.temperature == 0 else "    for i in range(n):"
        made = ids_of(step(LINE, source, '{"n": "..", "total": "0"}'))
        self.samplings.append(sampling)
        return Generation(tuple(made), (LOGARITHM,) * len(made), stopped=True)


def test_a_step_that_the_program_does_not_allow_is_drawn_anew_or_marked() -> None:
    program = Program.from_call(NESTED, "outer(3)")
    start = [
        step(LINE, "    total = 0", '{"n": ".."}'),
        step(LINE, "    return total", '{"n": "..", "total": "0"}'),
    ]
    execution = CwmExecution(program, CODEC, oracle(record(program)))
    assert execution.get(3) is not None
    drawing = _Drawing(lambda _: [])
    execution._writer.generator = drawing
    view = execution.get(4)
    assert view is not None
    assert (view.step.lineno, view.objection) == (3, None)
    assert [sampling.temperature for sampling in drawing.samplings] == [0.0, 0.6]
    assert drawing.samplings[1].top_p == 0.95
    free = followed(program, step(CALL, "def main():"), step(LINE, "    return outer(3)"),
                    step(CALL, "def outer(n):", '{"n": "3"}'), *start)  # fmt: skip
    marked = free.get(4)
    assert marked is not None
    assert marked.objection == "line 5 cannot follow line 2"
    assert marked.malformed is None


@pytest.mark.parametrize(("source", "call"), CALLS)
def test_single_steps_are_predicted_from_the_true_ones_before(source: str, call: str) -> None:
    trace = told_by_format(record(Program.from_call(source, call)))
    stepping = CwmStepPredictor(trace.program, CODEC, oracle(trace), CwmConfig())
    scored = score_one_step(trace, stepping, max_steps=100)
    assert scored.divergences == {}
    for metric, (right, total) in scored.counts.items():
        assert right == total, metric
    stepping.start(trace.steps[:4], trace.codes)
    found = stepping.predict()
    assert found is not None
    assert found.num_sampled > 0
    assert found.step == trace.steps[4]
    stepping.start(trace.steps, trace.codes)
    assert stepping.predict() is None
