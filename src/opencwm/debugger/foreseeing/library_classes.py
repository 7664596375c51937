"""Classes of the standard library that programs name as attributes of a module, and how they read."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import re
import string
import textwrap
import types
from collections.abc import Mapping
from typing import Any, Final

from opencwm.debugger.foreseeing.abstract_classes import ABSTRACT
from opencwm.debugger.foreseeing.pure_values import Shown, read_angles
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

_PLAIN: Final[Mapping[str, tuple[type, ...]]] = {
    "collections": (
        *(collections.ChainMap, collections.Counter, collections.OrderedDict, collections.UserDict),
        *(collections.UserList, collections.UserString, collections.defaultdict, collections.deque),
    ),
    "datetime": (
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
        datetime.tzinfo,
    ),
    "decimal": (decimal.Decimal,),
    "enum": (enum.Enum, enum.Flag, enum.IntEnum, enum.IntFlag, enum.StrEnum),
    "fractions": (fractions.Fraction,),
    "re": (re.Match, re.Pattern),
    "string": (string.Formatter, string.Template),
    "textwrap": (textwrap.TextWrapper,),
}
CLASSES: Final[Mapping[tuple[str, str], Any]] = {
    **{key: kind for key, kind in ABSTRACT.items() if key[0] != "typing"},
    **{(module, kind.__name__): kind for module, kinds in _PLAIN.items() for kind in kinds},
}
"""Classes that nothing of a program derives from unseen, by module and name."""
BY_TEXT: Final[Mapping[str, Any]] = {Renderer(DEFAULT_LIMITS).render(kind): kind for kind in CLASSES.values()}
"""The same by how they read."""
_TYPES: Final = "BuiltinFunctionType FunctionType GeneratorType LambdaType MappingProxyType MethodType"
_INSIDE: Final[Mapping[tuple[str, str], type]] = {
    ("types", name): getattr(types, name) for name in _TYPES.split()
}
"""Classes that are called otherwise than they read, of what only the text is known of."""
WITH_CLASSES: Final = frozenset(module for module, _ in (*CLASSES, *_INSIDE))
"""Modules that have such classes."""
MEMBERS: Final[Mapping[tuple[str, str], str]] = {
    ("<class 'datetime.timezone'>", "utc"): "datetime.timezone.utc",
}
"""Attributes of classes of the standard library, and how they read."""


def class_of(module: str, name: str) -> Any:
    """Return the class that an attribute of a module is, as known or only shown; None for anything else."""
    kind = CLASSES.get((module, name), _INSIDE.get((module, name)))
    if kind is None:
        return None
    found = read_angles(Renderer(DEFAULT_LIMITS).render(kind))
    return found if isinstance(found, Shown | type) else None
