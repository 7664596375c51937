"""Locals that are a method of what another local is: ``add = found.append``."""

from __future__ import annotations

import ast
import types
from collections.abc import Collection, Iterator

from opencwm.debugger.disguises import Disguises
from opencwm.debugger.expectations import Made
from opencwm.debugger.expressions import Undecided, known_value
from opencwm.debugger.hooks import arguments, holders, hook_name
from opencwm.debugger.pure_values import Shown, kind_of


def assigned(node: ast.AST) -> Iterator[tuple[str, ast.Attribute, str]]:
    """Yield what an assignment binds to attributes of names: the name, the attribute, and whose it is."""
    if not isinstance(node, ast.Assign) or len(node.targets) > 1:
        return
    targets, value = [node.targets[0]], _inner(node.value)
    values = [value]
    if isinstance(targets[0], ast.Tuple) and isinstance(value, ast.Tuple):
        targets, values = targets[0].elts, [_inner(item) for item in value.elts]
    if len(targets) != len(values):
        return
    for target, item in zip(targets, values, strict=True):
        owner, fields = holders(item)
        if isinstance(target, ast.Name) and isinstance(item, ast.Attribute) and owner and len(fields) == 1:
            yield target.id, item, owner


def _inner(node: ast.expr) -> ast.expr:
    while hook_name(node) in ("operand", "result"):
        node = arguments(node)[-1]
    return node


def bound_method(text: str | None, name: str, disguises: Disguises) -> Made | None:
    """Return how a method reads that is looked up in a value of a built-in type; None for anything else."""
    try:
        value = Shown("") if text is None else known_value(text)
    except Undecided:
        return None
    kind = kind_of(value)
    method = vars(kind).get(name) if kind.__module__ == "builtins" else None
    if not isinstance(method, types.MethodDescriptorType) or not disguises.spare(text or ""):
        return None
    return Made(f"<built-in method {name} of {kind.__name__} object>")


def remembered(node: ast.AST, state: Collection[str], rebound: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the locals that an assignment makes methods of others, with the names of both."""
    return {
        name: (owner, attribute.attr)
        for name, attribute, owner in assigned(node)
        if owner in state and owner not in rebound
    }
