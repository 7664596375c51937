"""``itertools`` and ``functools``, as far as what they give is gone through at once; and ``string``."""

from __future__ import annotations

import functools
import itertools
import operator
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family, named
from opencwm.debugger.foreseeing.pure_limits import MAX_SIZE, UnsupportedError, check_count, size_of

_MOST_ROUNDS: Final = 2_000
LAZY: Final[Mapping[str, Any]] = named(
    [
        *(
            itertools.accumulate,
            itertools.chain,
            itertools.combinations,
            itertools.compress,
            itertools.islice,
        ),
        *(itertools.combinations_with_replacement, itertools.permutations, itertools.product),
        *(itertools.repeat, itertools.zip_longest),
        itertools.pairwise,
    ]
)
"""Functions of ``itertools`` whose iterators are worked out as lists."""
FOLLOWED: Final[Mapping[str, Any]] = named(
    [
        itertools.count,
        itertools.cycle,
        itertools.dropwhile,
        itertools.filterfalse,
        itertools.starmap,
        itertools.tee,
    ]
) | {"takewhile": itertools.takewhile}
"""Functions of ``itertools`` whose iterators may not end, or call functions: not worked out."""
_COMBINING: Final[Mapping[Any, Callable[[Any, Any], Any]]] = {
    function: function
    for function in (operator.add, operator.or_, operator.and_, operator.xor, max, min, operator.mul)
}


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    if name in FOLLOWED:
        raise UnsupportedError(f"{name} is not worked out at once")
    sizes = [size_of(arg) for arg in args]
    if any(size > _MOST_ROUNDS for size in sizes):
        raise UnsupportedError("too many rounds")
    if name in ("reduce", "accumulate"):
        function = args[0] if name == "reduce" and args else keywords.get("func", (*args, None, None)[1])
        if function is not None and function not in _COMBINING:
            raise UnsupportedError("a function of the program would be called")
        return
    if name == "repeat":
        if len(args) != 2 or not isinstance(args[1], int):
            raise UnsupportedError("it does not end")
        check_count(args[1])
    elif name in ("combinations", "permutations", "combinations_with_replacement"):
        if len(args) > 1 and isinstance(args[1], int) and args[1] > 0:
            _check_power(sizes[0] + args[1], args[1])
        elif sizes and len(args) == 1:
            _check_power(sizes[0], sizes[0])
    elif name == "product":
        repeat = keywords.get("repeat", 1)
        count = functools.reduce(operator.mul, [max(size, 1) for size in sizes], 1)
        _check_power(count, repeat if isinstance(repeat, int) else 1)
    del target


def _check_power(base: int, exponent: int) -> None:
    total = 1
    for _ in range(min(exponent, 64)):
        total *= max(base, 1)
        if total > MAX_SIZE:
            check_count(total)


_STRINGS: Final = (
    *("ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits", "hexdigits", "octdigits"),
    *("printable", "punctuation", "whitespace"),
)

FAMILY: Final = Family(
    functions={"itertools": {**LAZY, **FOLLOWED}, "functools": {"reduce": functools.reduce}},
    constants={"string": {name: getattr(string, name) for name in _STRINGS}},
    check=_check,
)
"""Iteration."""
