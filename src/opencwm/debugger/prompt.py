"""The pdb-like command interpreter, as a library: command lines in, lines of plain text out.

The one idea: each command is a method whose docstring is its help, and all it does is a call on the session.
Input and output are the caller's. It does not evaluate Python: ``p`` knows literals and pure operations only,
and ``ask`` has a model predict what they do not tell.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Final

from opencwm.core.errors import OpenCWMError
from opencwm.debugger.asking_commands import AskingCommands
from opencwm.debugger.breaking_commands import BreakingCommands
from opencwm.debugger.cancellation import CancelledError
from opencwm.debugger.commands import CommandError, UsageError
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided
from opencwm.debugger.looking_commands import LookingCommands
from opencwm.debugger.moving_commands import MovingCommands
from opencwm.debugger.verbs import VERBS, by_command

_NOT_REPEATED = frozenset({"restart", "set", "quit", "break", "tbreak", "log", "watch", "catch", "drop"})


_GROUPS: Final = {
    MovingCommands: "Move",
    LookingCommands: "Look",
    AskingCommands: "Ask the model",
    BreakingCommands: "Say where to stop",
}


class Prompt(MovingCommands, LookingCommands, AskingCommands, BreakingCommands):
    """Reads pdb's commands and drives a session.

    Attributes:
        prefix: what a terminal shows before the user types.
    """

    prefix = "(cwm) "

    _last_line = ""

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
        self._last_line = "" if verb is None else _repeated(verb.command, line)
        try:
            if verb is None:
                self._not_a_command(line, word)
                return False
            if verb.command != "list":
                self._next_listed = None
            return self._call(verb.command, rest)
        except (CommandError, CancelledError) as error:
            self._write(f"*** {error}")
        except Undecided as error:
            self._write(f"*** not known: {error}")
        except ExpressionError as error:
            self._write(f"*** {error}")
        except OpenCWMError as error:
            self._write(f"*** {error.what}" + (f" ({error.hint})" if error.hint else ""))
        return False

    def _call(self, command: str, rest: str) -> bool:
        """Do what a command says, and show its usage if it is given what it does not take."""
        usage = inspect.getdoc(getattr(self, f"do_{command}"))
        usage = (usage or "").partition("``: ")[0].removeprefix("``")
        takes_nothing = usage == usage.lower()
        if rest and takes_nothing:
            raise CommandError(f"usage: {usage}")
        try:
            return bool(getattr(self, f"do_{command}")(rest))
        except UsageError:
            raise CommandError(f"usage: {usage}") from None

    def _not_a_command(self, line: str, word: str) -> None:
        """Print an expression that begins with a variable, as pdb does."""
        if line.startswith("!"):
            self._call("p", line[1:].strip())
        elif word not in self._frame().locals:
            raise CommandError(f"unknown command: {line.split()[0]!r}; 'help' lists the commands")
        elif _is_assignment(line):
            raise CommandError(f"to set a variable: set {line}")
        else:
            self.do_p(line)

    def do_help(self, rest: str) -> None:
        """``h(elp) [COMMAND]``: list the commands, or explain one."""
        if not rest:
            heading = ""
            for command in dict.fromkeys(verb.command for verb in VERBS if verb.command):
                if (group := _group_of(command)) != heading:
                    heading = group
                    self._write(f"{heading}:")
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


def _group_of(command: str) -> str:
    """Return under which heading ``help`` lists a command."""
    return next((name for group, name in _GROUPS.items() if hasattr(group, f"do_{command}")), "Other")


def _repeated(command: str, line: str) -> str:
    """Return what an empty line does after this one."""
    if command in _NOT_REPEATED:
        return ""
    return command if command == "list" else line


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
