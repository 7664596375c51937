"""Inverse questions: what is asked of a model, and what it is not asked because it is certain."""

from __future__ import annotations

import pytest
from engines import CODEC, random_engine

from opencwm.core.errors import ConfigError
from opencwm.debugger.execution import RealExecution
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.questions import state_question, states_before, states_before_here
from opencwm.debugger.session import Session
from opencwm.model.folder import ModelFolder
from opencwm.tracer import record
from opencwm.traces import OutcomeKind, Program

SOURCE = """\
LIMIT = 3
def f(x, xs, name):
    x += 2
    y = x * LIMIT
    xs.append(x)
    name = name.strip() + "!"
    for item in xs:
        y += item
    return y
"""
PROGRAM = Program(SOURCE, "f")


@pytest.mark.parametrize(
    ("line", "end_line", "after", "parameters", "fixed"),
    [
        (3, None, {"x": "5"}, ("x",), {}),
        (4, None, {"y": "9"}, ("x",), {}),
        (4, None, {"y": "9", "x": "3"}, ("x",), {"x": "3"}),
        (4, None, {"y": "9", "name": "'a'"}, ("x", "name"), {"name": "'a'"}),
        (5, None, {"xs": "[1, 2]", "x": "2"}, ("xs", "x"), {"x": "2"}),
        (7, 8, {"y": "10"}, ("xs", "y"), {}),
        (3, 4, {"y": "15"}, ("x",), {}),
    ],
)
def test_only_what_is_read_is_asked_about_and_what_cannot_change_is_known(
    line: int, end_line: int | None, after: dict[str, str], parameters: tuple[str, ...], fixed: dict[str, str]
) -> None:
    question = state_question(PROGRAM, line, after, end_lineno=end_line)
    assert set(question.parameters) == set(parameters)
    assert question.fixed == fixed
    assert question.wanted.kind is OutcomeKind.RETURNED


def test_a_question_is_a_program_that_makes_the_step() -> None:
    question = state_question(PROGRAM, 3, {"y": "15", "x": "5"}, end_lineno=4)
    assert record(question.made({"x": "3"})).result == question.wanted.value == "(15, 5)"


def test_what_is_known_before_is_not_asked() -> None:
    question = state_question(PROGRAM, 5, {"xs": "[1, 2]"}, known={"x": "2"})
    assert question.fixed == {"x": "2"}


@pytest.mark.parametrize(
    ("line", "after", "problem"),
    [
        (2, {"x": "5"}, "no whole statement"),
        (7, {"y": "5"}, "no whole statement"),
        (9, {"y": "5"}, "leaves its function or loop"),
        (99, {"y": "5"}, "no whole statement"),
        (3, {}, "no variable to ask about"),
        (3, {"x": "<object>"}, "x has no value that can be written down"),
    ],
)
def test_what_cannot_be_asked_is_said(line: int, after: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        state_question(PROGRAM, line, after)


def world() -> NativeWorldModel:
    return NativeWorldModel(ModelFolder.__new__(ModelFolder), CODEC, random_engine(1))


def test_a_question_can_be_cancelled() -> None:
    states = states_before(world(), PROGRAM, 3, {"x": "5"}, num_draws=1, is_cancelled=lambda: True)
    assert states == []


def test_a_session_asks_about_the_line_that_ran_last() -> None:
    trace = record(Program.from_call(SOURCE, "f(1, [], 'a')"))
    session = Session(RealExecution(trace))
    with pytest.raises(ConfigError, match="no line ran before"):
        states_before_here(world(), session)
    session.run_to(4)
    states = states_before_here(world(), session, {"x": "7"}, num_draws=1)
    assert all(set(state.locals) >= {"x"} for state in states)
