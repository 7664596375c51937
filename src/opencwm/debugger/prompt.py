"""The pdb-like command interpreter, as a library: command lines in, lines of plain text out.

The one idea: each command is a method whose docstring is its help, and all it does is a call on the session.
Input and output are the caller's. It does not evaluate Python: ``p`` knows literals and pure operations only.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping

from opencwm.core.errors import OpenCWMError
from opencwm.debugger import display
from opencwm.debugger.breakpoints import Breakpoint, LineBreakpoint
from opencwm.debugger.execution import FrameView, Value
from opencwm.debugger.expressions import ExpressionError, Undecided
from opencwm.debugger.session import Session
from opencwm.debugger.stops import Stop, StopKind
from opencwm.debugger.verbs import VERBS, by_command
from opencwm.source.cfg import CodeGraph

_QUIET_STOPS = frozenset({StopKind.ENTRY, StopKind.STEP, StopKind.GOAL})
_NOT_REPEATED = frozenset({"restart", "set", "quit", "break", "tbreak"})


class CommandError(Exception):
    """What was typed makes no sense; the message is shown after ``***``."""


class Prompt:
    """Reads pdb's commands and drives a session.

    Args:
        session: what is debugged.
        write: called with each line of output, without its line end.

    Attributes:
        prefix: what a terminal shows before the user types.
    """

    prefix = "(cwm) "

    def __init__(self, session: Session, write: Callable[[str], None]) -> None:
        self.session = session
        self._write = write
        self._level = -1
        self._last_line = ""
        self._next_listed: int | None = None

    # Running

    def show(self) -> None:
        """Write where the session is."""
        self._show_step()

    def run(self, read: Callable[[str], str | None]) -> None:
        """Show the first step, then execute what ``read`` returns until it returns None or a command quits.

        Args:
            read: called with :attr:`prefix`, returns one line without its end, or None when there is no more.
        """
        self.show()
        while (line := read(self.prefix)) is not None:
            if self.execute(line):
                return

    def run_commands(self, commands: str) -> bool:
        """Execute commands separated by ``;``, each echoed; return whether one of them quits.

        A ``;`` inside quotes or brackets separates nothing.
        """
        for line in split_commands(commands):
            self._write(f"{self.prefix}{line}")
            if self.execute(line):
                return True
        return False

    def execute(self, line: str) -> bool:
        """Execute one command line; an empty one repeats the last. Return whether it quits."""
        line = line.strip()
        if not line:
            line = self._last_line
        if not line:
            return False
        word, rest = _first_word(line)
        verb = by_command(word)
        repeatable = verb is not None and verb.command not in _NOT_REPEATED
        self._last_line = line if repeatable else ""
        try:
            if verb is None:
                self._not_a_command(line, word)
                return False
            if verb.command != "list":
                self._next_listed = None
            return bool(getattr(self, f"do_{verb.command}")(rest))
        except CommandError as error:
            self._write(f"*** {error}")
        except Undecided as error:
            self._write(f"*** not known: {error}")
        except ExpressionError as error:
            self._write(f"*** {error}")
        except OpenCWMError as error:
            self._write(f"*** {error.what}" + (f" ({error.hint})" if error.hint else ""))
        return False

    def _not_a_command(self, line: str, word: str) -> None:
        """Print an expression that begins with a variable, as pdb does."""
        if line.startswith("!"):
            self.do_p(line[1:].strip())
        elif word not in self._frame().locals:
            raise CommandError(f"unknown command: {line.split()[0]!r}; 'help' lists the commands")
        elif _is_assignment(line):
            raise CommandError(f"to set a variable: set {line}")
        else:
            self.do_p(line)

    # Moving

    def do_step(self, _: str) -> None:
        """``s(tep)``: go to the next step, into a call if the line makes one."""
        self._move(self.session.step_into)

    def do_next(self, _: str) -> None:
        """``n(ext)``: go to the next step of this function, over calls; after its return, to the caller."""
        self._move(self.session.step_over)

    def do_return(self, _: str) -> None:
        """``r(eturn)``: go on until this function returns."""
        self._move(self.session.step_out)

    def do_continue(self, _: str) -> None:
        """``c(ontinue)``: go on to the next breakpoint or to the end."""
        self._move(self.session.continue_)

    def do_until(self, rest: str) -> None:
        """``unt(il) [LINE]``: go on to a line after this one, or to LINE or later, in this function."""
        lineno = _number(rest) if rest else None
        self._move(lambda: self.session.until(lineno))

    def do_goto(self, rest: str) -> None:
        """``g(oto) LINE``: go on until LINE is about to run, in any function."""
        lineno = _number(rest)
        self._move(lambda: self.session.run_to(lineno))

    def do_rs(self, _: str) -> None:
        """``rs, back``: go back one step."""
        self._move(self.session.step_back)

    def do_rn(self, _: str) -> None:
        """``rn``: go back to the step before this one in this function, over calls."""
        self._move(self.session.back_over)

    def do_rr(self, _: str) -> None:
        """``rr``: go back to where this function was called."""
        self._move(self.session.back_out)

    def do_rc(self, _: str) -> None:
        """``rc``: go back to the last breakpoint, or to the first step."""
        self._move(self.session.continue_back)

    def do_restart(self, _: str) -> None:
        """``restart``: go back to the first step; breakpoints and set variables stay."""
        self._move(self.session.restart)

    def do_set(self, rest: str) -> None:
        """``set NAME = VALUE``: change a variable; what follows is predicted anew."""
        name, equals, expression = rest.partition("=")
        if not equals or not name.strip().isidentifier() or not expression.strip():
            raise CommandError("usage: set NAME = VALUE")

        self._move(lambda: self.session.set_variable(name.strip(), expression.strip()))

    def _move(self, move: Callable[[], Stop]) -> None:
        was_ended = self.session.is_ended
        stop = move()
        self._level = -1
        if was_ended and self.session.is_ended:
            raise CommandError(f"the end: {stop.reason}; 'back' and 'restart' go back")
        if stop.kind in (StopKind.ENDED, StopKind.MALFORMED):
            self._write(f"--End-- {stop.reason}")
            self._show_real_end(stop)
            return
        if stop.kind not in _QUIET_STOPS:
            self._write(f"[{stop.reason}]")
        self._show_step()

    def _show_real_end(self, stop: Stop) -> None:
        """Say how the real run goes on where the prediction ended, when that differs."""
        real = self.session.real
        if real is None or self.session.row is None:
            return
        following = real.get(stop.position + 1)
        if following is not None:
            self._write(f"    *** the real run goes on to line {following.step.lineno}")
        elif real.status != stop.reason:
            self._write(f"    *** the real run: {real.status}")

    def _show_step(self) -> None:
        for line in display.step_lines(self.session.execution, self.session.position, self.session.row):
            self._write(line)

    # Looking

    def do_p(self, rest: str) -> None:
        """``p EXPRESSION``: print the value of a pure expression over the current variables."""
        self._print(rest, self._write)

    def do_pp(self, rest: str) -> None:
        """``pp EXPRESSION``: print a value over several lines."""
        import pprint

        def write_pretty(text: str) -> None:
            value, gap, suffix = text.partition("  (")
            try:
                pretty = pprint.pformat(ast.literal_eval(value), width=100, sort_dicts=False)
            except (ValueError, SyntaxError):
                pretty = value
            for line in (pretty + gap + suffix).split("\n"):
                self._write(line)

        self._print(rest, write_pretty)

    def _print(self, rest: str, write: Callable[[str], None]) -> None:
        if not rest:
            raise CommandError("usage: p EXPRESSION")
        shown = self._frame().locals
        if rest in shown:
            write(_with_mark(shown[rest].text, display.mark(shown[rest])))
            return
        result = self.session.evaluate(rest, self._level)
        known = [shown[name].probability for name in result.names]
        sure = [probability for probability in known if probability is not None]
        suffix = f"(from predicted values, the least sure {display.percent(min(sure))})" if sure else ""
        write(_with_mark(result.text, suffix))

    def do_where(self, _: str) -> None:
        """``w(here)``: show the activations, the current one last; > marks the one looked at."""
        stack = self.session.stack
        for level, frame in enumerate(stack):
            is_current = level - len(stack) == self._level
            for line in display.frame_lines(self.session.program, frame, is_current=is_current):
                self._write(line)

    def do_up(self, rest: str) -> None:
        """``u(p) [COUNT]``: look at the caller."""
        self._look(-(_number(rest) if rest else 1))

    def do_down(self, rest: str) -> None:
        """``d(own) [COUNT]``: look at the called function again."""
        self._look(_number(rest) if rest else 1)

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
        if not rest.isidentifier():
            raise CommandError("usage: history NAME")
        changes = self.session.history(rest)
        if not changes:
            raise CommandError(f"{rest} has not changed in this function")
        for change in changes:
            text = "deleted" if change.value is None else display.assignment(rest, change.value)
            source = display.source_line(self.session.program, change.lineno)
            self._write(f"step {change.position:>4}  line {change.lineno:>4}  {text}    {source}")

    def do_conf(self, _: str) -> None:
        """``conf``: show how sure the prediction is of this step and of the way here."""
        view = self.session.view
        if view.control_probability is None:
            self._write("observed, not predicted")
            return
        self._write(f"this line follows: {display.percent(view.control_probability)}")
        for name, probability in view.probabilities.items():
            self._write(f"{name}: {display.percent(probability)}")
        if view.value_probability is not None:
            self._write(f"value: {display.percent(view.value_probability)}")
        position, least = min(self._confidences(), key=lambda item: item[1])
        self._write(f"least sure up to here: step {position}, {display.percent(least)}")

    def _confidences(self) -> Iterator[tuple[int, float]]:
        for index in range(self.session.position + 1):
            view = self.session.execution.get(index)
            if view is None:
                return
            product = 1.0 if view.control_probability is None else view.control_probability
            for probability in (*view.probabilities.values(), view.value_probability):
                product *= 1.0 if probability is None else probability
            yield index, product

    def do_list(self, rest: str) -> None:
        """``l(ist) [FIRST[, LAST]]``: show source around the current line; again: what follows."""
        current = self._frame().lineno
        if rest and rest != ".":
            first, _, last = rest.partition(",")
            numbers = display.lines_around(_number(first))
            if last:
                stop = _number(last)
                numbers = range(
                    _number(first), (stop if stop >= _number(first) else _number(first) + stop) + 1
                )
        elif self._next_listed is not None and not rest:
            numbers = range(self._next_listed, self._next_listed + len(display.lines_around(1)))
            if numbers.start > len(self.session.program.lines):
                raise CommandError("end of file")
        else:
            numbers = display.lines_around(current)
        self._next_listed = numbers.stop
        self._list(numbers)
        self._last_line = "list"

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

    def _frame(self) -> FrameView:
        return self.session.stack[self._level]

    def _graph(self, frame: FrameView) -> CodeGraph | None:
        code = self.session.execution.codes[frame.code]
        return self.session.execution.control_flow.get(code.qualname, code.firstlineno)

    # Breakpoints

    def do_break(self, rest: str) -> None:
        """``b(reak) [[FILE:]LINE | FUNCTION][, CONDITION]``: stop before a line; alone: list all."""
        if not rest:
            self._list_breakpoints()
            return
        self._add_breakpoint(rest, is_temporary=False)

    def do_tbreak(self, rest: str) -> None:
        """``tbreak [FILE:]LINE | FUNCTION[, CONDITION]``: stop before a line once."""
        if not rest:
            raise CommandError("usage: tbreak LINE[, CONDITION]")
        self._add_breakpoint(rest, is_temporary=True)

    def _add_breakpoint(self, rest: str, *, is_temporary: bool) -> None:
        place, comma, condition = rest.partition(",")
        if comma and not condition.strip():
            raise CommandError("a condition follows the comma")
        lineno = self._line_of(place.strip())
        added = self.session.breakpoints.add_line(
            lineno, condition.strip() or None, is_temporary=is_temporary
        )
        kind = "Temporary breakpoint" if is_temporary else "Breakpoint"
        self._write(f"{kind} {added.number} at {self.session.program.filename}:{lineno}")

    def _line_of(self, place: str) -> int:
        """Resolve ``[FILE:]LINE`` or a function's name."""
        _, _, number = place.rpartition(":")
        if number.strip().isdigit():
            return int(number)
        for graph in self.session.execution.control_flow:
            if graph.qualname == place or graph.qualname.rpartition(".")[2] == place:
                return min(graph.entry_lines, default=graph.firstlineno)
        raise CommandError(f"no line and no function: {place!r}")

    def _list_breakpoints(self) -> None:
        if not len(self.session.breakpoints):
            self._write("No breakpoints.")
        for item in self.session.breakpoints:
            self._write(_breakpoint_text(item, self.session.program.filename))

    def do_clear(self, rest: str) -> None:
        """``cl(ear) [NUMBER...]``: remove breakpoints; without arguments, all."""
        if not rest:
            self.session.breakpoints.clear()
            self._write("All breakpoints removed.")
        for number in _numbers(rest):
            removed = self.session.breakpoints.remove(number)
            self._write(f"Removed breakpoint {number} at {removed.place}")

    def do_enable(self, rest: str) -> None:
        """``enable NUMBER...``: make breakpoints stop again."""
        self._switch(rest, is_enabled=True)

    def do_disable(self, rest: str) -> None:
        """``disable NUMBER...``: keep breakpoints, but do not stop at them."""
        self._switch(rest, is_enabled=False)

    def _switch(self, rest: str, *, is_enabled: bool) -> None:
        numbers = _numbers(rest)
        if not numbers:
            raise CommandError("which breakpoints? give their numbers")
        for number in numbers:
            self.session.breakpoints[number].is_enabled = is_enabled
            self._write(f"{'Enabled' if is_enabled else 'Disabled'} breakpoint {number}")

    def do_condition(self, rest: str) -> None:
        """``condition NUMBER [EXPRESSION]``: stop only if the expression is true; without one, always."""
        number, _, expression = rest.partition(" ")
        item = self.session.breakpoints[_number(number)]
        item.set_condition(expression.strip() or None)
        self._write(
            f"Breakpoint {item.number} stops {'if ' + expression.strip() if expression.strip() else 'always'}"
        )

    def do_ignore(self, rest: str) -> None:
        """``ignore NUMBER [COUNT]``: let a breakpoint pass COUNT times."""
        numbers = _numbers(rest)
        if not 1 <= len(numbers) <= 2:
            raise CommandError("usage: ignore NUMBER [COUNT]")
        item = self.session.breakpoints[numbers[0]]
        item.ignore_count = numbers[1] if len(numbers) == 2 else 0
        self._write(f"Breakpoint {item.number} lets pass {item.ignore_count} times")

    # The rest

    def do_help(self, rest: str) -> None:
        """``h(elp) [COMMAND]``: list the commands, or explain one."""
        if not rest:
            for command in dict.fromkeys(verb.command for verb in VERBS):
                self._write("  " + self._help_of(command))
            self._write("An empty line repeats the last command.")
            return
        verb = by_command(rest)
        if verb is None:
            raise CommandError(f"no command {rest!r}")
        self._write(self._help_of(verb.command))

    def _help_of(self, command: str) -> str:
        return inspect.cleandoc(getattr(self, f"do_{command}").__doc__ or "").replace("``", "")

    def do_quit(self, _: str) -> bool:
        """``q(uit)``: leave."""
        return True


