"""State trees of recorded runs, forward and backward, against golden trees and against their definition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_programs import PROGRAMS

from opencwm.tracer import record
from opencwm.traces import Program, StateTree, Step, StepFlags, StepKind, Trace
from opencwm.traces.inverse import InverseTree
from opencwm.traces.state_tree import ends_out, ends_over

GOLDEN = Path(__file__).parent / "golden" / "trees"


def run_of(name: str) -> Trace:
    source, call = PROGRAMS[name]
    return record(Program.from_call(source, call))


def shown(trace: Trace, step: Step) -> str:
    words = [str(step.kind), str(step.lineno), trace.program.lines[step.lineno - 1].strip()]
    words += [flag.name or "" for flag in StepFlags if flag in step.flags]
    words += [] if step.value is None else ["->", step.value]
    return " ".join(words)


def tree_text(trace: Trace) -> str:
    """Every level below the step it hangs from, found from the root down by ``level`` and ``children``."""
    tree = StateTree(trace.steps)

    def level(index: int, indent: str) -> Iterator[str]:
        for one in tree.level(index):
            yield f"{indent}{shown(trace, trace.steps[one])}\n"
            for child in tree.children(one):
                yield from level(child, indent + "    ")

    return "".join(level(0, ""))


def inverse_text(trace: Trace) -> str:
    """The same of the reversed run, without the returns of unwound activations."""
    steps = [step for step in trace.steps if StepFlags.UNWIND not in step.flags]
    inverse = InverseTree(steps)

    def level(position: int, indent: str) -> Iterator[str]:
        for one in inverse.tree.level(position):
            item = inverse.items[one]
            word = "inv_line_call" if item.is_calling else "inv"
            yield f"{indent}{word} {shown(trace, steps[item.index])}\n"
            for child in inverse.tree.children(one):
                yield from level(child, indent + "    ")

    return "".join(level(0, ""))


@pytest.mark.parametrize("name", PROGRAMS)
def test_golden_tree(name: str) -> None:
    trace = run_of(name)
    text = f"{trace.program.text}\n--- forward\n{tree_text(trace)}\n--- backward\n{inverse_text(trace)}"
    assert text == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_step_stands_once_in_the_tree_in_recorded_order(name: str) -> None:
    trace = run_of(name)
    expected = [shown(trace, step) for step in trace.steps]
    assert [line.strip() for line in tree_text(trace).splitlines()] == expected


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_reversed_run_is_the_run_backward_with_calling_lines_doubled(name: str) -> None:
    steps = [step for step in run_of(name).steps if StepFlags.UNWIND not in step.flags]
    forward, inverse = StateTree(steps), InverseTree(steps)
    assert [item.index for item in inverse.items if not item.is_calling] == [*reversed(range(len(steps)))]
    doubled = [item.index for item in inverse.items if item.is_calling]
    assert sorted(doubled) == [index for index in range(len(steps)) if forward.children(index)]
    for position, item in enumerate(inverse.items):
        if not item.is_calling:
            continue
        assert inverse.items[inverse.tree.over(position) or -1].index == item.index
        callees = [inverse.items[child].index for child in inverse.tree.children(position)]
        assert callees == [forward.level(child)[-1] for child in reversed(forward.children(item.index))]


@pytest.mark.parametrize("name", PROGRAMS)
def test_backward_the_end_of_a_level_is_its_call(name: str) -> None:
    steps = [step for step in run_of(name).steps if StepFlags.UNWIND not in step.flags]
    forward, inverse = StateTree(steps), InverseTree(steps)
    for position, item in enumerate(inverse.items):
        end = inverse.tree.out(position)
        start: int | None = forward.start(item.index)
        if item.index == start and not item.is_calling:  # from a call on, to that of the caller
            caller = forward.parent(item.index)
            start = None if caller is None else forward.start(caller)
        assert (None if end is None else inverse.items[end].index) == start


def test_a_reversed_run_may_be_that_of_one_call() -> None:
    trace = run_of("nested_calls_on_one_line")
    tree = StateTree(trace.steps)
    line = tree.level(0)[1]
    outer = tree.children(line)[0]
    inverse = InverseTree(trace.steps, entry=outer)
    places = [item.index for item in inverse.items if not item.is_calling]
    assert places == [*reversed(range(outer, len(trace.steps) - 1))]
    (_, inner) = tree.children(tree.level(outer)[1])[:2]
    places = [item.index for item in InverseTree(trace.steps, entry=inner).items]
    assert places == [*reversed(tree.level(inner))]


@pytest.mark.parametrize("name", PROGRAMS)
def test_moves_are_what_is_said_of_them_step_by_step(name: str) -> None:
    trace = run_of(name)
    tree = StateTree(trace.steps)
    for index, step in enumerate(trace.steps):
        later = range(index + 1, len(trace.steps))
        assert tree.over(index) == next((i for i in later if ends_over(step, trace.steps[i])), None)
        assert tree.out(index) == next((i for i in later if ends_out(step, trace.steps[i])), None)
        assert tree.into(index) == next(iter(later), None)


@st.composite
def any_steps(draw: st.DrawFn) -> list[Step]:
    """Steps of any kind at any depth, whether or not a run could give them."""
    kinds = st.tuples(st.sampled_from(tuple(StepKind)), st.integers(0, 4))
    return [Step(kind, 0, 1, depth) for kind, depth in draw(st.lists(kinds, max_size=30))]


@settings(max_examples=150, deadline=None)
@given(any_steps(), st.booleans())
def test_moves_of_any_steps_go_forward_and_never_down(steps: list[Step], is_complete: bool) -> None:
    tree = StateTree(steps, is_complete=is_complete)
    for index, step in enumerate(steps):
        over, out, parent = tree.over(index), tree.out(index), tree.parent(index)
        for end in (over, out):
            assert end is None or (end > index and steps[end].depth <= step.depth)
        assert out is None or steps[out].kind in (StepKind.RETURN, StepKind.EXCEPTION)
        assert parent is None or (steps[parent].depth == step.depth - 1 and parent < tree.start(index))
        assert index in tree.level(index)
    if steps:
        inverse = InverseTree(steps)
        assert inverse.items[-1].index == 0


def test_where_the_return_of_an_unwound_activation_is_not_written_its_exception_ends_it() -> None:
    trace = run_of("unwinding")
    steps = [step for step in trace.steps if StepFlags.UNWIND not in step.flags]
    tree = StateTree(steps, is_complete=True)
    deepest = next(i for i, step in enumerate(steps) if step.depth == 3)
    ends = []
    place = tree.out(deepest)
    while place is not None:
        ends.append((str(steps[place].kind), steps[place].depth))
        place = tree.out(place)
    assert ends == [("exception", 3), ("exception", 2), ("return", 1), ("return", 0)]


def test_a_level_that_was_not_recorded_to_its_end_has_no_end() -> None:
    steps = run_of("recursion").steps[:7]
    assert [StateTree(steps).out(index) for index in range(7)] == [None] * 7
    raised = run_of("uncaught").steps[:-1]  # the exception that left the entry is the last step
    assert StateTree(raised).out(0) is None
    assert StateTree(raised, is_complete=True).out(0) == len(raised) - 1


def test_breakpoints_stop_at_a_line_or_at_any_step_on_a_text() -> None:
    trace = run_of("module_of_several_functions")
    steps = trace.steps
    lines = [i for i, step in enumerate(steps) if step.kind is StepKind.LINE and step.lineno == 2]
    tree = StateTree(steps)
    assert [tree.reach(index, 2) for index in (0, *lines)] == [*lines, None]
    same = [i for i, step in enumerate(steps) if step.lineno in (2, 6)]  # two lines that read alike
    tree = StateTree(steps, sources=trace.program.lines)
    found, index = [], tree.reach(0, 2)
    while index is not None:
        found.append(index)
        index = tree.reach(index, 6)
    assert found == same


def test_trees_of_deep_runs_are_made_without_recursion() -> None:
    depth = 3000
    calls = [Step(StepKind.CALL, 0, 1, d) for d in range(depth)]
    lines = [Step(StepKind.LINE, 0, 2, d) for d in range(depth)]
    returns = [Step(StepKind.RETURN, 0, 2, d, value="1") for d in reversed(range(depth))]
    steps = [step for pair in zip(calls, lines, strict=True) for step in pair] + returns
    tree, inverse = StateTree(steps), InverseTree(steps)
    assert tree.over(1) == len(steps) - 1
    assert len(inverse.items) == len(steps) + depth - 1
