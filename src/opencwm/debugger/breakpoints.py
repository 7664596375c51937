"""Breakpoints: where a session stops, under which condition, and how often it was there.

The one idea: whether a breakpoint is *hit* at a step, and which of its hits that is, depend on the steps
alone, not on the moves that led there. So going back stops where going forward would.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import ClassVar

from opencwm.core.errors import ConfigError
from opencwm.debugger.activations import (
    change_at,
    function_at,
    is_named,
    step_at,
)
from opencwm.debugger.exceptions import is_kind_of, raised_at, type_name, uncaught_at
from opencwm.debugger.execution import Execution
from opencwm.debugger.foreseeing.expressions import parsed
from opencwm.debugger.hit_condition import HitCondition
from opencwm.debugger.log_message import LogMessage
from opencwm.debugger.stops import StopKind
from opencwm.traces import StepFlags, StepKind


@dataclasses.dataclass(frozen=True, slots=True)
class Happening:
    """That what a breakpoint waits for happens at a step.

    Attributes:
        what: in words, for example ``line 4``.
        made_at: the step to stop at going back: that of the line that made it happen.
    """

    what: str
    made_at: int


@dataclasses.dataclass(kw_only=True, eq=False)
class Breakpoint:
    """What all breakpoints share.

    Attributes:
        number: from 1, never used again in a session.
        condition: expression over the locals of the activation; None for always. One that cannot be decided
            counts as true, and the stop says so.
        hit_condition: which hits stop; None for all. Hits are counted from the first step of the execution.
        log_message: what is logged instead of stopping; None for a breakpoint that stops.
        is_temporary: removed when it stops.
        is_enabled: whether it stops at all.
        ignore_count: how many more times it lets pass going forward.
        num_hits: number of the last hit that was met, from the first step of the execution; 0 before any.
    """

    kind: ClassVar[str] = "breakpoint"
    stop_kind: ClassVar[StopKind] = StopKind.BREAKPOINT

    number: int = 0
    condition: str | None = None
    hit_condition: HitCondition | None = None
    log_message: LogMessage | None = None
    is_temporary: bool = False
    is_enabled: bool = True
    ignore_count: int = 0
    num_hits: int = 0

    def __post_init__(self) -> None:
        check_condition(self.condition)

    @property
    def place(self) -> str:
        """What it waits for, in words."""
        raise NotImplementedError

    def happens(self, execution: Execution, index: int) -> Happening | None:
        """Return whether what it waits for happens at step ``index``, whatever its condition says."""
        raise NotImplementedError

    def set_condition(self, condition: str | None) -> None:
        """Change the condition; None removes it.

        Raises:
            ConfigError: it is not an expression.
        """
        check_condition(condition)
        self.condition = condition


@dataclasses.dataclass(kw_only=True, eq=False)
class LineBreakpoint(Breakpoint):
    """Stops before a line runs.

    Attributes:
        lineno: 1-based line in ``Program.text``.
    """

    lineno: int

    @property
    def place(self) -> str:
        """What it waits for, in words."""
        return f"line {self.lineno}"

    def happens(self, execution: Execution, index: int) -> Happening | None:
        """Return whether the line is about to run at step ``index``."""
        step = step_at(execution, index)
        if step is None or step.kind is not StepKind.LINE or step.lineno != self.lineno:
            return None
        return Happening(self.place, index)


@dataclasses.dataclass(kw_only=True, eq=False)
class FunctionBreakpoint(Breakpoint):
    """Stops at the CALL of a function, where its arguments are bound.

    Attributes:
        name: qualified name, or its last parts: ``area`` and ``Shape.area`` both mean ``Shape.area``.
    """

    kind: ClassVar[str] = "function breakpoint"
    stop_kind: ClassVar[StopKind] = StopKind.FUNCTION_BREAKPOINT

    name: str

    @property
    def place(self) -> str:
        """What it waits for, in words."""
        return f"function {self.name}"

    def happens(self, execution: Execution, index: int) -> Happening | None:
        """Return whether the function is called at step ``index``; a generator that goes on is not."""
        step = step_at(execution, index)
        if step is None or step.kind is not StepKind.CALL or step.flags & StepFlags.RESUME:
            return None
        qualname = function_at(execution, index)
        return Happening(f"{qualname} called", index) if is_named(qualname, self.name) else None


class ExceptionMode(enum.StrEnum):
    """Which exceptions an exception breakpoint stops at."""

    RAISED = "raised"  # where one is raised, caught or not
    UNCAUGHT = "uncaught"  # where one is raised, or ran its last ``finally``, that leaves the program


@dataclasses.dataclass(kw_only=True, eq=False)
class ExceptionBreakpoint(Breakpoint):
    """Stops at exceptions.

    Attributes:
        mode: at which.
        types: names of exception types, of which it has to be one; empty for any.
    """

    kind: ClassVar[str] = "exception breakpoint"
    stop_kind: ClassVar[StopKind] = StopKind.EXCEPTION

    mode: ExceptionMode = ExceptionMode.RAISED
    types: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """What it waits for, in words."""
        return f"{' or '.join(self.types) or 'any exception'} {self.mode}"

    def happens(self, execution: Execution, index: int) -> Happening | None:
        """Return whether such an exception is raised at step ``index``, or leaves the program from there."""
        find = raised_at if self.mode is ExceptionMode.RAISED else uncaught_at
        rendered = find(execution, index)
        if rendered is None:
            return None
        name, text = type_name(rendered), execution.program.text
        if self.types and not any(is_kind_of(name, wanted, text) for wanted in self.types):
            return None
        return Happening(
            f"{rendered} {'raised' if self.mode is ExceptionMode.RAISED else 'is not caught'}", index
        )


@dataclasses.dataclass(kw_only=True, eq=False)
class DataBreakpoint(Breakpoint):
    """Stops where a variable changes: going forward after the change, going back at the line that made it.

    Attributes:
        variable: name of a local variable, or a part of one: ``self.total``.
        function: of the activations that are meant, named as in a function breakpoint; empty for all.
    """

    kind: ClassVar[str] = "data breakpoint"
    stop_kind: ClassVar[StopKind] = StopKind.DATA_BREAKPOINT

    variable: str
    function: str = ""

    @property
    def place(self) -> str:
        """What it waits for, in words."""
        return f"change of {self.variable}" + (f" in {self.function}" if self.function else "")

    def happens(self, execution: Execution, index: int) -> Happening | None:
        """Return whether the variable is seen changed at step ``index``."""
        change = change_at(execution, index, self.variable)
        if change is None:
            return None
        if self.function and not is_named(function_at(execution, index), self.function):
            return None
        return Happening(change.describe(self.variable), change.made_at)


def check_condition(condition: str | None) -> None:
    """Check that a condition is an expression.

    Raises:
        ConfigError: it is not.
    """
    if condition is None:
        return
    try:
        parsed(condition.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigError(f"not an expression: {condition!r}", hint=problem) from None
