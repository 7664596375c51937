"""The breakpoints a client has set, and how they stand in the session.

The one idea: a client sends a whole group at once, before or after there is a session, and is told what
became of each; when a session comes or is replaced, that is found anew and changes are announced.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence

from opencwm.core.errors import ConfigError
from opencwm.debugger.breakpoint_list import Breakpoints
from opencwm.debugger.breakpoints import Breakpoint, ExceptionMode
from opencwm.frontends.dap import arguments
from opencwm.frontends.dap.messages import Body
from opencwm.source.cfg import ControlFlow

Announce = Callable[[str, Body], None]
"""Sends an event."""

EXCEPTION_FILTERS: tuple[Body, ...] = tuple(
    {
        "filter": str(mode),
        "label": label,
        "description": description,
        "default": mode is ExceptionMode.UNCAUGHT,
        "supportsCondition": True,
        "conditionDescription": "names of exception types: KeyError, ValueError",
    }
    for mode, label, description in (
        (ExceptionMode.RAISED, "Raised exceptions", "stop where an exception is raised, caught or not"),
        (ExceptionMode.UNCAUGHT, "Uncaught exceptions", "stop where one is raised that leaves the program"),
    )
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One breakpoint as it was asked for.

    Attributes:
        identity: equal for breakpoints that are the same.
        add: adds it, given a line that it may be moved to; raises ConfigError where it makes no sense.
        lineno: 1-based, of a breakpoint on a line; 0 for others.
    """

    identity: Hashable
    add: Callable[[Breakpoints, int], Breakpoint]
    lineno: int = 0


@dataclasses.dataclass
class _Entry:
    wanted: Wanted
    id: int
    number: int | None = None  # in the session
    answer: Body = dataclasses.field(default_factory=dict)


class BreakpointTable:
    """All breakpoints of a client, in groups that are set at once.

    Args:
        announce: sends ``breakpoint`` events.
        line_out: a 1-based line as the client counts.
    """

    def __init__(self, announce: Announce, line_out: Callable[[int], int]) -> None:
        self._announce = announce
        self._line_out = line_out
        self._groups: dict[Hashable, list[_Entry]] = {}
        self._ids = itertools.count(1)

    def set(self, group: Hashable, wanted: Iterable[Wanted], target: Target) -> list[Body]:
        """Replace a group and return what became of each; those that stay the same keep their counts."""
        before = self._groups.get(group, [])
        now: list[_Entry] = []
        for item in wanted:
            same = next((entry for entry in before if entry.wanted.identity == item.identity), None)
            if same is not None:
                before.remove(same)
            now.append(same or _Entry(item, next(self._ids)))
        for entry in before:
            target.remove(entry.number)
        self._groups[group] = now
        for entry in now:
            if entry.number is None:
                self._place(entry, target)
        return [dict(entry.answer) for entry in now]

    def bind(self, target_of: Callable[[Hashable], Target]) -> None:
        """Place all in a new session, and announce which stand otherwise than was said before."""
        for group, entries in self._groups.items():
            for entry in entries:
                said = entry.answer
                self._place(entry, target_of(group))
                if entry.answer != said:
                    self._announce("breakpoint", {"reason": "changed", "breakpoint": dict(entry.answer)})

    def ids(self, numbers: Sequence[int]) -> list[int]:
        """Return the client's numbers of breakpoints of the session."""
        every = [entry for entries in self._groups.values() for entry in entries]
        return [entry.id for number in numbers for entry in every if entry.number == number]

    def _place(self, entry: _Entry, target: Target) -> None:
        entry.number, entry.answer = None, {"id": entry.id, "verified": False}
        if entry.wanted.lineno:
            entry.answer["line"] = self._line_out(entry.wanted.lineno)
        if target.problem:
            entry.answer["message"] = target.problem
            return
        lineno = target.moved(entry.wanted.lineno)
        try:
            entry.number = target.add(entry.wanted, lineno)
        except ConfigError as error:
            entry.answer["message"] = str(error)
            return
        entry.answer["verified"] = True
        if entry.wanted.lineno:
            entry.answer["line"] = self._line_out(lineno)


