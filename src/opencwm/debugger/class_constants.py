"""What the bodies of classes bind to values that cannot change: attributes that objects may have from them.

Such a binding holds for as long as the program runs if nothing sets an attribute of that name on a class.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.object_shapes import bound_in, mangled
from opencwm.debugger.pure_values import is_fixed

MAX_CHARS: Final = 1_000
"""Longer values are left to the model."""
_TYPES: Final = (bool, bytes, dict, float, frozenset, int, list, set, str, tuple)


def class_constants(
    classes: Mapping[str, ast.ClassDef], set_later: Collection[str], tree: ast.Module
) -> dict[tuple[str, str], str | None]:
    """Return how what classes bind reads, by class and name as it is looked up.

    None for what is bound more than once, conditionally, to what may change or may be a descriptor, or is in
    ``set_later``: names that may be set on classes once they are made.
    """
    found: dict[tuple[str, str], str | None] = {}
    types = Builtins(dict(_types(tree)))
    for name, node in classes.items():
        values = dict(_values(node, types))
        for key in bound_in(node):
            found[name, mangled(key, name)] = values.get(key) if key not in set_later else None
    return found


def _types(tree: ast.Module) -> Iterator[tuple[str, type]]:
    """Yield the types of Python whose names a program binds nowhere."""
    bound = {
        name
        for node in nodes_of(tree)
        for name in (
            getattr(node, "name", None),
            getattr(node, "asname", None),
            getattr(node, "arg", None),
            node.id if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) else None,
        )
    }
    yield from ((kind.__name__, kind) for kind in _TYPES if kind.__name__ not in bound)


def _values(node: ast.ClassDef, types: Builtins) -> Iterator[tuple[str, str]]:
    """Yield the names that the body of a class binds once, at its top, to what cannot change."""
    times = collections.Counter(
        inner.id
        for part in node.body
        for inner in ast.walk(part)
        if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load)
    )
    times.update(getattr(part, "name", "") for part in node.body)
    for part in node.body:
        target, value = None, None
        if isinstance(part, ast.Assign) and len(part.targets) == 1:
            target, value = part.targets[0], part.value
        elif isinstance(part, ast.AnnAssign):
            target, value = part.target, part.value
        if not isinstance(target, ast.Name) or value is None or times[target.id] != 1:
            continue
        try:
            made = evaluate(ast.unparse(value), {}, builtins=types)
        except (ExpressionError, Undecided):
            continue
        if is_fixed(made.value) and len(made.text) <= MAX_CHARS:
            yield target.id, made.text
