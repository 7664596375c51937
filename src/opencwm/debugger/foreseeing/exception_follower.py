"""Follow ``raise``, and what classes of the program hand on to those of Python that they derive from."""

from __future__ import annotations

import abc
import ast
from collections.abc import Mapping, Sequence

from opencwm.debugger.foreseeing.expectations import Made, Outcome, attributes_of
from opencwm.debugger.foreseeing.hooks import is_super, plain_name, unhooked
from opencwm.debugger.foreseeing.plain_exceptions import raised_by
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.rendered import UnreadableError
from opencwm.debugger.foreseeing.shown import own_class
from opencwm.debugger.foreseeing.substitution_follower import SubstitutionFollower


class ExceptionFollower(SubstitutionFollower):
    """What is known of exceptions that are made and raised, and of named tuples that are made."""

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

    def _is_inherited(self, node: ast.expr, first: str = "self") -> bool:
        """Whether an expression is ``super()``, of the class in whose body it stands."""
        inner = unhooked(node)
        if not isinstance(inner, ast.Call) or not is_super(inner):
            return False
        return not inner.args or list(map(plain_name, inner.args)) == [self._owner, first]

    def _newly_made(
        self,
        node: ast.Call,
        receiver: str | None,
        args: Sequence[str | None],
        named: Mapping[str, str | None],
    ) -> str | None:
        """Follow ``super().__new__(cls, ...)``, or that of ``tuple``; return the named tuple it makes."""
        function, tuples = node.func, self._known.made_of_fields
        if not isinstance(function, ast.Attribute) or function.attr != "__new__" or None in args:
            return None
        is_own = bool(args) and self._owner in tuples.tuples and own_class(args[0] or "") == self._owner
        given = [text for text in args[1:] if text is not None]
        if not is_own or self._known.disguises.may_change(*given):
            return None
        if receiver == "<class 'tuple'>" and len(given) == 1 and not named:
            try:
                items = self._known.iterated(given[0])
            except UnreadableError:
                return None
            if not all(map(is_told, items)) or len(items) != len(tuples.fields[self._owner]):
                return None
            return tuples.constructed(self._owner, list(map(text_of, items)), {})
        keywords = {name: text for name, text in named.items() if text is not None}
        if len(keywords) < len(named) or not self._is_inherited(function.value, "cls"):
            return None
        return tuples.constructed(self._owner, given, keywords)

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
        if not self._is_inherited(function.value):
            name = (receiver or "").removeprefix("<class '").removesuffix("'>")
            if (
                name not in exceptions.names - exceptions.lines.keys()
                or own_class(receiver or "")
                or not args
            ):
                return None
            given = ast.Name(plain_name(node.args[0]), ast.Load())
            text, rest = args[0], args[1:]
        elif not entries.is_last(self._owner, text or "", "__init__"):
            return None
        if text is None or not exceptions.line_of(text):
            return None
        made = exceptions.made(text.partition("(")[0], rest)
        if made is None:
            return None
        return self._noted(given, text, ("None", Made(made, attributes=attributes_of(text))))
