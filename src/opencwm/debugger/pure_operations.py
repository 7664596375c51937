"""The pure operations that are worked out on values known from their texts, and how large they may grow."""

from __future__ import annotations

import ast
import math
import operator
import re
import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

MAX_SIZE: Final = 100_000
"""Most characters or elements of a result."""
MAX_BITS: Final = 20_000
"""Most bits of an integer."""
_MOST_FACTORS: Final = 1_000


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


def _named(functions: Iterable[Any]) -> dict[str, Any]:
    return {function.__name__: function for function in functions}


FUNCTIONS: Final[Mapping[str, Any]] = _named(
    [
        *(abs, all, any, ascii, bin, bool, bytes, callable, chr, complex, dict, divmod, enumerate, float),
        *(format, frozenset, hex, int, isinstance, len, list, max, min, oct, ord, pow, range, repr, reversed),
        *(round, set, sorted, str, sum, tuple, type, zip),
    ]
)
"""Built-in functions, by name."""

LOOKING: Final = frozenset({ascii, callable, format, isinstance, repr, str, type})
"""Functions that look into whatever they are given."""

_OF_NUMBERS: Final = frozenset(
    """acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh degrees dist erf erfc exp exp2 expm1
    fabs floor fmod frexp fsum gamma gcd hypot isclose isfinite isinf isnan isqrt lcm ldexp lgamma log log10
    log1p log2 modf nextafter pow prod radians remainder sin sinh sqrt tan tanh trunc ulp""".split()  # noqa: SIM905
)
_GROWING: Final = frozenset({"comb", "factorial", "perm"})
MODULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "math": {name: getattr(math, name) for name in _OF_NUMBERS | _GROWING if hasattr(math, name)},
    "operator": _named(
        [
            *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod),
            *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge, operator.neg),
            *(operator.not_, operator.truth, operator.getitem, operator.contains, operator.xor),
        ]
    ),
}
"""Functions of modules, by the names of both."""

METHODS: Final[Mapping[type, frozenset[str]]] = {
    str: frozenset(
        """capitalize casefold center count encode endswith expandtabs find format index isalnum isalpha
        isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join
        ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit
        rstrip split splitlines startswith strip swapcase title translate upper zfill""".split()  # noqa: SIM905
    ),
    bytes: frozenset(
        """count decode endswith find hex index isalnum isalpha isdigit join lower lstrip partition
        removeprefix removesuffix replace rfind rpartition rsplit rstrip split splitlines startswith strip
        translate upper""".split()  # noqa: SIM905
    ),
    list: frozenset({"copy", "count", "index"}),
    tuple: frozenset({"count", "index"}),
    range: frozenset({"count", "index"}),
    dict: frozenset({"copy", "get", "items", "keys", "values"}),
    set: frozenset(
        {"copy", "difference", "intersection", "isdisjoint", "issubset", "issuperset", "union"}
        | {"symmetric_difference"}
    ),
    frozenset: frozenset(
        {"copy", "difference", "intersection", "isdisjoint", "issubset", "issuperset", "union"}
        | {"symmetric_difference"}
    ),
    int: frozenset({"bit_length", "bit_count", "to_bytes", "conjugate"}),
    float: frozenset({"is_integer", "hex", "as_integer_ratio"}),
}
"""Methods by the type of their object."""

CLASS_METHODS: Final[Mapping[type, frozenset[str]]] = {
    bytes: frozenset({"fromhex"}),
    int: frozenset({"from_bytes"}),
    float: frozenset({"fromhex"}),
    dict: frozenset({"fromkeys"}),
    str: frozenset({"maketrans"}),
}
"""Methods that are called on a type, by the type."""

_ENCODINGS: Final = ("utf-8", "utf8", "UTF-8", "ascii", "latin-1", "latin1", "iso-8859-1", "utf-16", "utf-32")
"""Others may load code that is not loaded yet."""

