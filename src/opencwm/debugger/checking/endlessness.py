"""Whether a run that goes on will ever end, from its steps so far.

Certain is little: a ``while`` loop that comes back to its head with every variable as it was, and a function
that is entered with the arguments it is still busy with, never end, provided that nothing changes unseen. So
lines that read from what no variable shows (an iterator, a file, the clock) are not judged. A run that is
deep in one loop or one recursion is suspected.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
from collections.abc import Sequence

from opencwm.debugger.execution import FrameView
from opencwm.traces import Step, StepFlags, StepKind

_UNSEEN_WORDS = """next anext input random randint choice choices shuffle sample time perf_counter monotonic
now today read readline readlines recv send get_nowait urandom open"""
_UNSEEN = frozenset(_UNSEEN_WORDS.split())
MAX_ROUNDS = 40
"""A loop that has gone round so often without an end is suspected: inputs that are tried are small."""
MAX_DEPTH = 40
"""A function so deep within itself is suspected."""


class EndlessKind(enum.StrEnum):
    """Why a run seems to have no end."""

    LOOP = "endless_loop"
    RECURSION = "endless_recursion"


@dataclasses.dataclass(frozen=True, slots=True)
class Endless:
    """A reason to think that a run never ends.

    Attributes:
        kind: what goes on and on.
        lineno: of the loop, or of the function that calls itself.
        reason: in words.
        is_repetition: a state came again; otherwise it has gone on for long.
    """

    kind: EndlessKind
    lineno: int
    reason: str
    is_repetition: bool


class EndWatch:
    """Watches the steps of one run.

    Args:
        source: text of the program.
    """

    def __init__(self, source: str) -> None:
        self._loops: dict[int, ast.While] = {
            node.lineno: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.While)
        }
        self._states: list[dict[int, set[tuple[object, ...]]]] = []  # by activation, by line of a loop
        self._arguments: list[tuple[int, tuple[object, ...]]] = []  # of each activation
        self._rounds: list[dict[int, int]] = []

    def see(self, step: Step, stack: Sequence[FrameView]) -> Endless | None:
        """Take note of a step, at which ``stack`` is alive; say when it shows that there is no end."""
        depth = len(stack)
        is_new = step.kind is StepKind.CALL
        for kept in (self._states, self._arguments, self._rounds):
            del kept[depth - is_new :]
        while len(self._states) < depth:
            self._states.append({})
            self._rounds.append({})
            self._arguments.append((-1, ()))
        if is_new:
            return self._entered(step, stack)
        if step.kind is not StepKind.LINE:
            return None
        self._leave_loops(step.lineno)
        loop = self._loops.get(step.lineno)
        if loop is None:
            return None
        rounds = self._rounds[-1]
        rounds[step.lineno] = rounds.get(step.lineno, 0) + 1
        state = tuple(tuple((name, value.text) for name, value in frame.locals.items()) for frame in stack)
        seen = self._states[-1].setdefault(step.lineno, set())
        if state in seen and not _reads_unseen(loop):
            reason = f"the loop comes back to line {step.lineno} with every variable as it was"
            return Endless(EndlessKind.LOOP, step.lineno, reason, is_repetition=True)
        seen.add(state)
        if rounds[step.lineno] < MAX_ROUNDS:
            return None
        reason = f"the loop at line {step.lineno} is not over after {rounds[step.lineno]} rounds"
        return Endless(EndlessKind.LOOP, step.lineno, reason, is_repetition=False)

    def _entered(self, step: Step, stack: Sequence[FrameView]) -> Endless | None:
        arguments = tuple((name, value.text) for name, value in stack[-1].locals.items())
        known = (step.code, arguments)
        is_again = arguments and known in self._arguments[:-1] and not step.flags & StepFlags.RESUME
        self._arguments[-1] = known
        if is_again:
            reason = f"{stack[-1].function} is called with the arguments that it is still busy with"
            return Endless(EndlessKind.RECURSION, step.lineno, reason, is_repetition=True)
        depth = [code for code, _ in self._arguments].count(step.code)
        if depth < MAX_DEPTH:
            return None
        reason = f"{stack[-1].function} has called itself {depth} times without coming back"
        return Endless(EndlessKind.RECURSION, step.lineno, reason, is_repetition=False)

    def _leave_loops(self, lineno: int) -> None:
        """Forget the loops of the innermost activation that do not hold a line."""
        for start in list(self._states[-1]):
            loop = self._loops[start]
            if not loop.lineno <= lineno <= (loop.end_lineno or loop.lineno):
                del self._states[-1][start]
                self._rounds[-1].pop(start, None)


def _reads_unseen(loop: ast.While) -> bool:
    for node in ast.walk(loop):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _UNSEEN:
                return True
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
            return True
    return False
