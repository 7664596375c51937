"""The abstract classes of the standard library that ``isinstance`` is asked about, and what decides."""

from __future__ import annotations

import collections.abc
import numbers
import os
from collections.abc import Mapping
from typing import Any, Final

BY_METHODS: Final[Mapping[Any, frozenset[str]]] = {
    collections.abc.Callable: frozenset({"__call__"}),
    collections.abc.Collection: frozenset({"__len__", "__iter__", "__contains__"}),
    collections.abc.Container: frozenset({"__contains__"}),
    collections.abc.Iterable: frozenset({"__iter__"}),
    collections.abc.Iterator: frozenset({"__iter__", "__next__"}),
    collections.abc.Sized: frozenset({"__len__"}),
    os.PathLike: frozenset({"__fspath__"}),
}
"""Classes to which another one belongs that has these methods."""
_OF_CONTAINERS: Final = tuple(kind for kind in BY_METHODS if kind is not os.PathLike)
_BY_NAME: Final[tuple[Any, ...]] = (
    *(collections.abc.Mapping, collections.abc.MutableMapping, collections.abc.MutableSequence),
    *(collections.abc.MutableSet, collections.abc.Sequence, collections.abc.Set),
)
"""Classes to which another one belongs by deriving from them, or by being registered."""
_OF_NUMBERS: Final[tuple[Any, ...]] = (
    *(numbers.Number, numbers.Complex, numbers.Real, numbers.Rational, numbers.Integral),
)
"""The same of numbers."""
ABSTRACT: Final[Mapping[tuple[str, str], Any]] = {
    (module, kind.__name__): kind
    for modules, kinds in (
        (("collections.abc", "typing"), (*_OF_CONTAINERS, *_BY_NAME)),
        (("numbers",), _OF_NUMBERS),
        (("os",), (os.PathLike,)),
    )
    for module in modules
    for kind in kinds
}
"""Abstract classes, by the module that they are imported from and their name."""
