"""Sessions: where moves end, in recorded and in scripted predictions."""

from __future__ import annotations

import pytest
from debugged import CALLS, endless, real, traced, without_steps
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.debugger.execution import Origin, RealExecution
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.debugger.testing import predicted_from
from opencwm.traces import StepKind, replay
from opencwm.traces.state_tree import StateTree


def place(session: Session) -> tuple[str, int]:
    return str(session.step.kind), session.step.lineno


def test_into_visits_every_step_in_order() -> None:
    trace = traced("count")
    session = Session(RealExecution(trace))
    seen = [session.step]
    while session.step_into().kind is StopKind.STEP:
        seen.append(session.step)
    assert seen == list(trace.steps)
    assert session.last_stop.reason == "the program returned 'none'"
    assert session.is_ended


def test_locals_and_stack_are_those_of_a_replay() -> None:
    for name in CALLS:
        execution = real(name)
        for index, (_, stack) in enumerate(replay(execution.trace)):
            shown = execution.stack_at(index)
            assert [(frame.code, frame.lineno) for frame in shown] == [
                (item.code, item.lineno) for item in stack
            ]
            assert [{name: value.text for name, value in frame.locals.items()} for frame in shown] == [
                item.locals for item in stack
            ]
            assert all(value.origin is Origin.VERIFIED for frame in shown for value in frame.locals.values())


def test_over_steps_over_calls_and_out_ends_at_the_return() -> None:
    session = Session(real("count"))
    assert session.run_to(11).kind is StopKind.GOAL
    session.step_over()
    assert place(session) == ("line", 12)
    assert session.locals["k"].text == "2"
    session.step_over()
    assert place(session) == ("exception", 12)
    session.step_out()
    assert place(session) == ("return", 14)
    session.step_over()
    assert place(session) == ("return", 16)
    assert session.step_out().kind is StopKind.ENDED


def test_until_leaves_a_loop() -> None:
    session = Session(real("count"))
    session.run_to(5)
    session.until()
    assert place(session) == ("line", 6)
    session.restart()
    session.run_to(3)
    session.until(6)
    assert place(session) == ("line", 6)


def test_breakpoints_stop_and_count() -> None:
    session = Session(real("count"))
    always = session.breakpoints.add_line(4)
    conditional = session.breakpoints.add_line(5, "n == 1")
    assert session.continue_().reason == "breakpoint 1, line 4"
    assert session.continue_().reason == "breakpoint 1, line 4"
    always.is_enabled = False
    assert session.continue_().reason == "breakpoint 2, line 5"
    assert session.locals["n"].text == "1"
    assert (always.num_hits, conditional.num_hits) == (2, 1)
    assert session.continue_().kind is StopKind.ENDED


def test_a_breakpoint_interrupts_a_step_over_and_a_temporary_one_stops_once() -> None:
    session = Session(real("count"))
    session.run_to(11)
    session.breakpoints.add_line(4, is_temporary=True)
    assert session.step_over().kind is StopKind.BREAKPOINT
    assert len(session.breakpoints) == 0
    session.step_out()
    assert place(session) == ("return", 6)


def test_ignored_hits_pass() -> None:
    session = Session(real("count"))
    session.breakpoints.add_line(4).ignore_count = 2
    session.continue_()
    assert session.locals["c"].text == "'r'"
    assert session.locals["n"].text == "1"


UNDECIDED = "breakpoint 1, line 4, its condition cannot be decided:"


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("undefined_name == 1", f"{UNDECIDED} undefined_name is no local variable here"),
        ("1 / 0", "breakpoint 1, line 4, its condition fails: ZeroDivisionError: division by zero"),
        ("e is None", f"{UNDECIDED} e is no local variable here"),
    ],
)  # fmt: skip
def test_a_condition_that_cannot_be_decided_stops_and_says_so(condition: str, reason: str) -> None:
    session = Session(real("count"))
    session.breakpoints.add_line(4, condition)
    assert session.continue_().reason == reason


@pytest.mark.parametrize(("lineno", "hint"), [(7, "is 10"), (1000, ""), (0, "is ")])
def test_a_breakpoint_needs_a_line_with_code(lineno: int, hint: str) -> None:
    session = Session(real("count"))
    with pytest.raises(ConfigError, match=f"no function has code on line {lineno}") as caught:
        session.breakpoints.add_line(lineno)
    assert hint in caught.value.hint


