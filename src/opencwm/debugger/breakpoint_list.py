"""The breakpoints of one session, by number, and the checks that what is set makes sense.

Each ``add_...`` takes the same four options: ``condition``, an expression over the locals there, without
which it always stops; ``hit_condition``, which hits stop, for example ``>= 3``; ``log_message``, text with
``{expression}`` in it, to log instead of stopping; ``is_temporary``, to go when it stops.
"""

from __future__ import annotations

from collections.abc import Iterator

from opencwm.core.errors import ConfigError
from opencwm.debugger.activations import is_part, root_of
from opencwm.debugger.breakpoints import (
    Breakpoint,
    DataBreakpoint,
    ExceptionBreakpoint,
    ExceptionMode,
    FunctionBreakpoint,
    LineBreakpoint,
)
from opencwm.debugger.hit_condition import HitCondition
from opencwm.debugger.log_message import LogMessage
from opencwm.debugger.places import check_line, functions_named
from opencwm.source.cfg import ControlFlow


class Breakpoints:
    """The breakpoints of a program.

    Args:
        control_flow: of the program.
    """

    def __init__(self, control_flow: ControlFlow) -> None:
        self._control_flow = control_flow
        self._items: dict[int, Breakpoint] = {}
        self._last_number = 0

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Breakpoint:
        """Return breakpoint ``number``.

        Raises:
            ConfigError: there is none.
        """
        if number not in self._items:
            raise ConfigError(f"no breakpoint numbered {number}")
        return self._items[number]

    def add_line(
        self,
        lineno: int,
        condition: str | None = None,
        *,
        hit_condition: str | None = None,
        log_message: str | None = None,
        is_temporary: bool = False,
    ) -> LineBreakpoint:
        """Stop before a line, 1-based in ``Program.text``.

        Raises:
            ConfigError: the line holds no code of a function, or one of the texts makes no sense.
        """
        check_line(self._control_flow, lineno)
        item = LineBreakpoint(lineno=lineno, condition=condition, is_temporary=is_temporary)
        self._add(item, hit_condition, log_message)
        return item

    def add_function(
        self,
        name: str,
        condition: str | None = None,
        *,
        hit_condition: str | None = None,
        log_message: str | None = None,
        is_temporary: bool = False,
    ) -> FunctionBreakpoint:
        """Stop at the calls of a function, by its qualified name or the last parts of it.

        Raises:
            ConfigError: the program has no such function, or one of the texts makes no sense.
        """
        functions_named(self._control_flow, name)
        item = FunctionBreakpoint(name=name, condition=condition, is_temporary=is_temporary)
        self._add(item, hit_condition, log_message)
        return item

    def add_exception(
        self,
        mode: ExceptionMode | str = ExceptionMode.RAISED,
        types: tuple[str, ...] = (),
        condition: str | None = None,
        *,
        hit_condition: str | None = None,
        log_message: str | None = None,
        is_temporary: bool = False,
    ) -> ExceptionBreakpoint:
        """Stop at exceptions.

        Args:
            mode: ``raised`` or ``uncaught``.
            types: names of exception types; subclasses count, as far as the file and Python tell. Empty: any.
            condition: one of the options of every breakpoint.
            hit_condition: likewise.
            log_message: likewise.
            is_temporary: likewise.

        Raises:
            ConfigError: there is no such mode, a type is no name, or one of the texts makes no sense.
        """
        if mode not in tuple(ExceptionMode):
            raise ConfigError(f"no exception mode {mode!r}", hint=f"one of: {', '.join(ExceptionMode)}")
        wrong = next((name for name in types if not all(map(str.isidentifier, name.split(".")))), None)
        if wrong is not None:
            raise ConfigError(f"not the name of an exception type: {wrong!r}")
        item = ExceptionBreakpoint(
            mode=ExceptionMode(mode), types=types, condition=condition, is_temporary=is_temporary
        )
        self._add(item, hit_condition, log_message)
        return item

    def add_data(
        self,
        variable: str,
        function: str = "",
        condition: str | None = None,
        *,
        hit_condition: str | None = None,
        log_message: str | None = None,
        is_temporary: bool = False,
    ) -> DataBreakpoint:
        """Stop at changes of a local variable, or a part of one, of one function or of all that have it.

        Args:
            variable: its name, or a part: ``self.total``, ``row['a']``.
            function: the function; empty for all.
            condition: one of the options of every breakpoint.
            hit_condition: likewise.
            log_message: likewise.
            is_temporary: likewise.

        Raises:
            ConfigError: no such function has such a variable, or one of the texts makes no sense.
        """
        graphs = functions_named(self._control_flow, function) if function else self._control_flow
        if not is_part(variable):
            raise ConfigError(
                f"{variable!r} is neither a variable nor a part of one", hint="n, self.total, row['a']"
            )
        root = root_of(variable)
        if not any(root in graph.local_names for graph in graphs):
            raise ConfigError(f"{root} is no local variable of {function or 'any function'}")
        item = DataBreakpoint(
            variable=variable, function=function, condition=condition, is_temporary=is_temporary
        )
        self._add(item, hit_condition, log_message)
        return item

    def remove(self, number: int) -> Breakpoint:
        """Remove and return breakpoint ``number``.

        Raises:
            ConfigError: there is none.
        """
        found = self[number]
        del self._items[number]
        return found

    def clear(self) -> None:
        """Remove all."""
        self._items.clear()

    def _add(self, item: Breakpoint, hit_condition: str | None, log_message: str | None) -> None:
        """Keep a breakpoint and give it its number, unless its texts make no sense."""
        item.hit_condition = None if hit_condition is None else HitCondition.parse(hit_condition)
        item.log_message = None if log_message is None else LogMessage.parse(log_message)
        self._last_number += 1
        item.number = self._last_number
        self._items[item.number] = item
