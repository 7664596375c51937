"""How names are bound in a program, as far as instrumenting it needs to know."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from typing import Any

BUILTINS = frozenset(dir(builtins))
_DEFINITIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})
_CAPTURES = frozenset({ast.ExceptHandler, ast.MatchStar, ast.MatchAs})
_LEAVES = frozenset({ast.Name, ast.Constant})


class BoundNames:
    """How names are bound anywhere in the program.

    Attributes:
        constant: names that stand for one function, class or module, so that they read as themselves.
        shared: declared ``global`` or ``nonlocal``, or bound by an assignment expression, somewhere.
    """

    def __init__(self, tree: ast.AST) -> None:
        defined: set[str] = set()
        bound: set[str] = set()
        self.shared: set[str] = set()
        for node in nodes_of(tree):
            kind = type(node)
            if kind is ast.Name:
                if type(node.ctx) is not ast.Load:
                    bound.add(node.id)
            elif kind is ast.arg:
                bound.add(node.arg)
            elif kind in _DEFINITIONS:
                defined.add(node.name)
            elif kind is ast.alias:
                defined.add((node.asname or node.name).split(".")[0])
            elif kind is ast.NamedExpr:
                self.shared.add(node.target.id)
            elif kind is ast.Global or kind is ast.Nonlocal:
                self.shared.update(node.names)
            elif kind in _CAPTURES and node.name:
                bound.add(node.name)
            elif kind is ast.MatchMapping and node.rest:
                bound.add(node.rest)
        self.constant = (BUILTINS | defined) - bound


def nodes_of(tree: ast.AST) -> Iterator[Any]:
    """Yield a syntax tree's nodes in no particular order, without what constants and contexts are made of."""
    nodes: list[Any] = [tree]
    while nodes:
        node = nodes.pop()
        yield node
        if type(node) in _LEAVES:
            continue
        for field in node._fields:
            found = getattr(node, field)
            if type(found) is list:
                nodes += [item for item in found if isinstance(item, ast.AST)]
            elif isinstance(found, ast.AST):
                nodes.append(found)
