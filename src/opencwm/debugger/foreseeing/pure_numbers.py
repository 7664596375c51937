"""Numbers of other kinds: ``decimal.Decimal`` and ``fractions.Fraction``.

What depends on the context of decimals is worked out as it stands when Python starts; a program that changes
the context is told by its imports, see :data:`CONTEXT`.
"""

from __future__ import annotations

import builtins
import decimal
import fractions
import numbers
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family, words
from opencwm.debugger.foreseeing.pure_limits import MOST_DIGITS, ExpressionError, Undecided, check_number

CONTEXT: Final = frozenset({"getcontext", "setcontext", "localcontext", "Context", "DefaultContext"})
"""Names through which a program changes how decimals are computed."""


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    for value in (target, *args, *keywords.values()):
        check_number(value)
        if name in ("Decimal", "Fraction") and isinstance(value, str) and "e" in value.lower():
            raise ExpressionError("the number may be too large")
        if isinstance(value, numbers.Integral) and int(value).bit_length() > 4 * MOST_DIGITS:
            raise ExpressionError("the number is too large")


def hash(value: Any) -> int:  # noqa: A001 - it stands for that of Python
    """Return the hash of numbers and of tuples of those; that of anything else is another in each run.

    Raises:
        Undecided: it is anything else.
    """
    if isinstance(value, tuple):
        for item in value:
            hash(item)
    elif type(value) not in (int, float, bool) or value != value:
        raise Undecided("its hash is another in each run")
    return builtins.hash(value)


FAMILY: Final = Family(
    functions={
        "decimal": {"Decimal": decimal.Decimal},
        "fractions": {"Fraction": fractions.Fraction},
    },
    constants={"sys": {"float_info": sys.float_info}},
    methods={
        decimal.Decimal: words(
            """adjusted as_integer_ratio compare copy_abs copy_negate is_finite is_infinite is_nan is_signed
            is_zero normalize quantize sqrt to_integral_value"""
        ),
        fractions.Fraction: words("as_integer_ratio limit_denominator"),
    },
    attributes={
        fractions.Fraction: words("numerator denominator"),
        int: words("numerator denominator real imag"),
        float: words("real imag"),
        complex: words("real imag"),
        type(sys.float_info): words("dig epsilon mant_dig max max_exp min min_exp radix"),
    },
    check=_check,
)
"""Decimals and fractions, and what floats are."""
