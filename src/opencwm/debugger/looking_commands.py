"""Commands that look at a session: values, activations, history, confidence, source."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping

from opencwm.debugger import display
from opencwm.debugger.activations import is_part
from opencwm.debugger.asking import computed
from opencwm.debugger.asking_commands import answer_mark
from opencwm.debugger.breakpoints import LineBreakpoint
from opencwm.debugger.commands import CommandError, Commands, UsageError, marked, number, numbers
from opencwm.debugger.execution import Value
from opencwm.debugger.records import StepRecord

_NUM_BEFORE = 5
"""Steps that are shown on either side of the current one."""


class LookingCommands(Commands):
    """Commands that look at a session."""

    _next_listed: int | None = None

    def do_p(self, rest: str) -> None:
        """``p EXPRESSION``: print the value of a pure expression over the current variables."""
        self._write(marked(*self._value(rest)))

    def do_pp(self, rest: str) -> None:
        """``pp EXPRESSION``: print a value over several lines."""
        import pprint

        text, mark = self._value(rest)
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):  # else as it reads
            text = pprint.pformat(ast.literal_eval(text), width=100, sort_dicts=False)
        for line in marked(text, mark).split("\n"):
            self._write(line)

    def _value(self, rest: str) -> tuple[str, str]:
        """Return the text of an expression's value, and where it comes from."""
        if not rest:
            raise UsageError
        shown = self._frame().locals
        if rest in shown:
            return shown[rest].text, display.mark(shown[rest])
        answer = computed(rest, shown)
        return answer.text, answer_mark(answer)

    def do_where(self, _: str) -> None:
        """``w(here)``: show the activations, the current one last; > marks the one looked at."""
        stack = self.session.stack
        for level, frame in enumerate(stack):
            is_current = level - len(stack) == self._level
            for line in display.frame_lines(self.session.program, frame, is_current=is_current):
                self._write(line)

    def do_up(self, rest: str) -> None:
        """``u(p) [COUNT]``: look at the caller."""
        self._look(-(number(rest) if rest else 1))

    def do_down(self, rest: str) -> None:
        """``d(own) [COUNT]``: look at the called function again."""
        self._look(number(rest) if rest else 1)

    def _look(self, by: int) -> None:
        height = len(self.session.stack)
        wanted = max(-height, min(-1, self._level + by))
        if wanted == self._level:
            raise CommandError("newest frame" if by > 0 else "oldest frame")
        self._level = wanted
        for line in display.frame_lines(self.session.program, self._frame()):
            self._write(line)

    def do_locals(self, _: str) -> None:
        """``locals, v``: show the variables of this function."""
        self._show_values(self._frame().locals)

    def do_args(self, _: str) -> None:
        """``a(rgs)``: show the parameters of this function."""
        frame = self._frame()
        graph = self._graph(frame)
        params = graph.params if graph is not None else ()
        self._show_values({name: value for name, value in frame.locals.items() if name in params})

    def _show_values(self, values: Mapping[str, Value]) -> None:
        for name, value in values.items():
            self._write(display.assignment(name, value))

    def do_history(self, rest: str) -> None:
        """``history NAME``: show how a variable of this function changed, and by which lines."""
        if not is_part(rest):
            raise UsageError
        changes = self.session.history(rest)
        if not changes:
            raise CommandError(f"{rest} has not changed in this function")
        for change in changes:
            text = "deleted" if change.value is None else display.assignment(rest, change.value)
            source = "" if change.is_set else display.source_line(self.session.program, change.lineno)
            place = "set by hand" if change.is_set else f"line {change.lineno:>4}"
            self._write(f"step {change.position:>4}  {place}  {text}    {source}".rstrip())

    def do_confidence(self, _: str) -> None:
        """``conf(idence)``: show how sure the prediction is of this step and of the way here."""
        view = self.session.view
        if view.control_probability is None:
            self._write("observed, not predicted")
            return
        self._write(f"this line follows: {display.percent(view.control_probability)}")
        for name, probability in view.probabilities.items():
            self._write(f"{name}: {display.percent(probability)}")
        if view.value_probability is not None:
            self._write(f"value: {display.percent(view.value_probability)}")
        known = self.session.records(0, self.session.position + 1)
        least = min(known, key=_sureness)
        self._write(f"least sure up to here: step {least.position}, {display.percent(_sureness(least))}")

    def do_trail(self, rest: str) -> None:
        """``trail [FIRST[, LAST]]``: show known steps in short, by default those around this one."""
        bounds = numbers(rest)
        here = self.session.position
        first = bounds[0] if bounds else here - _NUM_BEFORE
        last = bounds[1] if len(bounds) > 1 else first + 2 * _NUM_BEFORE
        for item in self.session.records(max(first, 0), last + 1):
            self._write(display.record_line(item, is_current=item.position == here))

    def do_occurrences(self, rest: str) -> None:
        """``occ(urrences) LINE``: show the known steps at which LINE is about to run."""
        found = self.session.occurrences(number(rest))
        self._write(", ".join(f"step {position}" for position in found) or "none that is known")

    def do_list(self, rest: str) -> None:
        """``l(ist) [FIRST[, LAST]]``: show source around the current line; again: what follows."""
        current = self._frame().lineno
        if rest and rest != ".":
            first, _, last = rest.partition(",")
            if number(first) > len(self.session.program.lines):
                raise CommandError(f"the file has {len(self.session.program.lines)} lines")
            numbers = display.lines_around(number(first))
            if last:
                stop = number(last)
                numbers = range(number(first), (stop if stop >= number(first) else number(first) + stop) + 1)
        elif self._next_listed is not None and not rest:
            numbers = range(self._next_listed, self._next_listed + len(display.lines_around(1)))
            if numbers.start > len(self.session.program.lines):
                raise CommandError("end of file")
        else:
            numbers = display.lines_around(current)
        self._next_listed = numbers.stop
        self._list(numbers)

    def do_longlist(self, _: str) -> None:
        """``longlist, ll``: show the source of this function."""
        frame = self._frame()
        graph = self._graph(frame)
        if graph is None:
            raise CommandError("the source of this function is not known")
        self._list(range(graph.firstlineno, max(graph.lines, default=graph.firstlineno) + 1))

    def _list(self, numbers: range) -> None:
        stops = {
            item.lineno
            for item in self.session.breakpoints
            if isinstance(item, LineBreakpoint) and item.is_enabled
        }
        current = self._frame().lineno
        for line in display.listing(self.session.program, numbers, current=current, breakpoints=stops):
            self._write(line)


def _sureness(item: StepRecord) -> float:
    return 1.0 if item.probability is None else item.probability
