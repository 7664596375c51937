"""Follow ``raise``, and what exceptions of the program hand on to those of Python that they derive from."""

from __future__ import annotations

import abc
import ast
from collections.abc import Mapping, Sequence

from opencwm.debugger.expectations import Made, Outcome, attributes_of
from opencwm.debugger.hooks import is_super, plain_name
from opencwm.debugger.plain_exceptions import raised_by
from opencwm.debugger.shown import own_class
from opencwm.debugger.sorting_follower import SortingFollower


class ExceptionFollower(SortingFollower):
    """What is known of exceptions that are made and raised."""

    outcome: Outcome
    _owner: str

    @abc.abstractmethod
    def _name(self, node: ast.Name) -> str | None:
        """Return how a name reads."""

    def _raise(self, node: ast.Raise) -> None:
        """Follow the statement."""
        texts = [self._value(part) for part in (node.exc, node.cause) if part is not None]
        exceptions = self._known.exceptions
        raised = [raised_by(text, exceptions.names, exceptions.plain) for text in texts]
        if self._calculates and raised and (len(raised) == 1 or raised[1] or texts[1] == "None"):
            self.outcome.raised = raised[0]
        self.outcome.is_told = self.outcome.is_pure = False
        self._changing.anything()

    def _initialized(
        self,
        node: ast.Call,
        receiver: str | None,
        args: Sequence[str | None],
        named: Mapping[str, str | None],
    ) -> str | None:
        """Follow ``super().__init__(...)``, or ``Exception.__init__(self, ...)``, of Python's own exceptions.

        Returns what it gives; None where it is another one.
        """
        function, exceptions, entries = node.func, self._known.exceptions, self._known.entries
        if not isinstance(function, ast.Attribute) or function.attr != "__init__" or named or entries is None:
            return None
        given = ast.Name("self", ast.Load())
        text, rest = self._name(given), args
        if not is_super(function.value):
            name = (receiver or "").removeprefix("<class '").removesuffix("'>")
            if (
                name not in exceptions.names - exceptions.lines.keys()
                or own_class(receiver or "")
                or not args
            ):
                return None
            given = ast.Name(plain_name(node.args[0]), ast.Load())
            text, rest = args[0], args[1:]
        elif not _is_of(function.value, self._owner) or not entries.is_last(
            self._owner, text or "", "__init__"
        ):
            return None
        if text is None or not exceptions.line_of(text):
            return None
        made = exceptions.made(text.partition("(")[0], rest)
        if made is None:
            return None
        return self._noted(given, text, ("None", Made(made, attributes=attributes_of(text))))


def _is_of(node: ast.expr, owner: str) -> bool:
    """Whether a call of ``super`` is of the class in whose body it stands."""
    assert isinstance(node, ast.Call)  # noqa: S101 - asked for by what has it
    return not node.args or plain_name(node.args[0]) == owner
