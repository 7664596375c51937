"""Timelines: one execution, and those that branch off where a variable was set or a step steered by hand."""

from __future__ import annotations

import dataclasses

from opencwm.core.errors import ConfigError
from opencwm.debugger.execution import Execution
from opencwm.debugger.stops import Stop
from opencwm.traces import StepKind

MAX_TIMELINES = 50
"""Each may hold the memory of an engine."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fork:
    """What was set by hand, and where.

    Attributes:
        parent: number of the timeline that was left.
        position: the step, which both timelines have.
        lineno: its line.
        function: qualified name of the function it belongs to.
        name: the variable.
        text: its new value, rendered.
        previous: its value before, rendered; None when it had none.
    """

    parent: int
    position: int
    lineno: int
    function: str
    name: str
    text: str
    previous: str | None

    def __str__(self) -> str:
        was = "" if self.previous is None else f", was {self.previous}"
        return f"{self.name} = {self.text} set at step {self.position}, line {self.lineno}{was}"


@dataclasses.dataclass(frozen=True, slots=True)
class Steering:
    """What kind of step was asked for, and where.

    Attributes:
        parent: number of the timeline that was left.
        position: the last step that both timelines have.
        lineno: its line.
        function: qualified name of the function it belongs to.
        kind: of the step after it.
    """

    parent: int
    position: int
    lineno: int
    function: str
    kind: StepKind

    def __str__(self) -> str:
        return f"{self.kind} asked for after step {self.position}, line {self.lineno}"


@dataclasses.dataclass(slots=True)
class Timeline:
    """One way the program may go.

    Attributes:
        number: from 1, never used again in a session.
        execution: its steps.
        fork: how it came to be; None for the first.
        left_at: where the session was when it last left it.
    """

    number: int
    execution: Execution
    fork: Fork | Steering | None
    left_at: Stop

    def __str__(self) -> str:
        return "as it began" if self.fork is None else str(self.fork)


class Timelines:
    """The timelines of a session, by number; one is current."""

    def __init__(self, execution: Execution, entry: Stop) -> None:
        self._items = {1: Timeline(1, execution, None, entry)}
        self._last_number = 1
        self.current = self._items[1]

    def all(self) -> tuple[Timeline, ...]:
        """Return all, oldest first."""
        return tuple(self._items.values())

    def check_room(self) -> None:
        """Check that one more may be made.

        Raises:
            ConfigError: there are :data:`MAX_TIMELINES`.
        """
        if len(self._items) >= MAX_TIMELINES:
            raise ConfigError(f"there are {MAX_TIMELINES} timelines", hint="drop one, or begin anew")

    def add(self, execution: Execution, fork: Fork | Steering, stop: Stop) -> None:
        """Keep a new one and make it the current one."""
        self._last_number += 1
        self.current = Timeline(self._last_number, execution, fork, stop)
        self._items[self._last_number] = self.current

    def select(self, number: int) -> Timeline:
        """Make another the current one.

        Raises:
            ConfigError: there is none with this number.
        """
        if number not in self._items:
            raise ConfigError(f"no timeline numbered {number}", hint=f"there are: {self._numbers()}")
        self.current = self._items[number]
        return self.current

    def drop(self, number: int) -> Timeline:
        """Forget one that is not the current one; those that branched off it stay.

        Raises:
            ConfigError: there is none with this number, or it is the current one.
        """
        if number == self.current.number:
            raise ConfigError("the current timeline cannot be dropped", hint="select another first")
        if number not in self._items:
            raise ConfigError(f"no timeline numbered {number}", hint=f"there are: {self._numbers()}")
        return self._items.pop(number)

    def _numbers(self) -> str:
        return ", ".join(map(str, self._items))
