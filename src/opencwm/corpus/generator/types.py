"""The types of generated expressions: a small closed set, compared by value."""

from __future__ import annotations

from typing import NamedTuple


class Type(NamedTuple):
    """A type: its kind and, for containers, the types inside.

    Attributes:
        kind: ``int float bool str none list dict set tuple vtuple``; ``tuple`` has one argument per element,
            ``vtuple`` is a tuple of any length of one type.
        args: element types; key and value type for ``dict``.
    """

    kind: str
    args: tuple[Type, ...] = ()


INT = Type("int")
FLOAT = Type("float")
BOOL = Type("bool")
STR = Type("str")
NONE = Type("none")

SIZED_KINDS = frozenset({"str", "list", "dict", "set", "tuple", "vtuple"})
"""Kinds that have a length."""

SCALARS = (INT, FLOAT, BOOL, STR)


def list_of(element: Type) -> Type:
    """Return the type of lists of ``element``."""
    return Type("list", (element,))


def dict_of(key: Type, value: Type) -> Type:
    """Return the type of dictionaries from ``key`` to ``value``."""
    return Type("dict", (key, value))


def set_of(element: Type) -> Type:
    """Return the type of sets of ``element``."""
    return Type("set", (element,))


def tuple_of(*elements: Type) -> Type:
    """Return the type of tuples with exactly these elements."""
    return Type("tuple", elements)


def vtuple_of(element: Type) -> Type:
    """Return the type of tuples of any number of ``element``."""
    return Type("vtuple", (element,))


INTS = list_of(INT)
STRS = list_of(STR)
COUNTS = dict_of(STR, INT)


def is_hashable(type_: Type) -> bool:
    """Whether values of the type can be dictionary keys."""
    if type_.kind in {"list", "dict", "set"}:
        return False
    return all(is_hashable(argument) for argument in type_.args)


def is_ordered(type_: Type) -> bool:
    """Whether values of the type can be sorted among themselves."""
    if type_.kind in {"none", "dict", "set"}:
        return False
    return all(is_ordered(argument) for argument in type_.args)
