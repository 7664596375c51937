"""The ``with`` statements of a program: where their blocks lie, and what runs after them.

Read from the syntax alone. What follows a block is told only where no ``finally`` has a say in it.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.qualified_names import FunctionNode

RETURNS: Final = 0
"""Stands for the line after the last one of a function: it returns."""
UNWINDS: Final = -1
"""Stands for the line after an exception that leaves a function."""
_TRY: Final = (ast.Try, ast.TryStar)
_SILENT: Final = (ast.Global, ast.Nonlocal)
"""Statements that run nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class WithBlock:
    """One ``with`` statement.

    Attributes:
        lines: those of its body.
        bound: names that its body may bind or delete.
        begins: the line its body begins with; None where that is not certain.
        after: the line that runs after its body was run to the end, or :data:`RETURNS`; None as above.
        around: the line of the ``with`` right around it, :data:`RETURNS` for none; None where a ``try`` is.
        has_try: exceptions may come to its end that were not raised right before.
        is_final: it stands in a ``finally``, so that something may be waiting to be returned.
    """

    lines: range
    bound: frozenset[str]
    begins: int | None
    after: int | None
    around: int | None
    has_try: bool
    is_final: bool


def with_blocks(tree: ast.Module) -> dict[int, WithBlock]:
    """Return the ``with`` statements of a program by line; those that share a line are left out."""
    parents = {child: node for node in nodes_of(tree) for child in ast.iter_child_nodes(node)}
    found: dict[int, WithBlock] = {}
    starts = [node.lineno for node in nodes_of(tree) if isinstance(node, ast.stmt)]
    for node in nodes_of(tree):
        if not isinstance(node, ast.With) or node.body[0].lineno == node.lineno:
            continue
        if starts.count(node.lineno) == 1:
            found[node.lineno] = _block(node, parents)
    return found


def _block(node: ast.With, parents: Mapping[ast.AST, ast.AST]) -> WithBlock:
    inside = list(_within(node.body))
    return WithBlock(
        range(node.body[0].lineno, (node.end_lineno or 0) + 1),
        frozenset(_bound(inside)),
        line_of(node.body[0]),
        line_after(node, parents),
        line_around(node, parents),
        any(isinstance(part, _TRY) for part in inside),
        _is_final(node, parents),
    )


def _within(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield what belongs to the function in which some statements stand, inner ones left out."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _bound(inside: list[ast.AST]) -> Iterator[str]:
    for node in inside:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(getattr(node, "name", None), str):
            yield node.name  # type: ignore[attr-defined]
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def line_of(node: ast.stmt) -> int | None:
    """Return the line with which a statement begins to run; None where it may run none, or another."""
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_bare = isinstance(node, ast.AnnAssign) and node.value is None
    is_endless = isinstance(node, ast.While) and isinstance(node.test, ast.Constant)
    if (
        is_constant
        or is_bare
        or is_endless
        or isinstance(node, _SILENT)
        or getattr(node, "decorator_list", None)
    ):
        return None
    return node.lineno


def line_after(node: ast.stmt, parents: Mapping[ast.AST, ast.AST]) -> int | None:
    """Return the line that runs after a statement was run to its end."""
    parent = parents[node]
    for _, value in ast.iter_fields(parent):
        if isinstance(value, list) and node in value and value[-1] is not node:
            following: ast.stmt = value[value.index(node) + 1]
            return line_of(following)
    if isinstance(parent, FunctionNode):
        return RETURNS
    if isinstance(parent, ast.If) or (isinstance(parent, ast.For | ast.While) and node in parent.orelse):
        return line_after(parent, parents)
    if isinstance(parent, ast.For | ast.While | ast.With):
        return line_of(parent)
    return None


def line_around(node: ast.stmt, parents: Mapping[ast.AST, ast.AST]) -> int | None:
    """Return the line of the ``with`` that is left next when a statement is left by force."""
    while not isinstance(node, FunctionNode):
        above = parents[node]
        if not isinstance(above, ast.stmt) or isinstance(above, _TRY):
            return None
        if isinstance(above, ast.With):
            return above.lineno
        node = above
    return RETURNS


def _is_final(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    while not isinstance(node, FunctionNode | ast.Module):
        above = parents[node]
        if isinstance(above, _TRY) and node in above.finalbody:
            return True
        node = above
    return False
