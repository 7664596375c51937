"""Commands that ask a model: what an expression would be, and which state came before."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opencwm.debugger import display
from opencwm.debugger.asking import Answer
from opencwm.debugger.commands import CommandError, Commands, UsageError, marked
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate

if TYPE_CHECKING:
    from opencwm.debugger.questions import EarlierState


class AskingCommands(Commands):
    """Commands that ask a model."""

    def do_ask(self, rest: str) -> None:
        """``ask EXPRESSION``: as p; where that does not tell, the model predicts it; nothing is run."""
        if not rest:
            raise UsageError
        with self._watching(self.session):
            answer = self.session.ask(rest, self._level)
        self._write(answer_text(answer))

    def do_before(self, rest: str) -> None:
        """``before [NAME = VALUE, ...]``: which states the line that ran last turns into this one."""
        if self._model is None:
            raise CommandError("there is no model here to ask")
        from opencwm.debugger.questions import states_before_here

        texts = {name: value.text for name, value in self.session.locals.items()}
        changes = given_values(rest, texts)
        world, session = self._model(), self.session
        with self._watching(session):
            found = states_before_here(world, session, changes, is_cancelled=lambda: session.is_cancelled)
        for item in found:
            self._write(state_text(item))
        if not found:
            self._write("no state is proposed")


def given_values(text: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Read ``NAME = VALUE, ...``; values are pure expressions over variables.

    Args:
        text: what was written.
        texts: rendered values of the variables.

    Raises:
        UsageError: it is written otherwise.
        CommandError: a value is not known.
    """
    try:
        node = ast.parse(f"_({text})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError from None
    if not isinstance(node, ast.Call) or node.args or not isinstance(node.func, ast.Name):
        raise UsageError
    found = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise UsageError
        try:
            found[keyword.arg] = evaluate(ast.unparse(keyword.value), texts).text
        except (Undecided, ExpressionError) as error:
            raise CommandError(f"{keyword.arg} has no known value: {error}") from None
    return found


def answer_text(answer: Answer) -> str:
    """Return an answer with where it comes from and how sure it is."""
    return marked(f"{'raises ' if answer.has_raised else ''}{answer.text}", answer_mark(answer))


def answer_mark(answer: Answer) -> str:
    """Say where an answer comes from, in parentheses; empty where it follows from what was observed."""
    if answer.is_predicted:
        return f"(predicted {display.percent(answer.probability or 0.0)}, by the model)"
    if answer.probability is None:
        return ""
    return f"(from predicted values, the least sure {display.percent(answer.probability)})"


def state_text(item: EarlierState) -> str:
    """Return a state that may have come before, who proposed it, and whether it is predicted to lead here."""
    values = ", ".join(f"{name} = {text}" for name, text in item.locals.items()) or "any state"
    source = "worked out" if item.probability is None else f"proposed {display.percent(item.probability)}"
    forward = "is" if item.agrees else "is not"
    return marked(values, f"({source}; {forward} predicted to lead here)")