def test_a_condition_must_be_an_expression() -> None:
    session = Session(real("count"))
    with pytest.raises(ConfigError, match="not an expression"):
        session.breakpoints.add_line(4, "n ==")
    with pytest.raises(ConfigError, match="not an expression"):
        session.breakpoints.add_line(4).set_condition("import os")


def test_back_moves() -> None:
    session = Session(real("count"))
    session.run_to(12)
    session.back_over()
    assert place(session) == ("line", 11)
    session.step_into()
    session.step_into()
    assert place(session) == ("line", 2)
    session.back_out()
    assert place(session) == ("call", 1)
    session.back_over()
    assert place(session) == ("line", 11)
    assert session.step_back().kind is StopKind.STEP
    assert session.continue_back().kind is StopKind.START
    assert session.position == 0
    assert session.step_back().reason == "the first step"


def test_back_from_the_end_and_to_a_breakpoint() -> None:
    session = Session(real("count"))
    assert session.continue_().kind is StopKind.ENDED
    last = session.position
    assert session.step_back().position == last
    assert not session.is_ended
    item = session.breakpoints.add_line(5, "n == 0")
    assert session.continue_back().reason == "breakpoint 1, line 5"
    assert session.locals["n"].text == "0"
    assert item.num_hits == 1


def test_history_tells_which_line_changed_a_variable() -> None:
    session = Session(real("count"))
    session.run_to(6)
    assert [(change.lineno, change.value.text) for change in session.history("n") if change.value] == [
        (2, "0"),
        (5, "1"),
        (5, "2"),
    ]
    assert [change.lineno for change in session.history("word")] == [1]
    assert session.history("nothing") == []


def test_history_shows_deletions() -> None:
    session = Session(real("count"))
    session.run_to(14)
    assert session.history("e")[-1].value is not None
    session.step_into()
    assert session.history("e")[-1].value is None


def test_predicted_values_are_carried_with_their_probability() -> None:
    session = Session(predicted_from(traced("count"), probability=0.8))
    session.run_to(3)
    assert session.locals["n"].origin is Origin.PREDICTED
    session.step_into()
    assert session.locals["n"] == session.stack[-1].locals["n"]
    assert (session.locals["n"].origin, session.locals["n"].probability) == (Origin.CARRIED, 0.8)
    assert session.locals["c"].origin is Origin.PREDICTED


def test_set_variable_forks_a_prediction_and_is_refused_in_a_recording() -> None:
    execution = predicted_from(traced("count"))
    session = Session(execution)
    session.run_to(4)
    assert session.set_variable("n", "n + 6").reason == "n set to 6"
    assert session.locals["n"].text == "6"
    assert session.locals["n"].origin is Origin.SUPPLIED
    assert session.execution is not execution
    assert execution.stack_at(session.position)[-1].locals["n"].text == "0"
    session.step_into()
    assert (session.locals["n"].text, session.locals["n"].origin) == ("6", Origin.SUPPLIED)
    for name, value in [("nothing", "1"), ("n", "undefined_name"), ("n", "1 +")]:
        with pytest.raises(ConfigError):
            session.set_variable(name, value)
    recorded = Session(real("count"))
    recorded.run_to(4)
    with pytest.raises(ConfigError, match="recorded run"):
        recorded.set_variable("n", "1")
    recorded.step_out()
    with pytest.raises(ConfigError, match="cannot set n here"):
        recorded.set_variable("n", "1")


def test_a_malformed_step_ends_the_session_where_it_was() -> None:
    session = Session(predicted_from(traced("count"), malformed_at=6))
    stop = session.continue_()
    assert (stop.kind, stop.position) == (StopKind.MALFORMED, 5)
    assert stop.reason == "the model's step was malformed: no line follows"
    assert session.step_into() == stop
    assert session.step_back().position == 5


def test_only_what_is_looked_at_is_predicted() -> None:
    execution = predicted_from(traced("count"))
    session = Session(execution)
    assert execution.num_made == 1
    session.step_into()
    assert execution.num_made == 2
    session.run_to(4)
    assert execution.num_made == session.position + 1


