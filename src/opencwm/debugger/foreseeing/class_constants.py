"""What the bodies of classes bind to values that cannot change: attributes that objects may have from them.

Such a binding holds for as long as the program runs if nothing sets an attribute of that name on a class.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from opencwm.debugger.foreseeing.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.foreseeing.object_shapes import bound_in, mangled
from opencwm.debugger.foreseeing.pure_values import is_fixed

MAX_CHARS: Final = 1_000
"""Longer values are left to the model."""
NOTHING: Final = Builtins({})


def class_constants(
    classes: Mapping[str, ast.ClassDef],
    set_later: Collection[str],
    texts: Mapping[str, str] = MappingProxyType({}),
    builtins: Builtins = NOTHING,
) -> dict[tuple[str, str], str | None]:
    """Return how what classes bind reads, by class and name as it is looked up.

    None for what is bound more than once, conditionally, to what may change or may be a descriptor, or may be
    set later.

    Args:
        classes: of the program, by name.
        set_later: names that may be set on classes once they are made.
        texts: how names of its module read that stand for the same always.
        builtins: functions of Python that its names stand for.
    """
    found: dict[tuple[str, str], str | None] = {}
    for name, node in classes.items():
        values = dict(fixed_in(node, texts, builtins))
        for key in bound_in(node):
            found[name, mangled(key, name)] = values.get(key) if key not in set_later else None
    return found


def fixed_in(
    node: ast.ClassDef, texts: Mapping[str, str] = MappingProxyType({}), builtins: Builtins = NOTHING
) -> Iterator[tuple[str, str]]:
    """Yield the names that the body of a class binds once, at its top, to what cannot change.

    Args:
        node: the class.
        texts: how names of the module read that stand for the same always.
        builtins: functions of Python that its names stand for.
    """
    own = bound_in(node)
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
        if any(isinstance(part, ast.Name) and part.id in own for part in ast.walk(value)):
            continue
        try:
            made = evaluate(ast.unparse(value), texts, builtins=builtins, with_objects=True)
        except (ExpressionError, Undecided):
            continue
        if is_fixed(made.value) and len(made.text) <= MAX_CHARS:
            yield target.id, made.text
