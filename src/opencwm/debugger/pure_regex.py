"""``re``: patterns on short texts, those that cannot take long.

The one idea: before a pattern is matched, it is counted from its own syntax tree in how many ways it may
match at most: a repetition of one thing in as many as the text has characters, that of something with several
ways in a power of them. References back, and what looks around, are refused.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.pure_families import Family, named, words
from opencwm.debugger.pure_limits import ExpressionError, UnsupportedError, check_count

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from re import _parser as _syntax  # type: ignore[attr-defined]

_MOST_STEPS: Final = 2_000_000
_MOST_CHARS: Final = 400
_MOST_PATTERN_CHARS: Final = 400
_SINGLE: Final = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY", "RANGE"})
_SEARCHING: Final = frozenset({"search", "findall", "finditer", "sub", "subn", "split"})
_FUNCTIONS: Final = named([re.match, re.search, re.fullmatch, re.findall, re.finditer, re.split, re.sub, re.subn])


def compiled(pattern: str | bytes, flags: int = 0) -> re.Pattern[Any]:
    """Return a compiled pattern.

    Raises:
        ExpressionError: it is too long, or tells Python to write about it; and what ``re.compile`` raises.
    """
    if not isinstance(pattern, str | bytes) or len(pattern) > _MOST_PATTERN_CHARS:
        raise UnsupportedError("the pattern is not supported here")
    if int(flags) & int(re.DEBUG | re.LOCALE):
        raise UnsupportedError("these flags are not supported here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern, flags)


@functools.lru_cache(maxsize=512)
def _steps_of(pattern: str | bytes, flags: int, size: int) -> int:
    """Return how many steps a match at one place of a text of ``size`` characters takes at most."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = _syntax.parse(pattern, flags & ~int(re.DEBUG))
    return _ways(tree, size) * (size + len(pattern) + 1)


def _ways(parts: Any, size: int) -> int:
    """Return in how many ways a part of a pattern matches at one place at most.

    Raises:
        ExpressionError: too many, or it has something of which that is not known.
    """
    total = 1
    for kind, argument in parts:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = argument
            times = min(int(high), size + 1)
            inside = _ways(inner, size)
            if inside > 1 and times * (inside.bit_length() - 1) > _MOST_STEPS.bit_length():
                raise ExpressionError("the pattern may take long")
            total *= inside ** min(times, _MOST_STEPS) * max(1, times - int(low) + 1)
        elif name == "BRANCH":
            total *= sum(_ways(branch, size) for branch in argument[1])
        elif name == "SUBPATTERN":
            total *= _ways(argument[-1], size)
        elif name not in _SINGLE:
            raise UnsupportedError(f"{name} in a pattern is not supported here")
        if total > _MOST_STEPS:
            raise ExpressionError("the pattern may take long")
    return total


def check_match(pattern: re.Pattern[Any], method: str, text: str | bytes) -> None:
    """Refuse to match a pattern that may take long on a text, with an :class:`.ExpressionError`."""
    if not isinstance(text, str | bytes) or len(text) > _MOST_CHARS:
        raise UnsupportedError("the text is too long")
    places = len(text) + 1 if method in _SEARCHING else 1
    if _steps_of(pattern.pattern, pattern.flags & ~int(re.UNICODE), len(text)) * places > _MOST_STEPS:
        raise ExpressionError("the pattern may take long")


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    if isinstance(target, re.Match) or name in ("escape", "compiled"):
        check_count(sum(len(arg) for arg in args if isinstance(arg, str | bytes)) * 4)
        return
    if isinstance(target, re.Pattern):
        pattern, rest = target, list(args)
    else:
        flags = keywords.get("flags", 0)
        position = {"split": 3, "sub": 4, "subn": 4}.get(name, 2)
        if not args or len(args) > min(position + 1, 3):  # Python is about to refuse some of them by position
            raise UnsupportedError("called in a way that is not supported here")
        flags = args[position] if len(args) > position else flags
        pattern = args[0] if isinstance(args[0], re.Pattern) else compiled(args[0], flags)
        rest = list(args[1:])
    place = 1 if name in ("sub", "subn") else 0
    if len(rest) <= place:
        raise UnsupportedError("called in a way that is not supported here")
    if place:
        if not isinstance(rest[0], str | bytes):
            raise UnsupportedError("a function makes what is put in")
        check_count((len(rest[1]) + 1) * (len(rest[0]) + 1) if hasattr(rest[1], "__len__") else 0)
    check_match(pattern, name, rest[place])


_MATCHING: Final = words("match search fullmatch findall finditer split sub subn")

_FLAGS: Final = words("A ASCII I IGNORECASE M MULTILINE S DOTALL X VERBOSE U UNICODE")

FAMILY: Final = Family(
    functions={"re": {**_FUNCTIONS, "compile": compiled, "escape": re.escape}},
    constants={"re": {name: getattr(re, name) for name in _FLAGS}},
    methods={re.Pattern: _MATCHING, re.Match: words("group groups groupdict start end span")},
    attributes={
        re.Pattern: words("pattern groups"),
        re.Match: words("pos endpos lastindex lastgroup string"),
    },
    check=_check,
)
"""Regular expressions."""
