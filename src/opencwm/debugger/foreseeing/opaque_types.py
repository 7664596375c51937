"""Types of Python whose objects read as nothing but their type: ``<list_iterator object>``.

Such an object has what its type has and no more, so it can be said what it is and has.
"""

from __future__ import annotations

import array
import ast
import collections
import itertools
from collections.abc import Iterable, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of

_VALUES: Final[tuple[Iterable[object], ...]] = (
    (),
    [],
    "",
    b"",
    bytearray(),
    {},
    {}.values(),
    {}.items(),
    set(),
    range(0),
)
_TYPES: Final[tuple[type, ...]] = (
    *(type(iter(value)) for value in _VALUES),
    *(type(iter("\xe9")), type(reversed([])), type(reversed({})), type(iter(collections.deque()))),
    *(array.array, enumerate, filter, map, zip, type(str.join), type(iter(int, 0))),
    *(kind for name, kind in vars(itertools).items() if isinstance(kind, type) and not name.startswith("_")),
)
OPAQUE: Final[Mapping[str, type]] = {f"<{kind.__name__} object>": kind for kind in _TYPES}
"""Types by how their objects read."""


def opaque_types(tree: ast.Module) -> dict[str, type]:
    """Return those that a program has no class of the same name of, by how their objects read."""
    own: set[str] = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Call) and _may_make_class(node):
            return {}
    return {text: kind for text, kind in OPAQUE.items() if kind.__name__ not in own}


def _may_make_class(node: ast.Call) -> bool:
    """Whether a call may make a class of any name: of ``type`` with bases, or what is not written out."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "type":
        return len(node.args) != 1 or isinstance(node.args[0], ast.Starred) or bool(node.keywords)
    return name in ("new_class", "make_dataclass", "namedtuple", "__new__")
