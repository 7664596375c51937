"""One debugging session: a position in an execution, and the moves that change it.

The one idea: a real and a predicted execution are stepped by the same moves, which are defined on depth and
kind of steps alone (:mod:`opencwm.traces.state_tree`). A move reads as many steps as it needs and no more,
never more than ``max_steps``: a prediction need not end. It knows nothing of terminals and protocols.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator

from opencwm.core.errors import ConfigError
from opencwm.debugger.breakpoints import Breakpoint, Breakpoints
from opencwm.debugger.execution import Execution, FrameView, StepView, Value
from opencwm.debugger.expressions import ExpressionError, Result, Undecided, evaluate
from opencwm.traces import Program, Step, StepKind
from opencwm.traces.state_tree import ends_back_over, ends_out, ends_over


class StopKind(enum.StrEnum):
    """Why a move ended."""

    ENTRY = "entry"  # at the first step
    STEP = "step"  # where the move was to go
    BREAKPOINT = "breakpoint"
    GOAL = "goal"  # the line that was asked for
    ENDED = "ended"  # the program returned, raised, or its record ends
    MALFORMED = "malformed"  # the model wrote something that is no step
    LIMIT = "limit"  # the move took too many steps
    START = "start"  # going back, the first step was reached


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """Where a move ended.

    Attributes:
        kind: why, for programs.
        reason: why, in words, for example ``breakpoint 2, line 7``.
        position: the step the session is at now.
    """

    kind: StopKind
    reason: str
    position: int


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A value that a variable got.

    Attributes:
        position: the step at which it was first seen.
        lineno: the line that ran before that step in the same activation: the one that changed it.
        value: the new value; None when the variable was deleted.
    """

    position: int
    lineno: int
    value: Value | None


_Ends = Callable[[Step], bool]


