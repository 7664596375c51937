"""The state tree of a run seen backward: from how it ended to how it was called.

The one idea: a reversed run is a run. Its levels begin with a return and end with a call, so the moves of a
:class:`StateTree` mean backward what they mean forward: into is the step before, over stays on the level or
leaves it, and the end of a level is its call, where the arguments are. A line that made calls stands twice:
first with the steps of its callees, reversed, below it, and then where it has not run yet. A line that made
several calls is doubled once; all its callees hang below.

Source: "Towards a Neural Debugger for Python", arXiv 2603.09951, section on inverse execution. That the
calls of one line share one node is our choice: not published.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from opencwm.traces.state_tree import StateTree
from opencwm.traces.trace import Step, StepKind
from opencwm.traces.trajectory import DEBUGGING, STEPPING, Action, ActionWeights

INVERSE_DEBUGGING: Final[ActionWeights] = MappingProxyType(
    {action: DEBUGGING[action] for action in (Action.STEP_INTO, Action.STEP_OVER, Action.STEP_RETURN)}
)
"""The forward weights of the actions there are backward: the published ones name no others. Not published."""


def draw_inverse_weights(rng: random.Random) -> ActionWeights:
    """Return the weights for one walk: half of the time one, half of the time the other kind."""
    return INVERSE_DEBUGGING if rng.random() < 0.5 else STEPPING


@dataclasses.dataclass(frozen=True, slots=True)
class InverseStep:
    """One step of a reversed run.

    Attributes:
        index: the step it is, in the run.
        is_calling: whether it stands for the line whose callees come next (``inv_line_call``); the locals are
            those before the line ran either way.
    """

    index: int
    is_calling: bool = False


class InverseTree:
    """A reversed run and the moves through it.

    Args:
        steps: of the run, in recorded order; RETURN steps flagged UNWIND may be left out.
        entry: the reversed run is that of the activation this step belongs to, and of what it called.

    Attributes:
        items: the reversed run.
        tree: the moves through ``items``, by their positions: ``into``, ``over``, and ``out`` to the call.
    """

    def __init__(self, steps: Sequence[Step], *, entry: int = 0) -> None:
        forward = StateTree(steps, is_complete=True)
        first = forward.start(entry)
        later = range(first + 1, len(steps))
        end = next((index for index in later if _leaves(steps[first], steps[index])), len(steps))
        self.items: list[InverseStep] = []
        announced: set[int] = set()
        for index in reversed(range(first, end)):
            calling = []
            caller = forward.parent(index)
            while caller is not None and caller >= first and caller not in announced:
                calling.append(caller)
                announced.add(caller)
                caller = forward.parent(caller)
            self.items += [InverseStep(caller, is_calling=True) for caller in reversed(calling)]
            self.items.append(InverseStep(index))
        self.tree = StateTree(_as_run(steps, forward, self.items), is_complete=True)


def _leaves(first: Step, later: Step) -> bool:
    """Whether ``later`` is past the activation that ``first`` began."""
    return later.depth < first.depth or (later.depth == first.depth and later.kind is StepKind.CALL)


def _as_run(steps: Sequence[Step], forward: StateTree, items: Sequence[InverseStep]) -> list[Step]:
    """Return steps with the depths of ``items``; the first of each level is a CALL, the last a RETURN."""
    run: list[Step] = []
    begun: set[int] = set()
    for item in items:
        step, first = steps[item.index], forward.start(item.index)
        kind = StepKind.LINE
        if first not in begun:
            kind = StepKind.CALL
            begun.add(first)
        elif item.index == first and not item.is_calling:
            kind = StepKind.RETURN
        run.append(Step(kind, step.code, step.lineno, step.depth))
    return run