BINARY: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
UNARY: Final[Mapping[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}

_SIZED: Final = (str, bytes, list, tuple, dict, set, frozenset, range)


def call_function(function: Any, args: list[Any], keywords: dict[str, Any]) -> Any:
    """Call one of :data:`FUNCTIONS` or of :data:`MODULES`.

    Raises:
        ExpressionError: the result would be too large, or it is called in a way that is not supported; and
            whatever the function raises.
    """
    if function is type and len(args) != 1:
        raise UnsupportedError("only type(x) is supported here")
    if function is format and len(args) > 1:
        check_spec(str(args[1]))
    if function in (bytes, str, list, tuple) and args and isinstance(args[0], int) and args[0] is not True:
        check_count(args[0])
    if function in (pow, operator.pow, math.pow) and len(args) == 2:
        check_size(ast.Pow(), *args)
    elif function is operator.mul and len(args) == 2:
        check_size(ast.Mult(), *args)
    elif function is operator.mod and len(args) == 2:
        check_size(ast.Mod(), *args)
    elif getattr(function, "__name__", "") in _GROWING and any(
        isinstance(arg, int) and arg > _MOST_FACTORS for arg in args
    ):
        raise ExpressionError("the result is too large")
    return _plain(function(*args, **keywords))


def call_method(target: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    """Call a method of a value.

    Raises:
        ExpressionError: the method is not among :data:`METHODS`, or the result would be too large; and
            whatever the method raises.
    """
    kind = target if isinstance(target, type) else type(target)
    if isinstance(target, type):
        if name not in CLASS_METHODS.get(target, ()):
            raise UnsupportedError(f"{kind.__name__}.{name} is not supported here")
    elif name not in METHODS.get(kind, ()):
        if not hasattr(kind, name):
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
        raise UnsupportedError(f"{kind.__name__}.{name} is not supported here")
    _check_growth(name, target, args)
    return _plain(getattr(target, name)(*args, **keywords))


def _plain(value: Any) -> Any:
    """Turn iterators and views into lists, so that every value has a repr that says what it is."""
    if isinstance(value, type):
        return value
    if hasattr(type(value), "__next__") or type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return list(value)
    return value


def sized(value: Any) -> Any:
    """Return ``value`` unless it is too large.

    Raises:
        ExpressionError: it is.
    """
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ExpressionError("the result is too large")
    if isinstance(value, _SIZED) and len(value) > MAX_SIZE:
        raise ExpressionError("the result is too large")
    return value


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
            if isinstance(count, int) and isinstance(sequence, str | bytes | list | tuple):
                check_count(len(sequence) * count)
    elif isinstance(op, ast.Pow | ast.LShift) and isinstance(left, int) and isinstance(right, int):
        bits = right if isinstance(op, ast.LShift) else left.bit_length() * right
        if bits > MAX_BITS:
            raise ExpressionError("the result is too large")
    elif isinstance(op, ast.Mod) and isinstance(left, bytes):
        raise UnsupportedError("% formatting of bytes is not supported here")
    elif isinstance(op, ast.Mod) and isinstance(left, str):
        if "*" in left:
            raise UnsupportedError("% formatting with * is not supported here")
        for width in re.findall(r"\d+", left):
            check_spec(width)


def check_spec(spec: str) -> None:
    """Refuse a format that may ask for a huge width, with an :class:`ExpressionError`."""
    if sum(character.isdigit() for character in spec) > 4:
        raise ExpressionError("the result is too large")


def _check_growth(method: str, target: Any, args: list[Any]) -> None:
    """Refuse a method before it makes something huge, or looks into more than its arguments."""
    if method == "replace" and len(args) > 1 and isinstance(target, str | bytes):
        check_count((len(target) + 1) * (size_of(args[1]) + 1))
    elif method == "join" and args:
        check_count(len(target) * size_of(args[0]) + sum(map(size_of, _items(args[0]))))
    elif method in ("center", "ljust", "rjust", "zfill", "expandtabs", "to_bytes"):
        size = max((arg for arg in args if isinstance(arg, int)), default=8)
        check_count(size * (target.count("\t") + 1) if method == "expandtabs" else size)
    elif method == "translate" and args and isinstance(args[0], dict):
        check_count(len(target) * max(map(size_of, args[0].values()), default=1))
    elif method in ("encode", "decode") and args and args[0] not in _ENCODINGS:
        raise UnsupportedError(f"the encoding {args[0]!r} is not supported here")
    elif method == "format" and isinstance(target, str):
        _check_fields(target)


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, str | list | tuple | dict | set) else ()


def _check_fields(text: str) -> None:
    """Refuse a format string whose fields look into their arguments, or ask for a huge width."""
    for _, field, spec, _ in string.Formatter().parse(text):
        if field is not None and not (field == "" or field.isdigit() or field.isidentifier()):
            raise UnsupportedError("format fields with attributes or items are not supported here")
        if "{" in (spec or ""):
            raise UnsupportedError("nested format fields are not supported here")
        check_spec(spec or "")
