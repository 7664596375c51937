"""What a debugger is told and where each action ends: moves down the state tree of a run.

The one idea: a debugger is a decision process over the tree of steps, so that training data is a walk: draw
an action, look up where it ends, go on from there until the run is left. Text formats and token ids are views
of such a walk (:mod:`opencwm.codec.nd`, :mod:`opencwm.codec.native_moves`). Going backward is
:mod:`opencwm.traces.inverse_tree`.

The weights of the actions are published; how the line of a breakpoint was drawn is not: see
:data:`REACHED_GOALS`.

Source: "Towards a Neural Debugger for Python", arXiv 2603.09951.
"""

from __future__ import annotations

import dataclasses
import enum
import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from opencwm.traces.state_tree import StateTree
from opencwm.traces.trace import Status


class Action(enum.StrEnum):
    """What a debugger is told, going forward. The values are the names of the published format."""

    STEP_INTO = "step_into"
    """Go to the next step, in recorded order."""
    STEP_OVER = "step_over"
    """Go to the next step of this level; at its end one level up; never down."""
    STEP_RETURN = "step_return"
    """Go to the last step of this level: its return, or the exception that leaves it."""
    BREAKPOINT = "breakpoint"
    """Go to the first later step on a given line, at any level."""
    CONTINUE = "continue"
    """Go to the end of the run."""


class ExitState(enum.StrEnum):
    """How a run ended, where an action went past its last step."""

    NORMAL = "exit_normal"
    ERROR = "exit_error"
    NEVER = "exit_never"


_NEVER: Final = frozenset({Status.STEP_LIMIT, Status.BYTE_LIMIT, Status.TIMEOUT})


def exit_state(status: Status) -> ExitState:
    """Return the exit state of a run: ``exit_never`` where it was stopped for going on too long.

    Every other end that is no return is an error, also that of a run that was killed or broke its recording.
    """
    if status is Status.RETURNED:
        return ExitState.NORMAL
    return ExitState.NEVER if status in _NEVER else ExitState.ERROR


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """One action and where it ended.

    Attributes:
        action: what was told.
        target: index of the step it ended at; None when the run was left, or its record ended, first.
        goal: the 1-based line of a breakpoint; None for other actions.
    """

    action: Action
    target: int | None
    goal: int | None = None


ActionWeights = Mapping[Action, float]
"""How often an action is drawn, relative to the others."""

DEBUGGING: Final[ActionWeights] = MappingProxyType(
    {
        Action.STEP_INTO: 0.35,
        Action.STEP_OVER: 0.1,
        Action.STEP_RETURN: 0.2,
        Action.BREAKPOINT: 0.1,
        Action.CONTINUE: 0.05,
    }
)
"""The published weights of one half of the walks; they do not sum to 1: only their ratios count."""

STEPPING: Final[ActionWeights] = MappingProxyType({Action.STEP_INTO: 0.5, Action.STEP_OVER: 0.5})
"""The published weights of the other half."""

REACHED_GOALS: Final = 0.8
"""Fraction of breakpoints set on the line of a later step; the others may never be reached. Not published."""


def draw_weights(rng: random.Random) -> ActionWeights:
    """Return the weights for one walk: :data:`DEBUGGING` or :data:`STEPPING`, each half of the time."""
    return DEBUGGING if rng.random() < 0.5 else STEPPING


Told = tuple[Action, int | None]
"""An action, and the line of a breakpoint."""


def follow(tree: StateTree, told: Sequence[Told] = ()) -> list[Move]:
    """Walk from the first step by the actions told, then into every step; the last move has no target.

    Args:
        tree: of a run with at least one step.
        told: the first actions; those after one that leaves the run are not taken.
    """
    moves: list[Move] = []
    index: int | None = 0
    for action, goal in told:
        if index is None:
            break
        index = target_of(tree, index, action, goal)
        moves.append(Move(action, index, goal))
    while index is not None:
        index = tree.into(index)
        moves.append(Move(Action.STEP_INTO, index))
    return moves


def sample_trajectory(
    tree: StateTree, rng: random.Random, *, lines: Sequence[int], weights: ActionWeights | None = None
) -> list[Move]:
    """Walk from the first step by actions drawn until one leaves the run; the last move has no target.

    Args:
        tree: of a run with at least one step.
        rng: decides everything; equal states give equal walks.
        lines: where a breakpoint may be set, besides lines of later steps; with none there are only those.
        weights: of the actions; by default :func:`draw_weights`.
    """
    weights = draw_weights(rng) if weights is None else weights
    actions, shares = list(weights), list(weights.values())
    moves: list[Move] = []
    index: int | None = 0
    while index is not None:
        action = rng.choices(actions, shares)[0]
        goal = draw_goal(tree, index, rng, lines) if action is Action.BREAKPOINT else None
        if action is Action.BREAKPOINT and goal is None:
            action = Action.CONTINUE  # no line to stop at
        index = target_of(tree, index, action, goal)
        moves.append(Move(action, index, goal))
    return moves


def target_of(tree: StateTree, index: int, action: Action, goal: int | None = None) -> int | None:
    """Return where ``action`` from step ``index`` ends, or None when the run is left first.

    Args:
        tree: of the run.
        index: the step it starts from.
        action: what is told.
        goal: the line of a breakpoint.
    """
    if action is Action.STEP_INTO:
        return tree.into(index)
    if action is Action.STEP_OVER:
        return tree.over(index)
    if action is Action.STEP_RETURN:
        return tree.out(index)
    return tree.reach(index, goal) if goal is not None else None


def draw_goal(tree: StateTree, index: int, rng: random.Random, lines: Sequence[int]) -> int | None:
    """Return a line for a breakpoint told at step ``index``, as :data:`REACHED_GOALS` says; None for none.

    Args:
        tree: of the run.
        index: the step it is told at.
        rng: decides.
        lines: of which one may also be drawn, whether it is reached or not.
    """
    if rng.random() < REACHED_GOALS or not lines:
        for _ in range(_TRIES):
            if index + 1 >= len(tree.steps):
                break
            step = tree.steps[rng.randrange(index + 1, len(tree.steps))]
            if tree.stops(step, step.lineno):
                return step.lineno
    return rng.choice(lines) if lines else None


_TRIES: Final = 8
"""How often a later step is drawn before giving up: few steps may be such that a breakpoint stops there."""
