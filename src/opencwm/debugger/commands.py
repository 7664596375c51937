"""What all of the prompt's commands stand on: a session, a place to write, and how arguments are read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from opencwm.debugger import display
from opencwm.debugger.execution import FrameView
from opencwm.debugger.session import Session
from opencwm.source.cfg import CodeGraph

if TYPE_CHECKING:
    from opencwm.debugger.world_model import WorldModel


class CommandError(Exception):
    """What was typed makes no sense; the message is shown after ``***``."""


class UsageError(CommandError):
    """A command was given what it does not take, or too little: its own usage is shown."""


class Commands:
    """A group of commands: each is a method ``do_WORD`` whose docstring is its help.

    Args:
        session: what is debugged.
        write: called with each line of output, without its line end.
        watching: surrounds what may take long; may make it cancellable and show how far it is. Nothing is
            written within.
        model: returns the model that is asked what came before; None where there is none to ask.
    """

    def __init__(
        self,
        session: Session,
        write: Callable[[str], None],
        *,
        watching: Callable[[Session], AbstractContextManager[None]] = Session.watched,
        model: Callable[[], WorldModel] | None = None,
    ) -> None:
        self.session = session
        self._write = write
        self._watching = watching
        self._model = model
        self._level = -1  # of the activation that is looked at, from the innermost

    def show(self) -> None:
        """Write where the session is."""
        for line in display.step_lines(self.session.execution, self.session.position, self.session.row):
            self._write(line)

    def _frame(self) -> FrameView:
        return self.session.stack[self._level]

    def _graph(self, frame: FrameView) -> CodeGraph | None:
        code = self.session.execution.codes[frame.code]
        return self.session.execution.control_flow.get(code.qualname, code.firstlineno)


def number(text: str) -> int:
    """Read a number.

    Raises:
        UsageError: there is no text.
        CommandError: it is no number.
    """
    if not text:
        raise UsageError
    try:
        return int(text)
    except ValueError:
        raise CommandError(f"a number is wanted, not {text!r}") from None


def numbers(text: str) -> list[int]:
    """Read numbers with spaces or commas between.

    Raises:
        CommandError: one is none.
    """
    return [number(part) for part in text.replace(",", " ").split()]


def marked(text: str, suffix: str) -> str:
    """Return a value's text with what is said about it behind."""
    return f"{text}  {suffix}" if suffix else text
