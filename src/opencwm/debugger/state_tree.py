"""The tree of steps: the steps of a call hang below the step of the caller that made it.

The one idea: depth and kind alone define what a debugger's moves mean. A *level* is the steps of one
activation, from its CALL to its RETURN; a suspended generator has one level per resumption. The parent of a
level is the last step of the activation one level up.

Source: "Towards a Neural Debugger for Python", arXiv 2603.09951, section on the state tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opencwm.traces import Step, StepKind


def ends_over(origin: Step, later: Step) -> bool:
    """Whether a step-over from ``origin`` ends at ``later``, the first such step after it.

    It ends at the next step of the level; after the level's RETURN at the next step one level up; never
    further down.
    """
    if origin.kind is StepKind.RETURN:
        return later.depth < origin.depth
    return later.depth <= origin.depth


def ends_out(origin: Step, later: Step) -> bool:
    """Whether a step-out from ``origin`` ends at ``later``, the first such step after it.

    It ends at the RETURN of the level; from there at the RETURN of the level above. A level whose RETURN is
    missing, as can happen in a prediction, ends where a shallower step or another CALL at its depth follows.
    """
    depth = origin.depth - 1 if origin.kind is StepKind.RETURN else origin.depth
    if later.depth != depth:
        return later.depth < depth
    return later.kind is StepKind.RETURN or (
        later.kind is StepKind.CALL and origin.kind is not StepKind.RETURN
    )


def ends_back_over(origin: Step, earlier: Step) -> bool:
    """Whether a backward step-over from ``origin`` ends at ``earlier``, the last such step before it.

    It is the step of the level before ``origin``; before the level's CALL it is the step that made the call.
    """
    if origin.kind is StepKind.CALL:
        return earlier.depth < origin.depth
    return earlier.depth <= origin.depth


class StateTree:
    """The levels of a list of steps.

    Args:
        steps: in recorded order; may be incomplete at the end.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self._parents: list[int | None] = []
        self._level_starts: list[int] = []
        last_at: dict[int, int] = {}
        start_at: dict[int, int] = {}
        for index, step in enumerate(steps):
            if step.kind is StepKind.CALL or step.depth not in start_at:
                start_at[step.depth] = index
            for deeper in [depth for depth in last_at if depth > step.depth]:
                del last_at[deeper]
                start_at.pop(deeper, None)
            self._parents.append(last_at.get(step.depth - 1))
            self._level_starts.append(start_at[step.depth])
            last_at[step.depth] = index

    def parent(self, index: int) -> int | None:
        """Return the step of the caller below which step ``index`` hangs; None at the root."""
        return self._parents[self._level_starts[index]]

    def level(self, index: int) -> list[int]:
        """Return the steps of the activation that step ``index`` belongs to, in order."""
        start = self._level_starts[index]
        return [other for other, first in enumerate(self._level_starts) if first == start]

    def children(self, index: int) -> list[int]:
        """Return the CALL steps of the calls that step ``index`` made."""
        return [
            other
            for other, parent in enumerate(self._parents)
            if parent == index and self._level_starts[other] == other
        ]

    def into(self, index: int) -> int | None:
        """Return the next step in recorded order, or None at the end."""
        return index + 1 if index + 1 < len(self.steps) else None

    def over(self, index: int) -> int | None:
        """Return where a step-over from ``index`` ends, or None when the steps end first."""
        return self._first(index, ends_over)

    def out(self, index: int) -> int | None:
        """Return where a step-out from ``index`` ends, or None when the steps end first."""
        return self._first(index, ends_out)

    def _first(self, index: int, ends: Callable[[Step, Step], bool]) -> int | None:
        origin = self.steps[index]
        return next(
            (other for other in range(index + 1, len(self.steps)) if ends(origin, self.steps[other])), None
        )
