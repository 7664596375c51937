"""What lists and dictionaries are after an operation that changes them, from their rendered values.

Only literals, within bounds, and only where the result is certain; nothing of the program is run.
"""

from __future__ import annotations

import collections
import heapq
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate, known_value
from opencwm.debugger.foreseeing.pure_limits import sized
from opencwm.debugger.foreseeing.pure_operations import CHECKS, FAMILIES
from opencwm.debugger.foreseeing.pure_values import is_told, kind_of, text_of
from opencwm.debugger.foreseeing.rendered import MAX_CHARS

_METHODS: Final[dict[type, frozenset[str]]] = {
    list: frozenset({"append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse"}),
    dict: frozenset({"pop", "clear", "update", "setdefault"}),
    set: frozenset({"add", "discard", "remove", "clear", "update"}),
    **{kind: names for family in FAMILIES for kind, names in family.changing.items()},
}
_FUNCTIONS: Final = {
    function.__name__: function
    for function in (heapq.heapify, heapq.heappop, heapq.heappush, heapq.heappushpop, heapq.heapreplace)
}
CHANGING_FUNCTIONS: Final = frozenset(f"<built-in function {name}>" for name in _FUNCTIONS)
"""How functions read that change the list they are given."""

MOVING_METHODS: Final = frozenset({"append", "extend", "insert", "pop", "clear", "update", "setdefault"})
"""Those that only put items in or take them out, and compare no two of them."""


def after_method(
    receiver: str, method: str, args: Sequence[str | None], named: Mapping[str, str | None] | None = None
) -> tuple[str, str] | None:
    """Return what a method that changes its object returns, and the object afterwards.

    Returns None where that is not certain: another method, another type, an exception.
    """
    named = named or {}
    values = _values([receiver, *args, *named.values()])
    if any(receiver in text for text in (*args, *named.values()) if text):  # perhaps itself, or what holds it
        return None
    if values is None or method not in _METHODS.get(kind_of(values[0]), frozenset()):
        return None
    try:
        kind, given = kind_of(values[0]), values[1 : len(args) + 1]
        keywords = dict(zip(named, values[len(args) + 1 :], strict=True))
        if id(kind) in CHECKS:
            CHECKS[id(kind)](values[0], method, given, keywords)
        result = getattr(values[0], method)(*given, **keywords)
    except Exception:  # the program will raise it
        return None
    return _rendered(result, values[0])


def after_function(name: str, args: Sequence[str | None]) -> tuple[str, str] | None:
    """Return what a function of ``heapq`` returns, and its list afterwards; None if not certain."""
    values = _values(args)
    if name not in _FUNCTIONS or values is None or not isinstance(values[0], list):
        return None
    if any(args[0] in text for text in args[1:] if args[0] and text):
        return None
    try:
        result = _FUNCTIONS[name](*values)
    except Exception:  # the program will raise it
        return None
    return _rendered(result, values[0])


def after_store(container: str, key: str | None, value: str | None, symbol: str = "") -> str | None:
    """Return a container after ``container[key] = value``, or ``container[key] += value`` for a symbol."""
    if symbol and key is not None and value is not None:
        try:
            item = evaluate(f"({container})[{key}]", {}, with_objects=True).text
            value = evaluate(f"({item}) {symbol} ({value})", {}, with_objects=True).text
        except (ExpressionError, Undecided):
            return None
    values = _values([container, key, value])
    if values is None or (value and container in value) or kind_of(values[0]) not in _METHODS:
        return None
    try:
        values[0][values[1]] = values[2]
    except Exception:  # the program will raise it
        return None
    rendered = _rendered(None, values[0])
    return None if rendered is None else rendered[1]


def after_delete(container: str, key: str | None) -> str | None:
    """Return a container after ``del container[key]``; None where that is not certain."""
    values = _values([container, key])
    if values is None or kind_of(values[0]) not in _METHODS:
        return None
    try:
        del values[0][values[1]]
    except Exception:  # the program will raise it
        return None
    rendered = _rendered(None, values[0])
    return None if rendered is None else rendered[1]


def after_look(container: str, key: str | None) -> str | None:
    """Return a ``defaultdict`` after ``container[key]`` was read; None where that is not certain."""
    values = _values([container, key])
    if values is None or not isinstance(values[0], collections.defaultdict):
        return None
    try:
        values[0][values[1]]
    except Exception:  # the program will raise it
        return None
    rendered = _rendered(None, values[0])
    return None if rendered is None else rendered[1]


def _values(texts: Sequence[str | None]) -> list[Any] | None:
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    try:
        values = [sized(known_value(text)) for text in known]
    except (ExpressionError, Undecided):
        return None
    return values if all(map(is_told, values)) else None


def _rendered(result: object, changed: object) -> tuple[str, str] | None:
    try:
        texts = text_of(result), text_of(changed)
    except (Undecided, ValueError):
        return None
    return texts if max(map(len, texts)) <= MAX_CHARS else None
