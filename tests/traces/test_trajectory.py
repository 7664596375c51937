"""Walks through state trees: targets, exit states, weights."""

from __future__ import annotations

import collections
import random

import pytest
from tree_programs import PROGRAMS

from opencwm.tracer import record
from opencwm.traces import Action, ExitState, Move, Program, StateTree, Status, StepKind, Trace
from opencwm.traces.inverse import INVERSE_DEBUGGING, InverseTree, draw_inverse_weights
from opencwm.traces.trajectory import (
    DEBUGGING,
    STEPPING,
    draw_weights,
    exit_state,
    sample_trajectory,
    target_of,
)


def run_of(name: str) -> Trace:
    source, call = PROGRAMS[name]
    return record(Program.from_call(source, call))


def test_the_weights_are_the_published_ones() -> None:
    assert {str(action): weight for action, weight in DEBUGGING.items()} == {
        "step_into": 0.35,
        "step_over": 0.1,
        "step_return": 0.2,
        "breakpoint": 0.1,
        "continue": 0.05,
    }
    assert {str(action): weight for action, weight in STEPPING.items()} == {
        "step_into": 0.5,
        "step_over": 0.5,
    }
    assert Action.BREAKPOINT not in INVERSE_DEBUGGING
    assert Action.CONTINUE not in INVERSE_DEBUGGING


def test_weights_are_taken_relative_to_their_sum_and_half_of_the_walks_are_of_each_kind() -> None:
    rng = random.Random(0)
    drawn = collections.Counter(draw_weights(rng) is DEBUGGING for _ in range(2000))
    assert 900 < drawn[True] < 1100
    drawn = collections.Counter(draw_inverse_weights(rng) is INVERSE_DEBUGGING for _ in range(2000))
    assert 900 < drawn[True] < 1100
    tree = StateTree(run_of("recursion").steps)
    first = [sample_trajectory(tree, rng, lines=(1, 2), weights=DEBUGGING)[0].action for _ in range(8000)]
    for action, count in collections.Counter(first).items():
        assert count / 8000 == pytest.approx(DEBUGGING[action] / 0.8, abs=0.02)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.RETURNED, ExitState.NORMAL),
        (Status.RAISED, ExitState.ERROR),
        (Status.EXITED, ExitState.ERROR),
        (Status.KILLED, ExitState.ERROR),
        (Status.MEMORY, ExitState.ERROR),
        (Status.STEP_LIMIT, ExitState.NEVER),
        (Status.BYTE_LIMIT, ExitState.NEVER),
        (Status.TIMEOUT, ExitState.NEVER),
    ],
)
def test_exit_states(status: Status, expected: ExitState) -> None:
    assert exit_state(status) is expected
    assert set(map(exit_state, Status)) == set(ExitState)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_walk_is_made_of_moves_and_ends_where_the_run_is_left(name: str) -> None:
    trace = run_of(name)
    tree = StateTree(trace.steps)
    for seed in range(20):
        rng = random.Random(seed)
        moves = sample_trajectory(tree, rng, lines=(1, 2))
        assert moves == sample_trajectory(tree, random.Random(seed), lines=(1, 2))
        index = 0
        for move in moves:
            assert (move.goal is not None) == (move.action is Action.BREAKPOINT)
            assert target_of(tree, index, move.action, move.goal) == move.target
            assert move.target is None or move.target > index
            index = len(trace.steps) if move.target is None else move.target
        assert moves[-1].target is None


def test_most_breakpoints_are_on_lines_still_to_come_and_some_are_not() -> None:
    trace = run_of("module_of_several_functions")
    only: dict[Action, float] = {Action.BREAKPOINT: 1.0}
    tree = StateTree(trace.steps)
    firsts = [
        sample_trajectory(tree, random.Random(seed), lines=(1,), weights=only)[0] for seed in range(400)
    ]
    reached = [move for move in firsts if move.target is not None]
    assert 280 < len(reached) < 360  # four of five, and line 1 has no LINE step
    assert {move.goal for move in reached} == {
        step.lineno for step in trace.steps if step.kind is StepKind.LINE
    }
    assert all(move.goal == 1 for move in firsts if move.target is None)


def test_with_no_line_to_stop_at_a_breakpoint_is_running_on() -> None:
    only: dict[Action, float] = {Action.BREAKPOINT: 1.0}
    tree = StateTree(run_of("uncaught").steps[:1])
    moves = sample_trajectory(tree, random.Random(0), lines=(), weights=only)
    assert moves == [Move(Action.CONTINUE, None)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_backward_walks_go_back_to_the_call_of_the_entry(name: str) -> None:
    inverse = InverseTree(run_of(name).steps)
    for seed in range(20):
        rng = random.Random(seed)
        weights = draw_inverse_weights(rng)
        moves = sample_trajectory(inverse.tree, rng, lines=(), weights=weights)
        stops = [0, *(move.target for move in moves if move.target is not None)]
        assert stops == sorted(set(stops))
        assert inverse.items[stops[-1]].index == 0
        assert {move.action for move in moves} <= {
            Action.STEP_INTO,
            Action.STEP_OVER,
            Action.STEP_RETURN,
        }
