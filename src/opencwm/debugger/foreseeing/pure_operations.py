"""The pure operations that are worked out on values known from their texts, and how large they may grow."""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
import string
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from opencwm.debugger.foreseeing import (
    pure_collections,
    pure_dates,
    pure_getters,
    pure_iteration,
    pure_json,
    pure_library,
    pure_numbers,
    pure_regex,
)
from opencwm.debugger.foreseeing.pure_families import Family
from opencwm.debugger.foreseeing.pure_getters import Getter
from opencwm.debugger.foreseeing.pure_limits import (
    ExpressionError,
    Undecided,
    UnsupportedError,
    check_count,
    check_size,
    check_spec,
    size_of,
)
from opencwm.debugger.foreseeing.pure_values import (
    Iterated,
    Shown,
    as_in_python,
    frozen,
    items_in_order,
    kind_of,
    plain,
)

_MOST_FACTORS: Final = 1_000
_OF_FUNCTIONS: Final = frozenset({filter, iter, map, type})
"""Functions that are not mapped themselves."""
FAMILIES: Final[tuple[Family, ...]] = (
    pure_collections.FAMILY,
    pure_dates.FAMILY,
    pure_getters.FAMILY,
    pure_iteration.FAMILY,
    pure_json.FAMILY,
    pure_library.FAMILY,
    pure_numbers.FAMILY,
    pure_regex.FAMILY,
)
"""What is known beside the built-in functions, by kind."""


def _named(functions: Iterable[Any]) -> dict[str, Any]:
    return {function.__name__: function for function in functions}


