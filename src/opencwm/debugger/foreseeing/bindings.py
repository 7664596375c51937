"""Where a program binds names: how often each, and whether it may do so in ways that do not stand in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.qualified_names import FunctionNode

_BY_STRING: Final = frozenset({"globals", "vars", "eval", "exec", "setattr", "__import__"})


def names_by_string(tree: ast.Module) -> bool:
    """Whether a program may bind names, or set attributes, that do not stand in it as such."""
    return any(isinstance(node, ast.Name) and node.id in _BY_STRING for node in nodes_of(tree))


def bindings(tree: ast.AST, *, declared: bool = True) -> Iterator[str]:
    """Yield every name as often as it is bound anywhere, or deleted; twice more for each ``nonlocal`` of it.

    With ``declared`` likewise for each ``global``, so that a name that functions may rebind comes more than
    once.
    """
    for node in nodes_of(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, FunctionNode | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.Nonlocal) or (declared and isinstance(node, ast.Global)):
            yield from (*node.names, *node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