class Target:
    """What breakpoints are set in: a session's list, a file that is not launched yet, or nothing.

    Args:
        control_flow: of the program that they concern; None for nothing.
        breakpoints: those of the session; None to only check.
        num_lines: of the source; what is made from a launched call lies behind them.
        problem: why they cannot be set; empty when they can.
    """

    def __init__(
        self,
        control_flow: ControlFlow | None = None,
        breakpoints: Breakpoints | None = None,
        *,
        num_lines: int = 0,
        problem: str = "",
    ) -> None:
        self._control_flow = control_flow
        self._breakpoints = breakpoints
        self._num_lines = num_lines
        self.problem = problem if control_flow is not None or problem else "not known before the launch"

    def add(self, wanted: Wanted, lineno: int) -> int | None:
        """Set a breakpoint; return its number in the session, None when it was only checked.

        Raises:
            ConfigError: it makes no sense.
        """
        if lineno > self._num_lines:
            raise ConfigError(f"line {lineno} is outside the source, which has {self._num_lines} lines")
        if self._breakpoints is not None:
            return wanted.add(self._breakpoints, lineno).number
        if self._control_flow is not None:
            wanted.add(Breakpoints(self._control_flow), lineno)
        return None

    def remove(self, number: int | None) -> None:
        """Take a breakpoint out of the session, unless it is gone."""
        if self._breakpoints is not None and any(item.number == number for item in self._breakpoints):
            self._breakpoints.remove(number or 0)

    def moved(self, lineno: int) -> int:
        """Return the line a breakpoint goes to: from one without code to the next of the same function."""
        around = (graph for graph in self._control_flow or () if graph.firstlineno <= lineno)
        return min((line for graph in around for line in graph.lines if line >= lineno), default=lineno)

    def lines(self, first: int, last: int) -> list[int]:
        """Return the lines from ``first`` to ``last`` that a session can stop at."""
        last = min(last, self._num_lines)
        flow = self._control_flow or ()
        return sorted({line for graph in flow for line in graph.lines if first <= line <= last})


def line_breakpoints(wanted: arguments.SetBreakpoints, line_in: Callable[[int], int]) -> list[Wanted]:
    """Return the breakpoints of a ``setBreakpoints`` request."""
    items = wanted.breakpoints
    if items is None:
        items = tuple(arguments.SourceBreakpoint(line=line) for line in wanted.lines)
    return [_line_breakpoint(item, line_in(item.line)) for item in items]


def _line_breakpoint(item: arguments.SourceBreakpoint, lineno: int) -> Wanted:
    def add(breakpoints: Breakpoints, place: int) -> Breakpoint:
        return breakpoints.add_line(
            place,
            item.condition or None,
            hit_condition=item.hit_condition or None,
            log_message=item.log_message or None,
        )

    return Wanted(item, add, max(1, lineno))


def function_breakpoints(wanted: arguments.SetFunctionBreakpoints) -> list[Wanted]:
    """Return the breakpoints of a ``setFunctionBreakpoints`` request."""

    def made(item: arguments.FunctionBreakpoint) -> Wanted:
        return Wanted(
            item,
            lambda breakpoints, _: breakpoints.add_function(
                item.name, item.condition or None, hit_condition=item.hit_condition or None
            ),
        )

    return [made(item) for item in wanted.breakpoints]


def exception_breakpoints(wanted: arguments.SetExceptionBreakpoints) -> list[Wanted]:
    """Return the breakpoints of a ``setExceptionBreakpoints`` request, in the order of its answer."""
    plain = [arguments.ExceptionFilter(filter_id=name) for name in wanted.filters]

    def made(item: arguments.ExceptionFilter) -> Wanted:
        types = tuple(name.strip() for name in item.condition.split(",") if name.strip())
        return Wanted(item, lambda breakpoints, _: breakpoints.add_exception(item.filter_id, types))

    return [made(item) for item in (*plain, *wanted.filter_options)]


def data_breakpoints(wanted: arguments.SetDataBreakpoints) -> list[Wanted]:
    """Return the breakpoints of a ``setDataBreakpoints`` request."""

    def made(item: arguments.DataBreakpoint) -> Wanted:
        def add(breakpoints: Breakpoints, _lineno: int) -> Breakpoint:
            if item.access_type != "write":
                raise ConfigError(f"only writes are seen, not {item.access_type}")
            function, _colon, variable = item.data_id.partition(":")
            return breakpoints.add_data(
                variable, function, item.condition or None, hit_condition=item.hit_condition or None
            )

        return Wanted(item, add)

    return [made(item) for item in wanted.breakpoints]


def data_id(function: str, variable: str) -> str:
    """Return the name under which a client knows a variable of a function."""
    return f"{function}:{variable}"
