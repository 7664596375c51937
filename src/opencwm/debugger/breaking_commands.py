"""Commands that say where a session is to stop, at lines, calls, changes and exceptions, or only to log."""

from __future__ import annotations

from opencwm.debugger.breakpoints import Breakpoint, ExceptionMode, LineBreakpoint
from opencwm.debugger.commands import CommandError, Commands, UsageError, number, numbers
from opencwm.debugger.hit_condition import HitCondition


class BreakingCommands(Commands):
    """Commands that say where a session is to stop."""

    def do_break(self, rest: str) -> None:
        """``b(reak) [[FILE:]LINE | FUNCTION][, CONDITION]``: stop at a line or at calls; alone: list all."""
        if not rest:
            self._list_breakpoints()
            return
        self._break(rest, is_temporary=False)

    def do_tbreak(self, rest: str) -> None:
        """``tbreak [FILE:]LINE | FUNCTION[, CONDITION]``: stop before a line, or at a call, once."""
        if not rest:
            raise UsageError
        self._break(rest, is_temporary=True)

    def do_log(self, rest: str) -> None:
        """``log [FILE:]LINE | FUNCTION, MESSAGE``: write it there, with {EXPRESSION} in it, and go on."""
        place, comma, message = rest.partition(",")
        if not comma or not message.strip():
            raise UsageError
        self._announce(self._at(place.strip(), log_message=message.strip()))

    def do_watch(self, rest: str) -> None:
        """``watch NAME [in FUNCTION][, CONDITION]``: stop where it, or self.total, changes, both ways."""
        place, condition = _condition(rest)
        variable, _, function = place.partition(" in ")
        if not variable or (" in " in place and not function.strip()):
            raise UsageError
        self._announce(self.session.breakpoints.add_data(variable.strip(), function.strip(), condition))

    def do_catch(self, rest: str) -> None:
        """``catch [raised | uncaught] [TYPE...][, CONDITION]``: stop at exceptions, of these types."""
        place, condition = _condition(rest)
        words = place.split()
        mode = words.pop(0) if words and words[0] in tuple(ExceptionMode) else ExceptionMode.RAISED
        self._announce(self.session.breakpoints.add_exception(mode, tuple(words), condition))

    def _break(self, rest: str, *, is_temporary: bool) -> None:
        place, condition = _condition(rest)
        self._announce(self._at(place, condition, is_temporary=is_temporary))

    def _at(
        self,
        place: str,
        condition: str | None = None,
        *,
        log_message: str | None = None,
        is_temporary: bool = False,
    ) -> Breakpoint:
        """Add a breakpoint at ``[FILE:]LINE`` or at a function by its name."""
        breakpoints = self.session.breakpoints
        _, _, line = place.rpartition(":")
        if line.strip().isdecimal():
            return breakpoints.add_line(
                int(line), condition, log_message=log_message, is_temporary=is_temporary
            )
        return breakpoints.add_function(place, condition, log_message=log_message, is_temporary=is_temporary)

    def _announce(self, item: Breakpoint) -> None:
        kind = "Log point" if item.log_message is not None else item.kind.capitalize()
        kind = f"Temporary {kind.lower()}" if item.is_temporary else kind
        self._write(f"{kind} {item.number}{self._place(item)}")

    def _place(self, item: Breakpoint) -> str:
        if isinstance(item, LineBreakpoint):
            return f" at {self.session.program.filename}:{item.lineno}"
        return f" at {item.place}"

    def _list_breakpoints(self) -> None:
        if not len(self.session.breakpoints):
            self._write("No breakpoints.")
        for item in self.session.breakpoints:
            keep, enabled = "temporary" if item.is_temporary else "keep", "yes" if item.is_enabled else "no"
            self._write(f"{item.number:>3} {keep:<9} {enabled:<3}{self._place(item)}{_settings(item)}")

    def do_clear(self, rest: str) -> None:
        """``cl(ear) [NUMBER...]``: remove breakpoints; without arguments, all."""
        if not rest:
            self.session.breakpoints.clear()
            self._write("All breakpoints removed.")
        for which in numbers(rest):
            removed = self.session.breakpoints.remove(which)
            self._write(f"Removed breakpoint {which}{self._place(removed)}")

    def do_enable(self, rest: str) -> None:
        """``enable NUMBER...``: make breakpoints stop again."""
        self._switch(rest, is_enabled=True)

    def do_disable(self, rest: str) -> None:
        """``disable NUMBER...``: keep breakpoints, but do not stop at them."""
        self._switch(rest, is_enabled=False)

    def _switch(self, rest: str, *, is_enabled: bool) -> None:
        wanted = numbers(rest)
        if not wanted:
            raise UsageError
        for which in wanted:
            self.session.breakpoints[which].is_enabled = is_enabled
            self._write(f"{'Enabled' if is_enabled else 'Disabled'} breakpoint {which}")

    def do_condition(self, rest: str) -> None:
        """``condition NUMBER [EXPRESSION]``: stop only if the expression is true; without one, always."""
        which, _, expression = rest.partition(" ")
        item = self.session.breakpoints[number(which)]
        item.set_condition(expression.strip() or None)
        self._write(
            f"Breakpoint {item.number} stops {'if ' + expression.strip() if expression.strip() else 'always'}"
        )

    def do_hits(self, rest: str) -> None:
        """``hits NUMBER [WHICH]``: stop only at some of the hits: 5, >= 3, % 2; without them, at all."""
        which, _, condition = rest.partition(" ")
        item = self.session.breakpoints[number(which)]
        item.hit_condition = HitCondition.parse(condition) if condition.strip() else None
        self._write(f"Breakpoint {item.number} stops at {_hits(item.hit_condition)}")

    def do_ignore(self, rest: str) -> None:
        """``ignore NUMBER [COUNT]``: let a breakpoint pass COUNT times, going forward."""
        wanted = numbers(rest)
        if not 1 <= len(wanted) <= 2:
            raise UsageError
        item = self.session.breakpoints[wanted[0]]
        item.ignore_count = wanted[1] if len(wanted) == 2 else 0
        self._write(f"Breakpoint {item.number} lets pass {item.ignore_count} times")


def _condition(rest: str) -> tuple[str, str | None]:
    """Split ``PLACE, CONDITION``."""
    place, comma, condition = rest.partition(",")
    if comma and not condition.strip():
        raise CommandError("a condition follows the comma")
    return place.strip(), condition.strip() or None


def _settings(item: Breakpoint) -> str:
    text = f", only if {item.condition}" if item.condition is not None else ""
    if item.hit_condition is not None:
        text += f", at {_hits(item.hit_condition)}"
    if item.log_message is not None:
        text += f", logs {item.log_message}"
    if item.ignore_count:
        text += f", passes {item.ignore_count} times"
    return text + (f", last at hit {item.num_hits}" if item.num_hits else "")


def _hits(which: HitCondition | None) -> str:
    return "all hits" if which is None else f"hits {which}"
