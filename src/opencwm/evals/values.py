"""Rendered values as text: what kind they are, and whether two of them are the same value.

Nothing is evaluated but literals. Equality is Python's, except that types count: ``1``, ``True`` and ``1.0``
differ, at any depth. Text that is no literal (``Counter({'a': 1})``, ``<class 'int'>``) is compared as an
expression if it is one, otherwise as text with runs of white space made equal.
"""

from __future__ import annotations

import ast
import enum
import re
import warnings
from collections.abc import Hashable
from typing import Any


class ValueKind(enum.StrEnum):
    """What a rendered value looks like."""

    STRING = "string"  # str and bytes
    NUMBER = "number"  # int, float, complex
    CONTAINER = "container"  # list, tuple, dict, set and what wraps them
    OTHER = "other"  # bool, None, objects


_STRING = re.compile(r"[bBrRuU]{0,2}['\"]")
_NUMBER = re.compile(r"-?\(?-?(\d|inf\b|nan\b|\.\d)")
_CONTAINER = re.compile(
    r"[\[{(]|(set|frozenset|deque|defaultdict|OrderedDict|Counter|bytearray|dict|list|tuple|range)\("
)


def value_kind(text: str) -> ValueKind:
    """Tell the kind of a value from how its rendering starts: one cut by the tracer's bounds has one too."""
    if _STRING.match(text):
        return ValueKind.STRING
    if _NUMBER.match(text) and not ("," in text and text.startswith("(")):
        return ValueKind.NUMBER
    return ValueKind.CONTAINER if _CONTAINER.match(text) else ValueKind.OTHER


def is_same_value(first: str, second: str) -> bool:
    """Whether two rendered values are the same value; see the module for what that means."""
    one, other = parse_literal(first), parse_literal(second)
    if one is not None or other is not None:
        return one == other
    return normalised(first) == normalised(second)


def parse_literal(text: str) -> Hashable | None:
    """Return a hashable form of a Python literal that tells types apart, or None when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" and the like are the value's business
            return _typed(ast.literal_eval(text.strip()))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _typed(value: Any) -> tuple[str, Hashable]:
    name = type(value).__name__
    if isinstance(value, list | tuple):
        return name, tuple(_typed(item) for item in value)
    if isinstance(value, set | frozenset):
        return name, frozenset(_typed(item) for item in value)
    if isinstance(value, dict):
        return name, frozenset((_typed(key), _typed(item)) for key, item in value.items())
    return name, value


def normalised(text: str) -> str:
    """Return the expression in ``text`` as its syntax tree, or, if it is none, text with single spaces."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.dump(ast.parse(text.strip(), mode="eval"))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return " ".join(text.split())
