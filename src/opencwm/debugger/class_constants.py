"""What the bodies of classes bind to values that cannot change: attributes that objects may have from them.

Such a binding holds for as long as the program runs if nothing sets an attribute of that name on a class.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.bindings import bindings, names_by_string
from opencwm.debugger.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.object_shapes import bound_in, mangled
from opencwm.debugger.pure_values import is_fixed

MAX_CHARS: Final = 1_000
"""Longer values are left to the model."""


def class_constants(
    classes: Mapping[str, ast.ClassDef], tree: ast.Module
) -> dict[tuple[str, str], str | None]:
    """Return how what classes bind reads, by class and name as it is looked up.

    None for what is bound more than once, conditionally, to what may change or may be a descriptor, or may be
    set elsewhere.
    """
    elsewhere = set(set_elsewhere(tree))
    if any(map(_calls_its_class_self, nodes_of(tree))):
        return {(name, mangled(key, name)): None for name, node in classes.items() for key in bound_in(node)}
    found: dict[tuple[str, str], str | None] = {}
    known = Builtins({}, dict(_modules(tree)))
    for name, node in classes.items():
        values = dict(_values(node, known))
        for key in bound_in(node):
            found[name, mangled(key, name)] = values.get(key) if key not in elsewhere else None
    return found


def _modules(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that stand for ``re`` wherever they are used."""
    if names_by_string(tree):
        return
    once = {name for name, number in collections.Counter(bindings(tree)).items() if number == 1}
    for node in tree.body:
        for alias in node.names if isinstance(node, ast.Import) else ():
            name = alias.asname or alias.name
            if alias.name == "re" and name in once:
                yield name, alias.name


def _values(node: ast.ClassDef, known: Builtins) -> Iterator[tuple[str, str]]:
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
            made = evaluate(ast.unparse(value), {}, builtins=known)
        except (ExpressionError, Undecided):
            continue
        if is_fixed(made.value) and len(made.text) <= MAX_CHARS:
            yield target.id, made.text


def _calls_its_class_self(node: ast.AST) -> bool:
    """Whether a node is a class method whose class is called ``self``."""
    return (
        isinstance(node, ast.FunctionDef)
        and "classmethod" in map(ast.unparse, node.decorator_list)
        and [item.arg for item in (*node.args.posonlyargs, *node.args.args)][:1] == ["self"]
    )


def set_elsewhere(tree: ast.Module) -> Iterator[str]:
    """Yield the names of attributes that are set on anything that is not called ``self``."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
            yield from () if is_own else (node.attr,)
