"""Whether a pattern of a ``case`` matches a value that is known as text, and what it binds.

Source: https://docs.python.org/3/reference/compound_stmts.html#patterns
"""

from __future__ import annotations

import ast
import builtins
import collections
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.pure_values import Shown, kind_of, text_of
from opencwm.debugger.foreseeing.shown import holds_shown

_ITSELF: Final = frozenset({bool, bytearray, bytes, dict, float, frozenset, int, list, set, str, tuple})
"""Types of which one pattern by position matches the whole value."""
_SEQUENCES: Final = (list, tuple, range, collections.deque)

Bound = dict[str, str]
"""How names read that a pattern binds."""


class Objects(Protocol):
    """What is known of objects of the program."""

    def is_of(self, text: str, name: str) -> bool | None:
        """Return whether a value is of a class, by its name; None where that is not known."""

    def is_bare(self, text: str) -> bool:
        """Whether no pattern of a constant, sequence or mapping matches an object of the program."""

    def attribute(self, text: str, name: str) -> str | None:
        """Return how an attribute reads; None where that is not known."""

    def fields(self, name: str) -> Sequence[str] | None:
        """Return the attributes that patterns by position of a class mean; None where that is not known."""


def matched(pattern: ast.pattern, text: str, objects: Objects) -> Bound | None:
    """Return what a pattern binds if it matches a value, None if it does not.

    Raises:
        Undecided: that is not known.
    """
    if isinstance(pattern, ast.MatchAs):
        bound = {} if pattern.pattern is None else matched(pattern.pattern, text, objects)
        return bound if bound is None or pattern.name is None else {**bound, pattern.name: text}
    if isinstance(pattern, ast.MatchOr):
        found = (matched(part, text, objects) for part in pattern.patterns)
        return next((bound for bound in found if bound is not None), None)
    if isinstance(pattern, ast.MatchClass):
        return _of_class(pattern, text, objects)
    if objects.is_bare(text):
        return None
    value = known_value(text)
    if isinstance(pattern, ast.MatchSingleton):
        return {} if value is pattern.value else None
    if isinstance(pattern, ast.MatchValue):
        return {} if _is_equal(pattern.value, value) else None
    if isinstance(value, Shown):
        raise Undecided("it may be a sequence or a mapping")
    if isinstance(pattern, ast.MatchSequence):
        return _of_items(pattern, value, objects) if isinstance(value, _SEQUENCES) else None
    if isinstance(pattern, ast.MatchMapping):
        return _of_keys(pattern, value, objects) if isinstance(value, dict) else None
    raise Undecided("such a pattern is not known")


def _is_equal(node: ast.expr, value: Any) -> bool:
    try:
        wanted = ast.literal_eval(node)
    except ValueError:
        raise Undecided("what it is compared with is not known") from None
    if holds_shown(value):
        raise Undecided("an object may say itself what it is equal to")
    return bool(value == wanted)


def _of_items(pattern: ast.MatchSequence, value: Sequence[Any], objects: Objects) -> Bound | None:
    items, parts = list(value), pattern.patterns
    stars = [place for place, part in enumerate(parts) if isinstance(part, ast.MatchStar)]
    if len(items) < len(parts) - len(stars) or (not stars and len(items) > len(parts)):
        return None
    bound: Bound = {}
    if stars:
        place, behind = stars[0], len(parts) - stars[0] - 1
        star, end = parts[place], len(items) - behind
        assert isinstance(star, ast.MatchStar)  # noqa: S101 - as it was found
        if star.name is not None:
            bound[star.name] = text_of(items[place:end])
        items = [*items[:place], *items[end:]]
        parts = [*parts[:place], *parts[place + 1 :]]
    return _of_all(list(zip(parts, map(text_of, items), strict=True)), bound, objects)


def _of_keys(pattern: ast.MatchMapping, value: dict[Any, Any], objects: Objects) -> Bound | None:
    keys = []
    for node in pattern.keys:
        try:
            keys.append(ast.literal_eval(node))
        except ValueError:
            raise Undecided("a key is not known") from None
    if not all(dict.__contains__(value, key) for key in keys):
        return None
    bound: Bound = {}
    if pattern.rest is not None:
        if kind_of(value) is not dict:
            raise Undecided("the order of its items is not known")
        bound[pattern.rest] = text_of({key: item for key, item in value.items() if key not in keys})
    pairs = [
        (part, text_of(dict.__getitem__(value, key)))
        for key, part in zip(keys, pattern.patterns, strict=True)
    ]
    return _of_all(pairs, bound, objects)


def _of_class(pattern: ast.MatchClass, text: str, objects: Objects) -> Bound | None:
    name = pattern.cls.id if isinstance(pattern.cls, ast.Name) else ""
    holds = objects.is_of(text, name) if name else None
    if holds is None:
        raise Undecided("what class it is of is not known")
    if not holds:
        return None
    parts: list[tuple[ast.pattern, str | None]] = []
    if pattern.patterns and getattr(builtins, name, None) in _ITSELF:
        if len(pattern.patterns) > 1:
            raise Undecided("it raises an exception")
        parts.append((pattern.patterns[0], text))
    elif pattern.patterns:
        fields = objects.fields(name)
        if fields is None or len(fields) < len(pattern.patterns):
            raise Undecided("which attributes are meant is not known")
        parts += [
            (part, objects.attribute(text, field))
            for part, field in zip(pattern.patterns, fields, strict=False)
        ]
    parts += [
        (part, objects.attribute(text, field))
        for part, field in zip(pattern.kwd_patterns, pattern.kwd_attrs, strict=True)
    ]
    return _of_all(parts, {}, objects)


def _of_all(
    pairs: Sequence[tuple[ast.pattern, str | None]], bound: Mapping[str, str], objects: Objects
) -> Bound | None:
    """Match one part after the other."""
    found = dict(bound)
    for part, text in pairs:
        if text is None:
            raise Undecided("a part of it is not known")
        inner = matched(part, text, objects)
        if inner is None:
            return None
        found |= inner
    return found


def names_in(pattern: ast.pattern) -> set[str]:
    """Return the names that a pattern may bind."""
    found = {getattr(part, "name", None) or getattr(part, "rest", None) or "" for part in ast.walk(pattern)}
    return found - {""}
