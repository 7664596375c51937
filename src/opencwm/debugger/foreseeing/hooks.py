"""The calls of hooks in a rewritten syntax tree, see :mod:`opencwm.tracer.instrument`."""

from __future__ import annotations

import ast
from typing import Any, Final

from opencwm.tracer.sites import MARKERS

_ITERATORS: Final = frozenset({"enumerate", "zip", "map", "filter", "reversed", "iter"})


def marked(node: ast.expr) -> tuple[int, list[ast.expr]]:
    """Return the site and the further arguments of a call of a hook."""
    assert isinstance(node, ast.Call)  # noqa: S101 - as it was made
    first, *rest = node.args
    assert isinstance(first, ast.Constant) and type(first.value) is int  # noqa: S101, PT018 - as it was made
    return first.value, rest


def arguments(node: ast.expr) -> list[Any]:
    """Return the arguments of a hook: its site, perhaps the number of an operand, and expressions."""
    site, rest = marked(node)
    if hook_name(node) in ("operand", "decision", "link"):
        assert isinstance(rest[0], ast.Constant)  # noqa: S101 - as it was made
        return [site, rest[0].value, *rest[1:]]
    return [site, *rest]


def is_super(node: ast.expr) -> bool:
    """Whether an expression calls ``super``."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def unhooked(node: ast.expr) -> ast.expr:
    """Return an expression without the hooks that report it and its use as an operand."""
    while hook_name(node) in ("operand", "result"):
        node = arguments(node)[-1]
    return node


def raises_again(node: ast.AST | None) -> bool:
    """Whether what stands on a line may be a ``raise`` of whatever is being handled."""
    parts = [node, *getattr(node, "body", [])] if isinstance(node, ast.stmt) else []
    return any(isinstance(part, ast.Raise) and part.exc is None for part in parts)


def is_lazy(node: ast.expr) -> bool:
    """Whether an expression makes an iterator of Python, which reads as no more than that."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return node.func.id in _ITERATORS


def is_note(node: ast.stmt) -> bool:
    """Whether a statement was put in to report the item of a loop."""
    return isinstance(node, ast.Expr) and hook_name(node.value) in ("item", "exhausted")


def hook_name(node: ast.expr) -> str:
    """Return the name of the hook that a node calls, empty when it calls none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Constant) and type(node.func.value) is str:
        return MARKERS.get(node.func.value, "")
    return ""


def holders(node: ast.expr) -> tuple[str, list[str | None]]:
    """Return through what an object is come by: a name, and the attributes by name or items (None) of it.

    They stand in the order of evaluation. The name is empty where it is anything else.
    """
    fields: list[str | None] = []
    while True:
        while hook_name(node) in ("operand", "holder", "result"):
            node = arguments(node)[-1]
        if hook_name(node) == "fetched":
            node = arguments(node)[1]
        if isinstance(node, ast.Name):
            return node.id, fields[::-1]
        if isinstance(node, ast.Attribute):
            fields.append(node.attr)
        elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            fields.append(None)
        else:
            return "", []
        node = node.value


def is_call_of_names(node: ast.expr) -> bool:
    """Whether an expression is a call in which nothing but names, and what they hold, is looked up."""
    while hook_name(node) in ("operand", "result"):
        node = arguments(node)[-1]
    if not isinstance(node, ast.Call) or node.keywords:
        return False
    return all(bool(holders(part)[0]) or isinstance(part, ast.Constant) for part in (node.func, *node.args))


def plain_name(node: ast.expr) -> str:
    """Return the name that an expression is, whether or not it reports itself; empty for any other."""
    if hook_name(node) in ("operand", "holder"):
        node = arguments(node)[-1]
    elif hook_name(node) == "fetched":
        node = arguments(node)[1]
    return node.id if isinstance(node, ast.Name) else ""