class Session:
    """A position in an execution.

    Attributes:
        execution: what is stepped through; replaced when a variable is set.
        position: index of the current step.
        is_ended: whether the session is past its last step; ``position`` is then that of the last step.
        breakpoints: where forward moves stop on their way.
        max_steps: most steps one move may read, at least 1.
        last_stop: what the last move returned.

    Raises:
        ConfigError: the execution has no step at all.
    """

    def __init__(self, execution: Execution, *, max_steps: int = 10_000) -> None:
        if max_steps < 1:
            raise ConfigError(f"max_steps must be at least 1, not {max_steps}")
        first = execution.get(0)
        if first is None or first.malformed is not None:
            problem = first.malformed if first is not None and first.malformed else execution.status
            raise ConfigError("there is no step to show", where=execution.program.filename, hint=problem)
        self.execution = execution
        self.max_steps = max_steps
        self.position = 0
        self.is_ended = False
        self.breakpoints = Breakpoints()
        self.last_stop = Stop(StopKind.ENTRY, "entry", 0)

    # What is here

    @property
    def program(self) -> Program:
        """The program that is stepped through."""
        return self.execution.program

    @property
    def view(self) -> StepView:
        """The current step."""
        view = self.execution.get(self.position)
        if view is None:
            raise IndexError(f"no step {self.position}")
        return view

    @property
    def step(self) -> Step:
        """The current step's record."""
        return self.view.step

    @property
    def stack(self) -> list[FrameView]:
        """The live activations, outermost first; the last one is that of the current step."""
        return self.execution.stack_at(self.position)

    @property
    def locals(self) -> dict[str, Value]:
        """The local variables of the current activation."""
        return dict(self.stack[-1].locals)

    def evaluate(self, expression: str, level: int = -1) -> Result:
        """Evaluate a pure expression over the locals of activation ``level`` of :attr:`stack`.

        Raises:
            Undecided: it depends on what is not known.
            ExpressionError: it is not valid, not allowed, or raises.
        """
        return evaluate(expression, {name: value.text for name, value in self.stack[level].locals.items()})

    def history(self, name: str) -> list[Change]:
        """Return how a variable of the current activation changed up to now, oldest first."""
        found: list[Change] = []
        lineno = 0
        previous: str | None = None
        for index in self._own_steps():
            view = self.execution.get(index)
            if view is None:
                break
            step = view.step
            change = view.changes.get(name)
            if name in step.deleted:
                found.append(Change(index, lineno, None))
                previous = None
            elif change is not None and change.text != previous:
                found.append(Change(index, lineno or step.lineno, change))
                previous = change.text
            lineno = step.lineno
        return found

    def _own_steps(self) -> Iterator[int]:
        """Yield the steps of the current activation up to the position."""
        depth = self.step.depth
        own: list[int] = []
        for index in range(self.position, -1, -1):
            step = self._step(index)
            if step is None or step.depth < depth:
                break
            if step.depth == depth:
                own.append(index)
                if step.kind is StepKind.CALL:
                    break
        return reversed(own)

    # Forward moves

    def step_into(self) -> Stop:
        """Go to the next step, in recorded order."""
        return self._forward(lambda _: True, stops_at_breakpoints=False)

    def step_over(self) -> Stop:
        """Go to the next step of this level, or one level up when the level has ended; never down."""
        origin = self.step
        return self._forward(lambda step: ends_over(origin, step))

    def step_out(self) -> Stop:
        """Go to the RETURN of this level; from there to that of the level above."""
        origin = self.step
        return self._forward(lambda step: ends_out(origin, step))

    def continue_(self) -> Stop:
        """Go on to the next breakpoint, or to the end."""
        return self._forward(lambda _: False)

    def run_to(self, lineno: int) -> Stop:
        """Go on until ``lineno`` is about to run, at any level.

        Raises:
            ConfigError: the line holds no code of a function.
        """
        self.check_line(lineno)
        return self._forward(
            lambda step: step.kind is StepKind.LINE and step.lineno == lineno, StopKind.GOAL, f"line {lineno}"
        )

    def until(self, lineno: int | None = None) -> Stop:
        """Go on until a line of this level not before ``lineno`` is about to run, or the level ends.

        Args:
            lineno: 1-based; by default the line after the current one, which leaves a loop.
        """
        origin = self.step
        first = origin.lineno + 1 if lineno is None else lineno
        return self._forward(
            lambda step: (
                step.depth < origin.depth
                or (
                    step.depth == origin.depth
                    and (step.kind is StepKind.RETURN or _is_line_from(step, first))
                )
            )
        )

    # Backward moves

    def step_back(self) -> Stop:
        """Go to the step before this one; from past the end to the last step."""
        return self._backward(lambda _: True)

    def back_over(self) -> Stop:
        """Go to the step of this level before this one; before its CALL to the step that made the call."""
        origin = self.step
        return self._backward(lambda step: ends_back_over(origin, step))

    def back_out(self) -> Stop:
        """Go back to the CALL of this level; from there to that of the level above."""
        origin = self.step
        depth = origin.depth - 1 if origin.kind is StepKind.CALL else origin.depth
        return self._backward(lambda step: step.depth <= depth and step.kind is StepKind.CALL)

    def continue_back(self) -> Stop:
        """Go back to the last breakpoint whose condition holds, or to the first step; no hit is counted."""
        return self._backward(lambda _: False, stops_at_breakpoints=True)

    def restart(self) -> Stop:
        """Go back to the first step. Breakpoints, their hit counts and variables that were set stay."""
        return self._moved(0, StopKind.ENTRY, "entry")

    # Changes

    def set_variable(self, name: str, expression: str) -> Stop:
        """Set a local of the current activation; steps after this one are dropped and predicted anew.

        Args:
            name: a local variable of the current function.
            expression: its new value, a pure expression over the locals.

        Raises:
            ConfigError: the execution cannot be changed, there is no such local, or the expression has no
                known value.
        """
        code = self.execution.codes[self.step.code]
        if self.is_ended or self.step.kind in (StepKind.RETURN, StepKind.EXCEPTION):
            raise ConfigError(f"cannot set {name} here", hint="variables can be set before a line runs")
        if name not in code.local_names:
            raise ConfigError(f"{name} is no local variable of {code.qualname}")
        try:
            text = self.evaluate(expression).text
        except (Undecided, ExpressionError) as error:
            raise ConfigError(f"{expression} has no known value", hint=str(error)) from None
        self.execution = self.execution.fork(self.position, {name: text})
        return self._moved(self.position, StopKind.STEP, f"{name} set to {text}")

    def add_breakpoint(
        self, lineno: int, condition: str | None = None, *, is_temporary: bool = False
    ) -> Breakpoint:
        """Add a breakpoint before a line.

        Raises:
            ConfigError: the line holds no code of a function, or the condition is not an expression.
        """
        self.check_line(lineno)
        return self.breakpoints.add(lineno, condition, is_temporary=is_temporary)

    def remove_breakpoint(self, number: int) -> Breakpoint:
        """Remove a breakpoint.

        Raises:
            ConfigError: there is no such breakpoint.
        """
        return self.breakpoints.remove(number)

    def check_line(self, lineno: int) -> None:
        """Check that a session can stop before a line.

        Raises:
            ConfigError: no function has code on it; the hint names the next line that has.
        """
        lines = {line for graph in self.execution.control_flow for line in graph.lines}
        if lineno not in lines:
            later = min((line for line in lines if line > lineno), default=None)
            hint = f"the next line that runs in a function is {later}" if later else ""
            raise ConfigError(f"no function has code on line {lineno}", hint=hint)

    # Machinery

    def _step(self, index: int) -> Step | None:
        view = self.execution.get(index)
        return None if view is None or view.malformed is not None else view.step

    def _moved(self, position: int, kind: StopKind, reason: str, *, is_ended: bool = False) -> Stop:
        self.position, self.is_ended = position, is_ended
        self.last_stop = Stop(kind, reason, position)
        return self.last_stop

    def _forward(
        self,
        ends: _Ends,
        kind: StopKind = StopKind.STEP,
        reason: str = "step",
        *,
        stops_at_breakpoints: bool = True,
    ) -> Stop:
        if self.is_ended:
            return self.last_stop
        for index in range(self.position + 1, self.position + 1 + self.max_steps):
            view = self.execution.get(index)
            if view is None:
                return self._moved(index - 1, StopKind.ENDED, self.execution.status, is_ended=True)
            if view.malformed is not None:
                text = f"the model's step was malformed: {view.malformed}"
                return self._moved(index - 1, StopKind.MALFORMED, text, is_ended=True)
            stopped_by = self._breakpoint(index, view.step) if stops_at_breakpoints else None
            if stopped_by is not None:
                return self._moved(index, StopKind.BREAKPOINT, stopped_by)
            if ends(view.step):
                return self._moved(index, kind, reason)
        return self._moved(index, StopKind.LIMIT, f"stopped after {self.max_steps} steps, not there yet")

    def _breakpoint(self, index: int, step: Step) -> str | None:
        if step.kind is not StepKind.LINE or not self.breakpoints.at(step.lineno):
            return None
        return self.breakpoints.reach(step.lineno, self._texts(index))

    def _texts(self, index: int) -> dict[str, str]:
        return {name: value.text for name, value in self.execution.stack_at(index)[-1].locals.items()}

    def _backward(self, ends: _Ends, *, stops_at_breakpoints: bool = False) -> Stop:
        if self.is_ended and not stops_at_breakpoints:
            return self._moved(self.position, StopKind.STEP, "step")
        first = max(0, self.position - self.max_steps)
        for index in range(self.position - 1, first - 1, -1):
            step = self._step(index)
            if step is None:
                break
            if stops_at_breakpoints and (stopped_by := self._passed(index, step)):
                return self._moved(index, StopKind.BREAKPOINT, stopped_by)
            if ends(step):
                return self._moved(index, StopKind.STEP, "step")
        if first > 0:
            return self._moved(first, StopKind.LIMIT, f"stopped after {self.max_steps} steps, not there yet")
        return self._moved(0, StopKind.START, "the first step")

    def _passed(self, index: int, step: Step) -> str | None:
        """Whether a breakpoint stops a backward move here; nothing is counted and nothing removed."""
        if step.kind is not StepKind.LINE:
            return None
        for item in self.breakpoints.at(step.lineno):
            try:
                if item.condition is None or evaluate(item.condition, self._texts(index)).value:
                    return f"breakpoint {item.number}, line {step.lineno}"
            except (Undecided, ExpressionError):
                return f"breakpoint {item.number}, line {step.lineno}, its condition cannot be decided"
        return None


def _is_line_from(step: Step, first: int) -> bool:
    return step.kind is StepKind.LINE and step.lineno >= first