def test_an_endless_prediction_stops_at_the_limit_and_goes_on() -> None:
    session = Session(endless(), max_steps=100)
    stop = session.continue_()
    assert (stop.kind, stop.position) == (StopKind.LIMIT, 100)
    assert "100 steps" in stop.reason
    assert session.continue_().position == 200
    session.breakpoints.add_line(4, "n == 150")
    assert session.continue_().kind is StopKind.LIMIT
    assert session.continue_().reason == "breakpoint 1, line 4"
    assert session.continue_back().kind is StopKind.LIMIT


def test_nothing_to_step_through_is_one_error() -> None:
    with pytest.raises(ConfigError, match="no step to show"):
        Session(RealExecution(without_steps(traced("count"))))
    with pytest.raises(ConfigError, match="no step to show") as caught:
        Session(predicted_from(traced("count"), malformed_at=0))
    assert caught.value.hint == "no line follows"
    with pytest.raises(ConfigError, match="max_steps"):
        Session(real("count"), max_steps=0)


MOVES = ["step_into", "step_over", "step_out", "step_back", "back_over", "back_out"]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(CALLS)), st.lists(st.sampled_from(MOVES), max_size=30))
def test_random_walks_keep_the_invariants(name: str, moves: list[str]) -> None:
    trace = traced(name)
    tree = StateTree(trace.steps)
    session = Session(RealExecution(trace))
    for move in moves:
        before, was_ended, origin = session.position, session.is_ended, session.step
        getattr(session, move)()
        now = session.step
        if was_ended:
            assert session.position == before
            continue
        if move == "step_into":
            assert session.position == (before if session.is_ended else before + 1)
            session.step_back()
            assert (session.position, session.is_ended) == (before, False)
            session.step_into()
        elif move == "step_over":
            assert session.is_ended or now.depth <= origin.depth
            assert (None if session.is_ended else session.position) == tree.over(before)
            if not session.is_ended and origin.kind is not StepKind.RETURN and now.depth == origin.depth:
                assert session.position in tree.level(before)
        elif move == "step_out":
            assert (None if session.is_ended else session.position) == tree.out(before)
            if not session.is_ended:
                assert now.kind is StepKind.RETURN
                if origin.kind is not StepKind.RETURN:
                    assert session.position == tree.level(before)[-1]
        elif move == "back_out" and origin.kind is not StepKind.CALL:
            assert session.position == tree.level(before)[0]
        else:
            assert session.position <= before


def test_state_tree_hangs_calls_below_the_line_that_made_them() -> None:
    trace = traced("recursion")
    tree = StateTree(trace.steps)
    calls = [index for index, step in enumerate(trace.steps) if step.kind is StepKind.CALL]
    assert [trace.steps[index].depth for index in calls] == [0, 1, 2, 3, 4, 2, 3]
    both_line = next(
        index for index, step in enumerate(trace.steps) if step.depth == 1 and step.kind is StepKind.LINE
    )
    assert tree.children(both_line) == [calls[2], calls[5]]
    assert tree.parent(calls[0]) is None
    assert tree.parent(calls[5] + 1) == both_line
    assert tree.level(0) == [0, 1, len(trace.steps) - 1]
    assert tree.into(0) == 1
    assert tree.into(len(trace.steps) - 1) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(-1, 4), st.sampled_from(["==", "<", ">=", "!="]), st.sampled_from([3, 4, 5]))
def test_conditional_breakpoints_stop_exactly_where_the_condition_holds(
    number: int, operator: str, lineno: int
) -> None:
    trace = traced("count")
    condition = f"n {operator} {number}"
    expected = [
        index
        for index, (step, stack) in enumerate(replay(trace))
        if step.kind is StepKind.LINE
        and step.lineno == lineno
        and eval(condition, {}, {"n": int(stack[-1].locals["n"])})  # noqa: S307 - the reference
    ]
    session = Session(RealExecution(trace))
    session.breakpoints.add_line(lineno, condition)
    found = []
    while session.continue_().kind is StopKind.BREAKPOINT:
        found.append(session.position)
    assert found == expected
