"""The tree of steps: the steps of a call hang below the step of the caller that made it.

The one idea: depth and kind alone define what a debugger's moves mean. A *level* is the steps of one
activation, from its CALL to its RETURN; a suspended generator has one level per resumption. The parent of a
level is the last step of the activation one level up. The functions ``ends_...`` say so step by step, for
whoever does not have all steps yet; :class:`StateTree` says the same of a whole run.

Source: "Towards a Neural Debugger for Python", arXiv 2603.09951, section on the state tree.
"""

from __future__ import annotations

from collections.abc import Sequence

from opencwm.traces.trace import Step, StepKind


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
    """The levels of the steps of a run.

    Args:
        steps: in recorded order. RETURN steps flagged UNWIND may be left out, as the published formats do.
        is_complete: whether the run was recorded to its end; a level that is open at the end is then over.
        sources: text of each line, by line number less one. With it a breakpoint is on a text and stops at
            any step on a line that reads so; without it, on one line and stops where that is about to run.
    """

    def __init__(
        self, steps: Sequence[Step], *, is_complete: bool = False, sources: Sequence[str] | None = None
    ) -> None:
        self.steps = steps
        self._is_complete = is_complete
        self._sources = sources
        self._levels: list[list[int]] = []
        self._parents: list[int | None] = []  # of each level
        self._level_of: list[int] = []  # of each step
        self._places: list[int] = []  # of each step in its level
        open_levels: dict[int, int] = {}  # by depth, ascending
        for index, step in enumerate(steps):
            while open_levels and next(reversed(open_levels)) > step.depth:
                open_levels.popitem()
            if step.kind is StepKind.CALL or step.depth not in open_levels:
                caller = open_levels.get(step.depth - 1)
                self._parents.append(None if caller is None else self._levels[caller][-1])
                open_levels[step.depth] = len(self._levels)
                self._levels.append([])
            level = open_levels[step.depth]
            self._places.append(len(self._levels[level]))
            self._level_of.append(level)
            self._levels[level].append(index)
        self._open = set(open_levels.values())

    def parent(self, index: int) -> int | None:
        """Return the step of the caller below which step ``index`` hangs; None at the root."""
        return self._parents[self._level_of[index]]

    def level(self, index: int) -> list[int]:
        """Return the steps of the activation that step ``index`` belongs to, in order."""
        return list(self._levels[self._level_of[index]])

    def start(self, index: int) -> int:
        """Return the first step of the activation that step ``index`` belongs to."""
        return self._levels[self._level_of[index]][0]

    def children(self, index: int) -> list[int]:
        """Return the first steps of the calls that step ``index`` made, in order."""
        return [
            level[0] for level, parent in zip(self._levels, self._parents, strict=True) if parent == index
        ]

    def into(self, index: int) -> int | None:
        """Return the next step in recorded order, or None at the end."""
        return index + 1 if index + 1 < len(self.steps) else None

    def over(self, index: int) -> int | None:
        """Return where a step-over from ``index`` ends, or None when the steps end first."""
        level, place = self._levels[self._level_of[index]], self._places[index] + 1
        if place < len(level):
            return level[place]
        depth = self.steps[index].depth
        return next(
            (other for other in range(index + 1, len(self.steps)) if self.steps[other].depth < depth), None
        )

    def out(self, index: int) -> int | None:
        """Return where a step-out from ``index`` ends, or None when the steps end first.

        It ends at the last RETURN or EXCEPTION of the level; from there, or past it, at that of the level
        above.
        """
        level: int | None = self._level_of[index]
        while level is not None:
            end = self._end(level)
            if end is None or end > index:
                return end
            parent = self._parents[level]
            level = None if parent is None else self._level_of[parent]
        return None

    def reach(self, index: int, goal: int) -> int | None:
        """Return the first later step that a breakpoint on line ``goal`` stops at, or None.

        Args:
            index: where to start from; that step itself does not count.
            goal: 1-based line number.
        """
        later = range(index + 1, len(self.steps))
        return next((other for other in later if self.stops(self.steps[other], goal)), None)

    def stops(self, step: Step, goal: int) -> bool:
        """Whether a breakpoint on line ``goal`` stops at ``step``."""
        if self._sources is None:
            return step.kind is StepKind.LINE and step.lineno == goal
        return self._sources[step.lineno - 1] == self._sources[goal - 1]

    def _end(self, level: int) -> int | None:
        """Return the step that a level ends with; None when its end was not recorded."""
        steps = self._levels[level]
        if (
            level in self._open
            and not self._is_complete
            and self.steps[steps[-1]].kind is not StepKind.RETURN
        ):
            return None
        ends = (StepKind.RETURN, StepKind.EXCEPTION)
        return next((other for other in reversed(steps) if self.steps[other].kind in ends), -1)
