"""A kind of type or module of the standard library of which operations are worked out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Check = Callable[[Any, str, Sequence[Any], Mapping[str, Any]], None]
"""Given an object (None for a function), the name of what is called and its arguments: refuses what may take
long or grow large, with an :class:`.pure_limits.ExpressionError`."""


def _nothing(*_: Any) -> None:
    """Refuse nothing."""


def named(functions: Iterable[Any]) -> dict[str, Any]:
    """Return functions by name."""
    return {function.__name__: function for function in functions}


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What is worked out of one kind.

    Attributes:
        functions: by the module they are imported from, and by name; classes among them.
        constants: attributes of modules that are no functions, by module and name.
        methods: those that change nothing, by the type of their object.
        class_methods: those that are called on a type.
        attributes: those that only read, by type.
        changing: methods that change their object.
        check: what is asked before each call of one of them.
    """

    functions: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    methods: Mapping[type, frozenset[str]] = dataclasses.field(default_factory=dict)
    class_methods: Mapping[type, frozenset[str]] = dataclasses.field(default_factory=dict)
    attributes: Mapping[type, frozenset[str]] = dataclasses.field(default_factory=dict)
    changing: Mapping[type, frozenset[str]] = dataclasses.field(default_factory=dict)
    check: Check = _nothing
