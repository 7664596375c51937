"""Follow the special methods by which objects of a program are asked, and are put in words.

``len(x)`` and ``x + y`` enter methods of the classes of objects; ``str(x)``, ``print(x)`` and formatted
strings enter ``__str__`` or, where there is none, ``__repr__``. What those give is known of exceptions and of
objects that are made of fields.
"""

from __future__ import annotations

import abc
import ast
from collections.abc import Mapping, Sequence
from typing import Final

from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.exception_follower import ExceptionFollower
from opencwm.debugger.foreseeing.expectations import Expected, UnforeseenError
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.rendered import is_built_in, truth_of
from opencwm.debugger.foreseeing.shown import holds_shown

_ASKING: Final = {"len": "__len__", "abs": "__abs__", "hash": "__hash__"}
"""Built-in functions that give what a method of an object says."""
_WORDS: Final = frozenset({"str", "repr"})
_OF_PRINT: Final = frozenset({"sep", "end", "flush"})


class SpecialFollower(ExceptionFollower):
    """What is known of special methods."""

    @abc.abstractmethod
    def _made(self, call: CallSite, node: ast.Call) -> str | None:
        """Note a call; return its value when it entered a function that has returned."""

    def _special(self, name: str, receiver: str | None, args: tuple[str | None, ...] = ()) -> str | None:
        """Follow an operation on an object of the program, which a method of its class carries out."""
        entries, functions = self._known.entries, self._known.functions
        kinds = () if entries is None else entries.line_of(receiver or "")
        if not name or not kinds or entries is None or None in args:
            return None
        is_left_to_it = all(
            text is not None and (is_built_in(text) or entries.line_of(text)[:1] == kinds[:1])
            for text in args
        )
        call = CallSite(name, True, receiver, args, {})
        if not is_left_to_it or not functions.is_plain(entries.method(call)):
            return None
        value = self._made(call, ast.Call(ast.Name("", ast.Load()), [], []))
        if value == "NotImplemented":
            raise UnforeseenError
        return value

    def _truth_of(self, text: str | None) -> bool | None:
        """Follow what asks an object whether it is true; return whether it is, None where not known."""
        truth, entries = self._known.truth(text), self._known.entries
        line = entries.line_of(text or "") if truth is None and entries is not None else ()
        if not line or entries is None:
            return truth
        for name in ("__bool__", "__len__"):
            if entries.binds(line, name) is not False:
                value = self._special(name, text) or ""
                is_right = value in ("True", "False") if name == "__bool__" else value.isdecimal()
                return truth_of(value) if is_right else None
        return None if self._known.made_of_fields.tuple_of(text or "") else True

    def _compared(self, op: ast.cmpop, name: str, text: str | None, other: str | None) -> str | None:
        """Follow a comparison that a method carries out; return what it gives, None if not known."""
        entries = self._known.entries
        is_inverse = isinstance(op, ast.NotEq)
        if is_inverse and (
            entries is None or entries.binds(entries.line_of(text or ""), "__ne__") is not False
        ):
            return None
        truth = truth_of(self._special("__eq__" if is_inverse else name, text, (other,)))
        return None if truth is None else repr(truth is not is_inverse)

    def _contained(self, text: str | None, item: str | None, is_in: bool) -> str | None:
        """Follow ``item in x``, or ``not in``, of an object; return what it gives, None if not known."""
        truth = truth_of(self._special("__contains__", text, (item,)))
        return None if truth is None else repr(truth is is_in)

    def _in_words(self, name: str, text: str | None) -> str | None:
        """Follow a built-in function that asks a method of an object of the program."""
        if name in _WORDS:
            return self._worded(text, is_repr=name == "repr")
        value = self._special(_ASKING.get(name, ""), text)
        return (
            value if value is None or name != "hash" else self._known.calculated(Expected(f"hash({value})"))
        )

    def _worded(self, text: str | None, *, is_repr: bool) -> str | None:
        """Follow ``str`` or ``repr`` of an object; return what it gives, None where that is not known."""
        entries = self._known.entries
        if entries is None or text is None:
            return None
        words = None if self._known.disguises.may_change(text) else self._known.exceptions.words(text)
        if words is not None:
            return repr(text if is_repr else words)
        if self._known.made_of_fields.is_worded(text) and not self._known.disguises.may_change(text):
            return repr(text)
        is_own = not is_repr and entries.binds(entries.line_of(text), "__str__") is not False
        value = self._special("__str__" if is_own else "__repr__", text)
        return value if value and value[0] in "'\"" else None

    def _formatted_as(self, text: str | None, conversion: int, *, has_spec: bool) -> str | None:
        """Follow what a formatted string does with an object; return what it is replaced by, a string."""
        entries = self._known.entries
        if text is None or entries is None or conversion not in (-1, ord("r"), ord("s")):
            return None
        if conversion == -1 and (has_spec or entries.binds(entries.line_of(text), "__format__") is not False):
            return None
        return self._worded(text, is_repr=conversion == ord("r"))

    def _printed(self, args: Sequence[str | None], named: Mapping[str, str | None]) -> str | None:
        """Follow a call of ``print``; return ``None`` as it reads where it does nothing else."""
        if not self._known.prints_plainly or not named.keys() <= _OF_PRINT:
            return None
        for text in args:
            shown = text if _is_plain(text) else self._worded(text, is_repr=False)
            if shown is None or not _is_plain(shown):
                return None
        are_strings = all(
            text is not None and (text == "None" or text[0] in "'\"") for text in named.values()
        )
        return "None" if "flush" in named or are_strings else None


def _is_plain(text: str | None) -> bool:
    """Whether to print a value runs nothing of the program, and is sure to be possible."""
    try:
        return (
            text is not None and not holds_shown(known_value(text)) and text.isascii() and "\\u" not in text
        )
    except Undecided:
        return False
