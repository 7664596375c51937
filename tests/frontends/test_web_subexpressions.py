"""What sub-expressions of a line come to: computed, found in what was written, or not told."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.debugger.execution import Execution, RealExecution
from opencwm.debugger.testing import predicted_from
from opencwm.frontends.web.subexpressions import SubExpressions
from opencwm.traces import Program, StepKind, Trace

from .web_desks import traced

SOURCE = """\
def g(x):
    return x * 2


def f(xs, é):
    a = xs[0] + g(xs[1])
    b = é.upper() + str(g(g(a)))
    c = [g(x) for x in xs] if a else len(b)
    return (a, b, c)
"""
CALL = "f([1, 2], 'ü')"


def known_at(execution: Execution, lineno: int) -> dict[str, tuple[str, str]]:
    """Return source -> value and source of the value, of a line when it is about to run first."""
    trace_steps = range(execution.num_known)
    lines = execution.program.lines
    for index in trace_steps:
        view = execution.get(index)
        assert view is not None
        if view.step.kind is StepKind.LINE and view.step.lineno == lineno:
            found = SubExpressions(execution.program.text).at(execution, index)
            return {lines[lineno - 1][item.col : item.end_col]: (item.value, item.how) for item in found}
    raise AssertionError(lineno)


def without_places(trace: Trace) -> Trace:
    """Return the run as a model tells it: evaluations have a line, and no columns."""
    steps = []
    for step in trace.steps:
        bare = tuple(
            dataclasses.replace(item, col=0, end_lineno=item.lineno, end_col=0) for item in step.evaluations
        )
        steps.append(dataclasses.replace(step, evaluations=bare))
    return dataclasses.replace(trace, steps=tuple(steps))


def test_pure_parts_are_computed_and_calls_found_by_place() -> None:
    known = known_at(RealExecution(traced(SOURCE, CALL)), 6)
    assert known["xs[0]"] == ("1", "calculated")
    assert known["g(xs[1])"] == ("4", "observed when the line ran")
    assert known["xs[0] + g(xs[1])"] == ("5", "observed when the line ran")


@pytest.mark.parametrize("is_predicted", [False, True])
def test_columns_are_counted_in_characters(is_predicted: bool) -> None:
    trace = traced(SOURCE, CALL)
    execution: Execution = RealExecution(trace)
    if is_predicted:
        execution = predicted_from(without_places(trace))
        while execution.get(execution.num_known) is not None:
            pass
    known = known_at(execution, 7)
    assert known["é.upper()"][0] == "'Ü'"
    assert known["g(a)"][0] == "10"
    assert known["g(g(a))"][0] == "20"
    assert known["str(g(g(a)))"][0] == "'20'"
    assert known["é.upper() + str(g(g(a)))"][0] == "'Ü20'"


def test_a_prediction_tells_calls_by_what_is_filled_in_and_how_sure_it_was() -> None:
    execution = predicted_from(without_places(traced(SOURCE, CALL)), probability=0.9)
    while execution.get(execution.num_known) is not None:
        pass
    known = known_at(execution, 6)
    assert known["xs[0]"] == ("1", "calculated from predicted values, the least sure 90%")
    assert known["g(xs[1])"] == ("4", "predicted for this line")


def test_nothing_is_predicted_for_it() -> None:
    execution = predicted_from(traced(SOURCE, CALL))
    for index in range(5):
        execution.get(index)
    made = execution.num_made
    found = [item.value for item in SubExpressions(execution.program.text).at(execution, 4)]
    assert "4" not in found
    assert execution.num_made == made


def test_what_stands_in_a_scope_of_its_own_is_left_out() -> None:
    known = known_at(RealExecution(traced(SOURCE, CALL)), 8)
    assert "g(x)" not in known
    assert known["[g(x) for x in xs]"][0] == "[2, 4]"
    assert known["len(b)"][0] == "3"  # what would have been, and is pure


@given(text=st.text(st.sampled_from("def f(x):\n    return[]()'+é1=,lambda"), max_size=60))
def test_any_text_is_survived(text: str) -> None:
    sub_expressions = SubExpressions(text)
    execution = RealExecution(traced(SOURCE, CALL))
    odd = dataclasses.replace(execution.trace, program=Program(text, "f"))
    for index in range(4):
        list(sub_expressions.at(RealExecution(odd, execution.control_flow), index))
        sub_expressions.written_value(execution, index, text)