def _merged(*tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        for module, items in table.items():
            found.setdefault(module, {}).update(items)
    return found


FUNCTIONS: Final[Mapping[str, Any]] = _named(
    [
        *(
            abs,
            all,
            any,
            ascii,
            bin,
            bool,
            bytes,
            callable,
            chr,
            complex,
            dict,
            divmod,
            enumerate,
            filter,
            float,
        ),
        *(
            format,
            frozenset,
            hash,
            hex,
            int,
            isinstance,
            iter,
            len,
            list,
            map,
            max,
            min,
            oct,
            ord,
            pow,
            range,
            repr,
            reversed,
        ),
        *(round, set, slice, sorted, str, sum, tuple, type, zip),
    ]
)
"""Built-in functions, by name."""

KEYS: Final = frozenset({abs, bool, float, int, len, max, min, ord, sum})
"""Functions that may be ``key=`` of others: they call nothing of the program, nor look into objects."""


def is_key(function: Any) -> bool:
    """Whether a function may be ``key=`` of others: one of :data:`KEYS`, a method, a getter."""
    is_method = isinstance(function, types.MethodDescriptorType | Getter)
    return is_method or any(function is key for key in KEYS)


LOOKING: Final = frozenset({ascii, callable, format, hash, isinstance, repr, str, type})
"""Functions that look into whatever they are given."""

_OF_NUMBERS: Final = frozenset(
    """acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh degrees dist erf erfc exp exp2 expm1
    fabs floor fmod frexp fsum gamma gcd hypot isclose isfinite isinf isnan isqrt lcm ldexp lgamma log log10
    log1p log2 modf nextafter pow prod radians remainder sin sinh sqrt sumprod tan tanh trunc ulp""".split()  # noqa: SIM905
)
_GROWING: Final = frozenset({"comb", "factorial", "perm"})
_MODULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "math": {name: getattr(math, name) for name in _OF_NUMBERS | _GROWING if hasattr(math, name)},
    "operator": _named(
        [
            *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod),
            *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge, operator.neg),
            *(operator.not_, operator.truth, operator.getitem, operator.contains, operator.xor),
            *(operator.and_, operator.or_, operator.lshift, operator.rshift, operator.pow, operator.abs),
            *(operator.pos, operator.invert, operator.index, operator.concat, operator.countOf),
            operator.indexOf,
        ]
    ),
}
MODULES: Final[Mapping[str, Mapping[str, Any]]] = _merged(
    _MODULES, *(family.functions for family in FAMILIES)
)
"""Functions and classes of modules, by the names of both."""
_MAPPED: Final = (*FUNCTIONS.values(), *_MODULES["math"].values(), *_MODULES["operator"].values())
"""What ``map`` and ``filter`` may call."""
CONSTANTS: Final[Mapping[str, Mapping[str, Any]]] = _merged(
    {"math": {name: getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")}},
    *(family.constants for family in FAMILIES),
)
"""Other attributes of modules."""

_METHODS: Final[Mapping[type, frozenset[str]]] = {
    str: frozenset(
        """capitalize casefold center count encode endswith expandtabs find format index isalnum isalpha
        isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join
        ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit
        rstrip split splitlines startswith strip swapcase title translate upper zfill""".split()  # noqa: SIM905
    ),
    bytes: frozenset(
        """capitalize center count decode endswith expandtabs find hex index isalnum isalpha isascii isdigit
        islower isspace istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace
        rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate
        upper zfill""".split()  # noqa: SIM905
    ),
    list: frozenset({"copy", "count", "index", "__contains__", "__getitem__", "__len__"}),
    tuple: frozenset({"count", "index", "__contains__", "__getitem__", "__len__"}),
    range: frozenset({"count", "index"}),
    dict: frozenset({"copy", "get", "items", "keys", "values", "__contains__", "__getitem__", "__len__"}),
    set: frozenset(
        {"copy", "difference", "intersection", "isdisjoint", "issubset", "issuperset", "union"}
        | {"symmetric_difference", "__contains__", "__len__"}
    ),
    frozenset: frozenset(
        {"copy", "difference", "intersection", "isdisjoint", "issubset", "issuperset", "union"}
        | {"symmetric_difference", "__contains__", "__len__"}
    ),
    int: frozenset({"as_integer_ratio", "bit_length", "bit_count", "conjugate", "is_integer", "to_bytes"}),
    float: frozenset({"is_integer", "hex", "as_integer_ratio"}),
}
METHODS: Final[Mapping[type, frozenset[str]]] = {
    **{
        kind: names | {"__contains__"} if hasattr(kind, "__len__") else names
        for kind, names in _METHODS.items()
    },
    **{kind: names for family in FAMILIES for kind, names in family.methods.items()},
}
"""Methods by the type of their object."""
ATTRIBUTES: Final[Mapping[type, frozenset[str]]] = {
    kind: names for family in FAMILIES for kind, names in family.attributes.items()
}
"""Attributes by the type of their object."""
CHECKS: Final = {
    **{
        id(function): family.check
        for family in FAMILIES
        for table in family.functions.values()
        for function in table.values()
    },
    **{id(kind): family.check for family in FAMILIES for kind in (*family.methods, *family.changing)},
}
"""What is asked before a function, or a method of a type, is called."""
_SIZES: Final[Mapping[Any, ast.operator]] = {
    **dict.fromkeys((pow, operator.pow, math.pow), ast.Pow()),
    operator.mul: ast.Mult(),
    operator.mod: ast.Mod(),
    operator.lshift: ast.LShift(),
}
"""Functions that do what an operator does, which may make something huge."""
WITHOUT_ORDER: Final[Mapping[Any, frozenset[str]]] = {
    sorted: frozenset({"reverse"}),
    **dict.fromkeys((min, max), frozenset({"default"})),
    **dict.fromkeys((any, all, sum), frozenset()),
}
"""Functions that give the same in whatever order the items of a set come, with their keywords."""

CLASS_METHODS: Final[Mapping[type, frozenset[str]]] = {
    bytes: frozenset({"fromhex", "maketrans"}),
    int: frozenset({"from_bytes"}),
    float: frozenset({"fromhex"}),
    dict: frozenset({"fromkeys"}),
    str: frozenset({"maketrans"}),
    **{kind: names for family in FAMILIES for kind, names in family.class_methods.items()},
}
"""Methods that are called on a type, by the type."""

_ENCODINGS: Final = frozenset(
    {"utf_8", "utf8", "ascii", "latin_1", "latin1", "iso_8859_1", "utf_16", "utf_32"}
)
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


def call_function(function: Any, args: list[Any], keywords: dict[str, Any]) -> Any:
    """Call one of :data:`FUNCTIONS` or of :data:`MODULES`.

    Raises:
        ExpressionError: the result would be too large, or it is called in a way that is not supported; and
            whatever the function raises.
    """
    if isinstance(getattr(function, "__self__", None), re.Pattern):
        return call_method(function.__self__, function.__name__, args, keywords)
    if function is type and len(args) != 1:
        raise UnsupportedError("only type(x) is supported here")
    if function is format and len(args) > 1:
        check_spec(str(args[1]))
    if function in (bytes, str, list, tuple) and args and isinstance(args[0], int) and args[0] is not True:
        check_count(args[0])
    if function in _SIZES and len(args) == 2:
        check_size(_SIZES[function], *args)
    elif function is hash and not (len(args) == 1 and _is_hashed_alike(args[0])):
        raise UnsupportedError("hash of this differs from run to run")
    elif getattr(function, "__name__", "") in _GROWING and any(
        isinstance(arg, int) and arg > _MOST_FACTORS for arg in args
    ):
        raise ExpressionError("the result is too large")
    if function in (map, filter):
        return Iterated(function.__name__, _mapped(function, args, keywords))
    if function is type:
        return kind_of(args[0])
    if function is iter and (len(args) != 1 or isinstance(args[0], Shown)):
        raise UnsupportedError("iter of this is not supported here")
    if function in WITHOUT_ORDER and len(args) == 1 and keywords.keys() <= WITHOUT_ORDER[function]:
        args = [_in_some_order(function, args[0])]
    if id(function) in CHECKS:
        CHECKS[id(function)](None, function.__name__, args, keywords)
    if function is operator.itemgetter:
        return Getter(args)
    return plain((frozen if function is frozenset else function)(*args, **keywords))


def _is_hashed_alike(value: Any) -> bool:
    """Whether a value has the same hash in every run: a number, or a tuple of those."""
    if type(value) is tuple:
        return all(map(_is_hashed_alike, value))
    return type(value) in (bool, int) or (isinstance(value, float) and value == value)


def _mapped(function: Any, args: list[Any], keywords: dict[str, Any]) -> list[Any]:
    """Return what ``map`` gives, or ``filter``, for a function that is worked out here."""
    called, *iterables = args or [None]
    if keywords or not iterables or (function is filter and len(iterables) != 1):
        raise UnsupportedError(f"{function.__name__} of this is not supported here")
    if function is filter and called is None:
        return list(filter(None, iterables[0]))
    is_method, is_getter = isinstance(called, types.MethodDescriptorType), isinstance(called, Getter)
    is_known = any(called is known for known in _MAPPED) and called not in _OF_FUNCTIONS
    if not (is_method or is_getter or is_known):
        raise UnsupportedError("a function of the program would be called")
    if any(isinstance(part, Shown) and not isinstance(part, Iterated) for part in iterables):
        raise Undecided("what it goes through is not known")
    rounds = list(itertools.islice(zip(*iterables, strict=False), _MOST_FACTORS + 1))
    if len(rounds) > _MOST_FACTORS or any(isinstance(item, Shown) for items in rounds for item in items):
        raise UnsupportedError("too many rounds, or objects among them")
    try:
        if is_getter:
            results = [called(*items) for items in rounds]
        elif is_method:
            results = [call_unbound(called, *items) for items in rounds]
        else:
            results = [call_function(called, list(items), {}) for items in rounds]
    except IndexError:  # not the end of what it goes through
        raise Undecided("it raises") from None
    if function is map:
        return results
    return [items[0] for items, result in zip(rounds, results, strict=True) if result]


def call_unbound(method: Any, target: Any, *args: Any) -> Any:
    """Call a method that was looked up in its class."""
    if kind_of(target) is not method.__objclass__:
        raise UnsupportedError("a method of another type")
    return call_method(target, method.__name__, list(args), {})


def _in_some_order(function: Any, value: Any) -> Any:
    """Return the items of a set in some order, if the function does not mind; other values themselves."""
    if kind_of(value) not in (set, frozenset):
        return value
    items = items_in_order(value) if function not in (any, all) else list(kind_of(value).__iter__(value))
    if function is sum and not all(isinstance(item, int) for item in items):
        raise Undecided("the order of a set is not known")
    return items


def call_method(target: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    """Call a method of a value.

    Raises:
        ExpressionError: the method is not among :data:`METHODS`, or the result would be too large; and
            whatever the method raises.
    """
    kind = target if isinstance(target, type) else kind_of(target)
    if isinstance(target, type):
        if name not in CLASS_METHODS.get(target, ()):
            raise UnsupportedError(f"{kind.__name__}.{name} is not supported here")
    elif name not in METHODS.get(kind, ()):
        if not hasattr(kind, name) and kind.__module__ == "builtins":
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
        raise UnsupportedError(f"{kind.__name__}.{name} is not supported here")
    _check_growth(name, target, args)
    if id(kind) in CHECKS:
        CHECKS[id(kind)](None if isinstance(target, type) else target, name, args, keywords)
    if kind in (set, frozenset):  # methods of sets do not mind in which order the items of others come
        args = [as_in_python(arg) for arg in args]
    return plain(getattr(target, name)(*args, **keywords))


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
    elif method in ("encode", "decode") and args and not _is_loaded(args[0]):
        raise UnsupportedError(f"the encoding {args[0]!r} is not supported here")
    elif method == "format" and isinstance(target, str):
        _check_fields(target)


def _is_loaded(encoding: Any) -> bool:
    """Whether an encoding is one of those that Python starts with."""
    return isinstance(encoding, str) and encoding.lower().replace("-", "_") in _ENCODINGS


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
