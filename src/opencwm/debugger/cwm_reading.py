"""Steps of the ``cwm`` format, whose lines and depths were found, as steps of a run.

The one idea: the format leaves out what a reader can tell, and a debugger needs it. A step says how its
locals differ from those before; an activation that an exception leaves gets the return that says so; what
suspends and what resumes a generator is flagged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opencwm.codec.cwm_step import LocatedStep
from opencwm.codec.cwm_text import CARRIED
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Activation, Binding, CodeInfo, Step, StepFlags, StepKind, apply_step


class RunReader:
    """Makes the steps of one run.

    Args:
        control_flow: of the program.

    Attributes:
        codes: functions entered so far.
        stack: activations at the last step, outermost first; one that ended with it is still there.
        last: the last step; None at first.
    """

    def __init__(self, control_flow: ControlFlow) -> None:
        self._flow = control_flow
        self.codes: list[CodeInfo] = []
        self.stack: list[Activation] = []
        self.last: Step | None = None

    @property
    def live(self) -> Sequence[Activation]:
        """The activations that go on, outermost first."""
        ended = self.last is not None and self.last.kind is StepKind.RETURN
        return self.stack[:-1] if ended else self.stack

    def push(self, step: Step) -> None:
        """Go on to a step that was made for where the run stands."""
        apply_step(self.stack, step, tuple(self.codes))
        self.last = step

    def unwinding(self, depth: int) -> Step | None:
        """Return the step by which the innermost activation is left, if what follows has a lower depth.

        Args:
            depth: of the activation that what follows is in or, for a call, is called from.
        """
        live = self.live
        if len(live) - 1 <= depth:
            return None
        top = live[-1]
        return Step(StepKind.RETURN, top.code, top.lineno, len(live) - 1, flags=StepFlags.UNWIND)

    def step(self, located: LocatedStep) -> Step:
        """Return a step that was read, once nothing is to be unwound before it."""
        code = self._code(located)
        kind, lineno, depth = located.kind, located.lineno, located.depth
        if kind in (StepKind.RETURN, StepKind.EXCEPTION):
            return Step(kind, code, lineno, depth, value=located.value, flags=self._flags(located))
        now = {name: text for name, text in located.locals if text != CARRIED}  # said of a value never told
        flags = self._flags(located)
        if kind is StepKind.CALL:
            if not flags & StepFlags.RESUME and located.code is not None:
                lineno = located.code.firstlineno  # that of the first decorator, whichever was written
            return Step(kind, code, lineno, depth, self.ordered(code, now), flags=flags)
        live = self.live
        before = live[depth].locals if depth < len(live) else {}
        changed = {name: text for name, text in now.items() if before.get(name) != text}
        kept = dict(located.locals)
        deleted = tuple(name for name in before if name not in kept)
        return Step(kind, code, lineno, depth, self.ordered(code, changed), deleted)

    def _code(self, located: LocatedStep) -> int:
        live = self.live
        if located.code is None:
            if located.kind is not StepKind.CALL and located.depth < len(live):
                return live[located.depth].code
            info = CodeInfo("?", located.lineno, ())
        else:
            info = located.code
        if info not in self.codes:
            self.codes.append(info)
        return self.codes.index(info)

    def ordered(self, code: int, bindings: Mapping[str, str]) -> tuple[Binding, ...]:
        """Return values in the canonical order of a function's locals; names it does not have come last."""
        order = {name: place for place, name in enumerate(self.codes[code].local_names)}
        return tuple(sorted(bindings.items(), key=lambda item: order.get(item[0], len(order))))

    def _flags(self, located: LocatedStep) -> StepFlags:
        code = located.code
        graph = None if code is None else self._flow.get(code.qualname, code.firstlineno)
        if graph is None or not graph.is_generator:
            return StepFlags.NONE
        lineno = located.lineno
        if located.kind is StepKind.CALL:
            is_resumed = lineno in graph.lines and lineno != graph.firstlineno
            return StepFlags.RESUME if is_resumed else StepFlags.NONE
        if located.kind is not StepKind.RETURN or lineno not in graph.can_yield:
            return StepFlags.NONE
        is_fresh = self.last is not None and bool(self.last.flags & StepFlags.RESUME)
        return StepFlags.NONE if is_fresh and lineno in graph.can_return else StepFlags.YIELD
