"""What rendered values say about themselves: their truth, their items, their kind. Nothing is run."""

from __future__ import annotations

import ast
import collections
import re
from collections.abc import Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.pure_values import READERS, Iterated, Shown, kind_of

MAX_ITEMS: Final = 64
"""More items are not looked at."""

MAX_CHARS: Final = 400
"""A changed object that reads longer is left to the model, which has seen how the tracer cuts them."""

_FALSE: Final = frozenset(
    {"False", "None", "''", "[]", "()", "{}", "set()", "frozenset()", "b''", "range(0, 0)"}
)
_INDEXED: Final = ("'", '"', "b'", 'b"', "[", "(", "range(")
_VIEWS: Final = ("dict_keys(", "dict_values(", "dict_items(")
_ITERABLE: Final = ("{", "set()", "frozenset(", *_VIEWS)
_DICTS: Final = ("Counter(", "defaultdict(", "OrderedDict(")
_SHORT_CALLS: Final = frozenset({"len", "ord", "bool", "isinstance", "int", "any", "all", "callable"})
_LONGEST_NUMBER: Final = 24
_UNLIMITED: Final = 10**6
_TRUE: Final = ("<re.Match object; ", "<function ", "<built-in ", "<generator object ", "<module ", "<bound ")
"""What values begin with that are always true."""
_ANSWERED: Final = frozenset({"set", "range"})
_SOME: Final = 2
"""Items of a set whose order matters."""
READING_METHODS: Final = frozenset(
    {"get", "keys", "values", "items", "index", "count", "copy", "union", "intersection", "difference"}
    | {"issubset", "issuperset", "isdisjoint", "symmetric_difference"}
    | {"__contains__", "__getitem__", "__len__"}
)
"""Methods that do not change an object of a built-in type."""
_MOST_DOUBLINGS: Final = 64
_ATOM: Final = re.compile(r"""[-\d'"]|b['"]|(?:True|False|None|nan|inf)$""")
_FIXED: Final = re.compile(
    r"(?:Decimal|Fraction|range|slice)\([^()=]+\)|datetime\.\w+\([^()]*\)|re\.compile\(.*\)", re.DOTALL
)
"""Other values that nothing changes; objects of a class of that name show attributes, or nothing."""


class UnreadableError(Exception):
    """A rendered value does not tell what it is asked."""


def is_atom(text: str) -> bool:
    """Whether a rendered value is a number, a string or the like: nothing can change it in place."""
    return is_literal(text) or _FIXED.fullmatch(text) is not None


def is_literal(text: str) -> bool:
    """Whether a rendered value is a number, a string or a constant of the language itself."""
    return _ATOM.match(text) is not None


def is_built_in(text: str) -> bool:
    """Whether a rendered value is of a type of Python, or of its library, that shows all there is in it."""
    return text[0] in "[({" or is_atom(text) or (text.partition("(")[0] in READERS and text[-1] == ")")


def longest_value(node: ast.expr, text: str) -> int:
    """Return how many characters the value of an expression that reads as ``text`` may have, to be safe.

    Far too many where it may not be written at all, whatever its length.
    """
    if " object" in text:
        return _UNLIMITED
    if isinstance(node, ast.Compare):
        return len("False")
    if isinstance(node, ast.Subscript | ast.UnaryOp):
        return len(text)
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Pow | ast.LShift | ast.Mod | ast.Mult):
        return max(len(text), _LONGEST_NUMBER)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SHORT_CALLS:
        return _LONGEST_NUMBER
    return _UNLIMITED


def truth_of(text: str | None) -> bool | None:
    """Return the truth of a rendered value; None where it is not known."""
    if not text:
        return None
    if text in _FALSE:
        return False
    if text == "True" or text[0] in "'\"[({" or text[:2] in ("b'", 'b"'):
        return None if text.endswith(">") else True
    try:
        return float(text) != 0
    except ValueError:
        pass
    if text.startswith(_TRUE):
        return True
    name = text.partition("(")[0]
    if name not in READERS or name in _ANSWERED:
        return None
    try:
        value = known_value(text)
        return None if isinstance(value, Shown) else bool(value)
    except Undecided:
        return None


def items_of(text: str | None) -> Sequence[Any]:
    """Return what iterating over a rendered value gives.

    Raises:
        UnreadableError: that is not known.
    """
    if text is None:
        raise UnreadableError
    if text.startswith("range("):
        try:
            return range(*items_of(f"({text.removeprefix('range(')[:-1]},)"))[: MAX_ITEMS + 1]
        except (TypeError, ValueError, OverflowError):
            raise UnreadableError from None
    try:
        value = known_value(text)
        if isinstance(value, str | bytes | bytearray | list | tuple):
            return value
        if isinstance(value, dict | collections.deque | Iterated):
            return list(value)  # undecided for a counter: its text does not tell its order
        if kind_of(value) in (set, frozenset) and len(value) < _SOME:
            return list(value)
    except Undecided:
        pass
    raise UnreadableError


def is_iterator(text: str) -> bool:
    """Whether a rendered value may be, or go through, an iterator: to ask it for items may run anything."""
    return " object" in text or "<generator" in text


def is_read_plainly(container: str | None, key: str) -> bool:
    """Whether the tracer may report ``container[key]`` when an augmented assignment reads it."""
    if container is None:
        return True
    if container[0] == "[":
        return key.lstrip("-").isdigit()
    return (container[0] == "{" or container.startswith(_DICTS)) and is_literal(key)


def is_cheap(symbol: str, left: str, right: str) -> bool:
    """Whether the tracer reports an augmented assignment of two values before it is made."""
    if _is_number(left) and _is_number(right):
        if symbol in ("<<", "**") and not _is_small(right):
            return False
        return symbol != "@"
    kinds = _opening(left), _opening(right)
    if symbol == "+":
        return kinds[0] == kinds[1] != ""
    return symbol == "*" and kinds[0] == "'" and right.lstrip("-").isdigit()


def _is_number(text: str) -> bool:
    if text in ("True", "False"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_small(text: str) -> bool:
    return text in ("True", "False") or -_MOST_DOUBLINGS <= float(text) <= _MOST_DOUBLINGS


def _opening(text: str) -> str:
    return "'" if text[0] in "'\"" else text[0] if text[0] in "[(" else ""


def loop_text(text: str | None) -> str | None:
    """Return how the tracer writes what a ``for`` loop iterates over, None where the value does not tell."""
    if text is None:
        return None
    if text.startswith(_INDEXED):
        return text
    return f"list({text})" if text.startswith(_ITERABLE) else None