def split_commands(text: str) -> list[str]:
    """Split at each ``;`` that is neither quoted nor in brackets; parts are stripped, empty ones dropped."""
    parts = [""]
    quote = ""
    depth = 0
    escaped = False
    for character in text.replace("\n", ";"):
        if character == ";" and not quote and depth <= 0:
            parts.append("")
            continue
        parts[-1] += character
        if escaped or (character == "\\" and quote):
            escaped = not escaped
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
    return [part.strip() for part in parts if part.strip()]


def _first_word(line: str) -> tuple[str, str]:
    if line.startswith("?"):
        return "?", line[1:].strip()
    end = next(
        (index for index, character in enumerate(line) if not (character.isalnum() or character == "_")),
        len(line),
    )
    return line[:end], line[end:].strip()


def _is_assignment(line: str) -> bool:
    try:
        return isinstance(ast.parse(line).body[0], ast.Assign | ast.AugAssign)
    except (SyntaxError, ValueError, IndexError, RecursionError):
        return False


def _with_mark(text: str, suffix: str) -> str:
    return f"{text}  {suffix}" if suffix else text


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise CommandError(f"a number is wanted, not {text!r}") from None


def _numbers(text: str) -> list[int]:
    return [_number(part) for part in text.replace(",", " ").split()]


def _breakpoint_text(item: Breakpoint, filename: str) -> str:
    text = f"{item.number:>3} {'temporary' if item.is_temporary else 'keep':<9} "
    text += f"{'yes' if item.is_enabled else 'no':<3} at {filename}, {item.place}"
    if item.condition is not None:
        text += f", only if {item.condition}"
    if item.ignore_count:
        text += f", passes {item.ignore_count} times"
    return text + (f", reached {item.num_hits} times" if item.num_hits else "")
