"""``re``: patterns on short texts, those that cannot take long.

The one idea: before a pattern is matched, it is counted from its own syntax tree in how many ways it may
match at most: a repetition of one thing in as many as the text has in a row of what it matches, that of
something with several ways in a power of them.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family, named, words
from opencwm.debugger.foreseeing.pure_limits import ExpressionError, UnsupportedError, check_count

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from re import _compiler  # type: ignore[attr-defined]
    from re import _parser as _syntax  # type: ignore[attr-defined]

_MOST_STEPS: Final = 2_000_000
_MOST_CHARS: Final = 400
_MOST_PATTERN_CHARS: Final = 2_000
_CHARACTERS: Final = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY", "RANGE"})
_SINGLE: Final = _CHARACTERS | {"AT", "GROUPREF"}
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_SEARCHING: Final = frozenset({"search", "findall", "finditer", "sub", "subn", "split"})
_FUNCTIONS: Final = named(
    [re.match, re.search, re.fullmatch, re.findall, re.finditer, re.split, re.sub, re.subn]
)
_FLAGS_WITHIN: Final = re.compile(r"\(\?(?:[aiLmsux]+|[aiLmsux]*-[imsx]+):")
"""Flags of a part of a pattern."""


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
def _syntax_of(pattern: str | bytes, flags: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _syntax.parse(pattern, flags & ~int(re.DEBUG))


def _steps_of(pattern: re.Pattern[Any], text: str | bytes, *, is_searching: bool) -> int:
    """Return how many steps a match at the start of a text takes at most, or at all of its places."""
    flags = pattern.flags & ~int(re.UNICODE)
    tree = _syntax_of(pattern.pattern, flags)
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    ways = _Ways(tree.state, flags, text, has_flags_within=_FLAGS_WITHIN.search(source) is not None)
    places = ways.starts(tree) if is_searching else 1
    return ways.of(tree) * places * (len(text) + len(pattern.pattern) + 1) + len(text)


class _Ways:
    """In how many ways the parts of one pattern match at one place of one text at most."""

    def __init__(self, state: Any, flags: int, text: str | bytes, *, has_flags_within: bool) -> None:
        self._state, self._flags, self._text = state, flags, text
        self._has_flags_within = has_flags_within

    def of(self, parts: Any) -> int:
        """Return in how many ways they do.

        Raises:
            ExpressionError: too many, or there is something of which that is not known.
        """
        total = 1
        for kind, argument in parts:
            name = str(kind)
            if name in _REPEATS:
                total *= self._repeated(*argument)
            elif name == "BRANCH":
                total *= sum(map(self.of, argument[1]))
            elif name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
                total *= self.of(argument[-1])
            elif name == "ATOMIC_GROUP":
                total *= self.of(argument)
            elif name not in _SINGLE:
                raise UnsupportedError(f"{name} in a pattern is not supported here")
            if total > _MOST_STEPS:
                raise ExpressionError("the pattern may take long")
        return total

    def starts(self, parts: Any) -> int:
        """Return at how many places a match of some parts, one after the other, begins at most."""
        argument: Any
        kind, argument = parts[0] if len(parts) else ("", None)
        name = str(kind)
        if name in _CHARACTERS and not self._has_flags_within:
            one = self._compiled(parts[0])
            return sum(
                one.match(self._text, place, place + 1) is not None for place in range(len(self._text))
            )
        if name == "BRANCH":
            return sum(self.starts(branch) for branch in argument[1])
        return self.starts(argument[-1]) if name == "SUBPATTERN" else len(self._text) + 1

    def _repeated(self, low: int, high: int, inner: Any) -> int:
        if low == 0 and not self.starts(inner):
            return 1
        inside = self.of(inner)
        longest = self._longest(inner) if len(inner) == 1 else len(self._text)
        times = min(int(high), longest + 1)
        if inside > 1 and times * (inside.bit_length() - 1) > _MOST_STEPS.bit_length():
            raise ExpressionError("the pattern may take long")
        return int(inside ** min(times, _MOST_STEPS) * max(1, times - int(low) + 1))

    def _longest(self, inner: Any) -> int:
        """Return how often in a row one part matches at most, where it matches one character at a time."""
        kind, _ = inner[0]
        if str(kind) not in _CHARACTERS:
            return len(self._text)
        one = self._compiled(inner[0])
        found = longest = 0
        for place in range(len(self._text)):
            found = found + 1 if one.match(self._text, place, place + 1) else 0
            longest = max(longest, found)
        return longest

    def _compiled(self, part: Any) -> re.Pattern[Any]:
        made: re.Pattern[Any] = _compiler.compile(_syntax.SubPattern(self._state, [part]), self._flags)
        return made


def check_match(pattern: re.Pattern[Any], method: str, text: str | bytes) -> None:
    """Refuse to match a pattern that may take long on a text, with an :class:`.ExpressionError`."""
    if not isinstance(text, str | bytes) or len(text) > _MOST_CHARS:
        raise UnsupportedError("the text is too long")
    if _steps_of(pattern, text, is_searching=method in _SEARCHING) > _MOST_STEPS:
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
    constants={"re": {name: getattr(re, name) for name in (*_FLAGS, "Match", "Pattern")}},
    methods={re.Pattern: _MATCHING, re.Match: words("group groups groupdict start end span")},
    attributes={
        re.Pattern: words("flags groupindex groups pattern"),
        re.Match: words("pos endpos lastindex lastgroup string"),
    },
    check=_check,
)
"""Regular expressions."""
