"""Where an action ends, predicted in one go: an oracle is right everywhere, and a babbler writes landings."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opencwm.codec.native import MalformedStep, NativeCodec
from opencwm.codec.native_moves import Landing, decode_moves, encode_moves
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import BYTE_BASE
from opencwm.core.errors import CodecError, EngineError
from opencwm.debugger.jumps import JumpPredictor
from opencwm.model.testing import ScriptedEngine
from opencwm.source.cfg import ControlFlow
from opencwm.source.reach import visible_lines
from opencwm.tracer import record
from opencwm.traces import Action, Outcome, OutcomeKind, Program, StateTree, Step, StepKind, Trace
from opencwm.traces.trajectory import follow

CODEC = NativeCodec()
SIZE = len(CODEC.vocabulary)
TALLY = """\
def double(n):
    twice = n * 2
    return twice

def numbers(n):
    for i in range(n):
        yield i

def tally(items):
    total = 0
    for item in items:
        total += double(item)
        if total > 9:
            del item
            raise ValueError(total)
    return total

def main():
    first = tally([1, 2])
    second = sum(numbers(2))
    try:
        tally([7])
    except ValueError as error:
        seen = str(error)
    return first, second, seen
"""
FAILING = "def f(xs):\n    total = xs[0]\n    return total + xs[5]\n\ndef main():\n    return f([1])\n"
ACTIONS = (Action.STEP_OVER, Action.STEP_RETURN, Action.CONTINUE)


def whole_view(program: Program) -> SourceView:
    return SourceView(program, visible_lines(program.text, program.entry).lines, 1)


def told(trace: Trace) -> Iterator[tuple[int, Action, int | None]]:
    """Yield every action after every step, with every line as a goal."""
    for index in range(len(trace.steps) - 1):
        for action in ACTIONS:
            yield index, action, None
        for goal in whole_view(trace.program).lines:
            yield index, Action.BREAKPOINT, goal


def document(trace: Trace, index: int, action: Action, goal: int | None) -> list[int]:
    """Return the document that steps into everything up to ``index`` and is then told the action."""
    moves = follow(StateTree(trace.steps), [(Action.STEP_INTO, None)] * index + [(action, goal)])
    return encode_moves(CODEC, trace, whole_view(trace.program), moves[: index + 1]).ids


def truth(trace: Trace, ids: list[int]) -> Landing:
    view, control_flow = whole_view(trace.program), ControlFlow(trace.program.text)
    *_, (last, _) = decode_moves(CODEC, ids, view, control_flow)
    assert isinstance(last, Landing)
    return last


def without_code(landing: Landing | MalformedStep) -> Landing:
    """Code objects are numbered as they are met: in the document fewer were met than in the run."""
    assert isinstance(landing, Landing), landing.reason
    if isinstance(landing.target, Step):
        return dataclasses.replace(landing, target=dataclasses.replace(landing.target, code=0))
    return landing


def predictor(trace: Trace, engine: ScriptedEngine) -> JumpPredictor:
    return JumpPredictor(CODEC, engine, whole_view(trace.program), ControlFlow(trace.program.text))


@pytest.mark.parametrize("source", [TALLY, FAILING])
def test_an_oracle_is_right_about_every_action_everywhere(source: str) -> None:
    trace = record(Program(source, "main"))
    asked = list(told(trace))
    kinds = set()
    for index, action, goal in random.Random(0).sample(asked, min(len(asked), 120)):
        ids = document(trace, index, action, goal)
        expected = truth(trace, ids)
        engine = ScriptedEngine.saying(SIZE, [ids])
        found = predictor(trace, engine).predict(trace.steps[: index + 1], trace.codes, action, goal)
        assert without_code(found.landing) == without_code(expected), (index, action, goal)
        assert 0 < found.probability <= 1
        target = expected.target
        kinds.add(target.kind)
    assert {StepKind.LINE, StepKind.RETURN} <= kinds
    assert OutcomeKind.RAISED in kinds or OutcomeKind.RETURNED in kinds


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_model_says_a_landing_can_be_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(scale=3.0, size=(61, SIZE)).astype(np.float32)
    table[:, :BYTE_BASE] += 5

    def logits(ids: Sequence[int]) -> NDArray[np.float32]:
        row: NDArray[np.float32] = table[(sum(ids[-9:]) + len(ids)) % 61]
        return row

    trace = record(Program(TALLY, "main"))
    asked = list(told(trace))
    index, action, goal = asked[seed % len(asked)]
    asked_of = predictor(trace, ScriptedEngine(SIZE, logits))
    found = asked_of.predict(trace.steps[: index + 1], trace.codes, action, goal)
    if isinstance(found.landing, MalformedStep):
        assert any(
            known in found.landing.reason for known in ("more than", "nothing to delete", "does not end")
        )
        return
    target = found.landing.target
    if isinstance(target, Outcome):
        assert action in (Action.CONTINUE, Action.BREAKPOINT)
    elif action is Action.BREAKPOINT:
        assert (target.kind, target.lineno) == (StepKind.LINE, goal)
    elif action is Action.STEP_RETURN:
        assert target.kind is StepKind.RETURN


def test_a_long_past_is_shown_from_a_state() -> None:
    trace = record(Program(TALLY, "main"))
    index = len(trace.steps) - 3
    prompt = len(CODEC.encode_prompt(whole_view(trace.program)))
    engine = ScriptedEngine(SIZE, lambda _ids: np.zeros(SIZE, np.float32), max_tokens=prompt + 700)
    predictor(trace, engine).predict(trace.steps[: index + 1], trace.codes, Action.CONTINUE)
    assert len(engine.ids) <= prompt + 700
    tiny = ScriptedEngine(SIZE, lambda _ids: np.zeros(SIZE, np.float32), max_tokens=20)
    with pytest.raises(EngineError, match="do not fit"):
        predictor(trace, tiny).predict(trace.steps[: index + 1], trace.codes, Action.CONTINUE)


def test_what_cannot_be_told_is_refused() -> None:
    trace = record(Program(TALLY, "main"))
    asked = predictor(trace, ScriptedEngine.saying(SIZE, []))
    with pytest.raises(ValueError, match="where a run goes on"):
        asked.predict(trace.steps, trace.codes, Action.CONTINUE)
    with pytest.raises(ValueError, match="where a run goes on"):
        asked.predict(trace.steps[:3], trace.codes, Action.STEP_INTO)
    with pytest.raises(CodecError, match="not shown"):
        asked.predict(trace.steps[:3], trace.codes, Action.BREAKPOINT, 999)


def test_a_step_is_no_outcome() -> None:
    trace = record(Program(FAILING, "main"))
    ids = document(trace, 1, Action.CONTINUE, None)
    assert truth(trace, ids).target == Outcome(OutcomeKind.RAISED, "IndexError('list index out of range')")
    assert not isinstance(truth(trace, ids).target, Step)
