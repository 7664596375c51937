"""Calls that are to come to a result: what a model writes, within what is a call."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_input import encode_input, input_prompt
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import BYTE_BASE, Control
from opencwm.core.errors import CodecError
from opencwm.debugger.inverse import MAX_CALL_TOKENS, PredictedCall, is_call, predict_calls
from opencwm.model.testing import ScriptedEngine
from opencwm.tracer.run import record
from opencwm.traces import Outcome, OutcomeKind, Program

CODEC = NativeCodec()


def whole_view(program: Program) -> SourceView:
    return SourceView(program, tuple(range(1, len(program.lines) + 1)), 1)


SOURCE = "def twice(text, times=2):\n    return text * times\n"
PROGRAM = Program.from_call(SOURCE, "twice('ab')")
WANTED = Outcome(OutcomeKind.RETURNED, "'abab'")


def calls(engine: ScriptedEngine, name: str = "twice", **settings_: Any) -> list[PredictedCall]:
    view = whole_view(PROGRAM)
    return list(predict_calls(CODEC, engine, view, name, WANTED, **settings_))


def saying(answer: str, *, probability: float = 0.99) -> ScriptedEngine:
    prompt = input_prompt(CODEC, whole_view(PROGRAM), "twice", WANTED)
    script = [*prompt, *CODEC.vocabulary.encode_text(answer), Control.END]
    return ScriptedEngine.saying(len(CODEC.vocabulary), [script], probability=probability)


def test_what_the_model_writes_is_the_call() -> None:
    (found,) = calls(saying("('ab', times=2)"))
    assert found.call == "twice('ab', times=2)"
    assert found.num_sampled == len(CODEC.vocabulary.encode_text("('ab', times=2)")) + 1
    assert 0.5 < found.probability <= 1


def test_the_prompt_is_the_one_that_is_learned() -> None:
    trace = record(PROGRAM)
    document = encode_input(CODEC, trace, whole_view(PROGRAM))
    prompt = input_prompt(CODEC, whole_view(PROGRAM), "twice", WANTED)
    assert document.ids[: document.num_prompt] == prompt
    assert CODEC.vocabulary.decode_text(document.ids[document.num_prompt : -1]) == "('ab')"


def test_it_does_not_end_before_it_is_a_call() -> None:
    """The script ends within the string: the model is held to go on, and then writes what it likes."""
    prompt = input_prompt(CODEC, whole_view(PROGRAM), "twice", WANTED)
    text = CODEC.vocabulary.encode_text
    early = [*prompt, *text("('a"), Control.END]
    late = [*prompt, *text("('a"), *text("')"), Control.END]
    engine = ScriptedEngine.saying(len(CODEC.vocabulary), [early, late])
    for found in calls(engine):
        assert is_call(found.call)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_model_says_a_call_comes_out_or_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(scale=4.0, size=(61, len(CODEC.vocabulary))).astype(np.float32)
    table[:, Control.END] += 6
    table[:, BYTE_BASE + ord(")")] += 5

    def logits(ids: Sequence[int]) -> NDArray[np.float32]:
        row: NDArray[np.float32] = table[sum(ids) % 61]
        return row

    found = calls(ScriptedEngine(len(CODEC.vocabulary), logits), num_draws=3, seed=seed)
    for one in found:
        assert is_call(one.call)
        assert one.call.startswith("twice(")
        assert 0 < one.probability <= 1
        assert 1 < one.num_sampled <= MAX_CALL_TOKENS
    assert len({one.call for one in found}) == len(found)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_call_has_the_arguments_the_function_takes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(scale=3.0, size=(61, len(CODEC.vocabulary))).astype(np.float32)
    for character, more in {",": 7, ")": 7, "1": 6, "(": 3, "'": 3}.items():
        table[:, BYTE_BASE + ord(character)] += more
    table[:, Control.END] += 8

    def logits(ids: Sequence[int]) -> NDArray[np.float32]:
        row: NDArray[np.float32] = table[(sum(ids) + len(ids)) % 61]
        return row

    for found in calls(ScriptedEngine(len(CODEC.vocabulary), logits), num_draws=3, seed=seed):
        node: ast.AST = ast.parse(found.call, mode="eval").body
        while not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "twice"
        ):
            node = next(ast.iter_child_nodes(node))  # what follows the call is written behind it
        assert 1 <= len(node.args) + len(node.keywords) <= 2, found.call


def test_more_draws_give_other_calls() -> None:
    found = calls(saying("('ab')", probability=0.5), num_draws=8)
    assert found[0].call == "twice('ab')"


def test_a_call_without_end_is_none() -> None:
    def babbling(_ids: Sequence[int]) -> NDArray[np.float32]:
        logits = np.zeros(len(CODEC.vocabulary), np.float32)
        logits[BYTE_BASE + ord("1")] = 9
        return logits

    assert calls(ScriptedEngine(len(CODEC.vocabulary), babbling)) == []


def test_once_cancelled_there_are_no_more_calls() -> None:
    engine = saying("('ab')", probability=0.5)
    asked: list[int] = []

    def is_cancelled() -> bool:
        asked.append(0)
        return len(asked) > 3

    assert calls(engine, num_draws=8, is_cancelled=is_cancelled) == []
    assert len(asked) <= 5


def test_a_context_too_small_gives_none() -> None:
    size = len(input_prompt(CODEC, whole_view(PROGRAM), "twice", WANTED))
    for room in range(3):
        engine = ScriptedEngine(
            len(CODEC.vocabulary),
            lambda _ids: np.zeros(len(CODEC.vocabulary), np.float32),
            max_tokens=size + room,
        )
        assert calls(engine) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("f(1)", True), ("f(1).g(2)", True), ("f", False), ("f(", False), ("f(1) + 2", False), ("f(\0)", False)],
)
def test_what_is_a_call(text: str, expected: bool) -> None:
    assert is_call(text) is expected


def test_a_program_that_is_only_its_wrapper_is_refused() -> None:
    with pytest.raises(CodecError):
        list(predict_calls(CODEC, saying("()"), whole_view(Program.from_call("", "abs(1)")), "abs", WANTED))
