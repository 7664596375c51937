"""What the rules allow beside what really happens, and what they forbid."""

import pytest

from opencwm.codec.native import NativeCodec
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, line_token
from opencwm.debugger.legality import Legal, Legality
from opencwm.debugger.selection import source_view
from opencwm.source.cfg import ControlFlow
from opencwm.tracer import record
from opencwm.traces import Activation, Program, Step, StepKind, Trace, apply_step

CODEC = NativeCodec()
SOURCE = """\
def f(items, flag):
    total = 0
    names = []
    for item in items:
        total += item
        names.append(item)
    first, *rest = items if flag else (1, 2)
    try:
        ratio = total / len(rest)
    except ZeroDivisionError as error:
        ratio = str(error)
    del total
    def add(n):
        nonlocal first
        first += n
    add(2)
    return first, ratio
"""


def legal_after(trace: Trace, view: SourceView, index: int) -> Legal:
    """The rules for the step after ``trace.steps[index]``."""
    stack: list[Activation] = []
    for step in trace.steps[: index + 1]:
        apply_step(stack, step, trace.codes)
    if trace.steps[index].kind is StepKind.RETURN:
        stack.pop()
    legality = Legality(view, ControlFlow(trace.program.text))
    legal = legality.next_step(stack, trace.codes, trace.steps[index])
    assert legal is not None
    return legal


@pytest.fixture(scope="module")
def trace() -> Trace:
    return record(Program.from_call(SOURCE, "f([3, 4], True)"))


@pytest.fixture(scope="module")
def view(trace: Trace) -> SourceView:
    return source_view(trace.program, CODEC, max_tokens=8000)


def at(trace: Trace, line: int, occurrence: int = 0) -> int:
    found = [i for i, step in enumerate(trace.steps) if step.kind is StepKind.LINE and step.lineno == line]
    return found[occurrence]


def test_a_name_that_the_line_binds_must_be_written_before_the_next_line(
    trace: Trace, view: SourceView
) -> None:
    legal = legal_after(trace, view, at(trace, 2))  # total = 0
    following = line_token(view.label_of[3])
    assert legal.ends == {following}  # storing a constant cannot fail
    assert legal.first() == {Control.SET}
    assert legal.settable == ("total",)
    assert legal.following(("total",), (), ()) == {following}


def test_a_loop_binds_its_variable_only_on_the_way_into_the_body(trace: Trace, view: SourceView) -> None:
    legal = legal_after(trace, view, at(trace, 4))
    body, after = line_token(view.label_of[5]), line_token(view.label_of[7])
    assert legal.settable[0] == "items"  # a list could be changed by its iterator
    assert after in legal.first()
    assert body not in legal.first()
    assert body in legal.following(("item",), (), ())


def test_atoms_change_only_where_they_are_stored(trace: Trace, view: SourceView) -> None:
    legal = legal_after(trace, view, at(trace, 6))  # names.append(item)
    assert "names" in legal.settable
    assert "items" in legal.settable
    assert not {"total", "item", "flag", "ratio"} & set(legal.settable)


def test_names_vanish_only_where_they_are_deleted(trace: Trace, view: SourceView) -> None:
    assert "total" in legal_after(trace, view, at(trace, 12)).deletable
    assert "total" not in legal_after(trace, view, at(trace, 3)).deletable


def test_captured_names_may_change_in_a_call(trace: Trace, view: SourceView) -> None:
    add = next(i for i, step in enumerate(trace.steps) if step.kind is StepKind.RETURN and step.depth == 2)
    assert "first" in legal_after(trace, view, add).settable


def test_a_line_with_two_ways_to_bind_needs_what_both_bind(trace: Trace, view: SourceView) -> None:
    legal = legal_after(trace, view, at(trace, 7))
    following = line_token(view.label_of[8])
    assert following not in legal.following(("rest",), (), ())
    assert following in legal.following(("rest", "first"), (), ())


def test_every_recorded_step_of_this_function_is_legal(trace: Trace, view: SourceView) -> None:
    for index, step in enumerate(trace.steps[1:]):
        legal = legal_after(trace, view, index)
        written = [name for name, _ in step.changed]
        if step.kind is not StepKind.CALL:
            assert set(written) <= set(legal.settable)
            assert set(step.deleted) <= set(legal.deletable)
            assert _end(step, view) in legal.following(written, (), ())


def _end(step: Step, view: SourceView) -> int:
    if step.kind is StepKind.LINE:
        return line_token(view.label_of[step.lineno])
    return Control.RAISE if step.kind is StepKind.EXCEPTION else Control.RETURN
