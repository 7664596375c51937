"""How large what is worked out may grow, and what is said of what is not worked out."""

from __future__ import annotations

import ast
import collections
import decimal
import fractions
import re
from typing import Any, Final

MAX_SIZE: Final = 100_000
"""Most characters or elements of a result."""
MAX_BITS: Final = 20_000
"""Most bits of an integer."""
MOST_DIGITS: Final = 400
"""Most digits of a number of another kind, bits of its parts, and size of its exponent."""
_MOST_POWER: Final = 64
OF_DAYS: Final = re.compile(r"(?:[^%]|%[YmdHMSfjyIpaAbBGuVUWw%])*", re.ASCII | re.DOTALL)
"""Formats of days and points in time that are the same in every time zone."""


class Undecided(Exception):  # noqa: N818 - a result, not a failure
    """The expression's value cannot be known from the texts at hand; the message says why."""


class ExpressionError(Exception):
    """The expression is not valid, not allowed, or raises; the message reads like Python's own.

    Attributes:
        raised: what the operation itself raises, as it would in a program; None for any other reason.
    """

    def __init__(self, message: str, raised: Exception | None = None) -> None:
        super().__init__(message)
        self.raised = raised


class UnsupportedError(ExpressionError):
    """The expression is valid, but has a form that is not worked out here."""


_SIZED: Final = (str, bytes, bytearray, list, tuple, dict, set, frozenset, range, collections.deque)
_REPEATED: Final = (str, bytes, bytearray, list, tuple, collections.deque)


def sized(value: Any) -> Any:
    """Return ``value`` unless it is too large.

    Raises:
        ExpressionError: it is.
    """
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ExpressionError("the result is too large")
    check_number(value)
    if isinstance(value, _SIZED) and len(value) > MAX_SIZE:
        raise ExpressionError("the result is too large")
    return value


def check_number(value: Any) -> None:
    """Refuse a decimal or a fraction with too many digits, with an :class:`ExpressionError`."""
    if isinstance(value, decimal.Decimal):
        _, digits, exponent = value.as_tuple()
        is_large = isinstance(exponent, int) and abs(exponent) > MOST_DIGITS
        if is_large or len(digits) > MOST_DIGITS:
            raise ExpressionError("the number is too large")
    elif isinstance(value, fractions.Fraction):
        sizes = value.numerator.bit_length(), value.denominator.bit_length()
        if max(sizes) > MOST_DIGITS:
            raise ExpressionError("the number is too large")


def size_of(value: Any) -> int:
    """Return the number of characters or elements of a value; 0 for one that has none."""
    return len(value) if isinstance(value, _SIZED) else 0


def check_count(count: int) -> None:
    """Refuse that many elements, if they are too many, with an :class:`ExpressionError`."""
    if count > MAX_SIZE:
        raise ExpressionError("the result is too large")


def check_size(op: ast.operator, left: Any, right: Any) -> None:
    """Refuse an operation before it makes something huge, with an :class:`ExpressionError`."""
    if isinstance(op, ast.Mult):
        for sequence, count in ((left, right), (right, left)):
            if isinstance(count, int) and isinstance(sequence, _REPEATED):
                check_count(len(sequence) * count)
    elif isinstance(op, ast.Pow | ast.LShift) and isinstance(left, int) and isinstance(right, int):
        bits = right if isinstance(op, ast.LShift) else left.bit_length() * right
        if bits > MAX_BITS:
            raise ExpressionError("the result is too large")
    elif isinstance(op, ast.Pow) and isinstance(left, fractions.Fraction | decimal.Decimal):
        if not isinstance(right, int) or abs(right) > _MOST_POWER:
            raise UnsupportedError("such a power is not supported here")
    elif isinstance(op, ast.Pow) and isinstance(right, fractions.Fraction | decimal.Decimal):
        raise UnsupportedError("such a power is not supported here")
    elif isinstance(op, ast.Mod) and isinstance(left, bytes):
        raise UnsupportedError("% formatting of bytes is not supported here")
    elif isinstance(op, ast.Mod) and isinstance(left, str):
        if "*" in left:
            raise UnsupportedError("% formatting with * is not supported here")
        for width in re.findall(r"\d+", left):
            check_spec(width)


def check_spec(spec: str) -> None:
    """Refuse a format that may be huge, or asks for the time zone, with an :class:`ExpressionError`."""
    if sum(character.isdigit() for character in spec) > 4:
        raise ExpressionError("the result is too large")
    if "%" in spec.rstrip("%") and OF_DAYS.fullmatch(spec) is None:
        raise UnsupportedError("such a format of days is not supported here")
