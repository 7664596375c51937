"""Several statements on a line: one after the other, ``a = 1; b = 2``, or after a condition, ``if a: b = 2``.

The line is come to once, whatever runs on it.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.with_blocks import RETURNS, line_after, line_around, line_of

_SIMPLE: Final = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Pass, ast.Delete, ast.Assert),
    *(ast.Return, ast.Raise, ast.Break, ast.Continue),
)
_GENERATING: Final = (ast.Yield, ast.YieldFrom, ast.Await)
JUMPS: Final = (ast.Return, ast.Break, ast.Continue, ast.Raise)


class Together(ast.stmt):
    """Statements that stand on one line, one after the other."""

    _fields = ("body",)

    def __init__(self, body: list[ast.stmt]) -> None:
        super().__init__()
        self.body = body


@dataclasses.dataclass(frozen=True, slots=True)
class ShortIf:
    """An ``if`` whose body stands on its line.

    Attributes:
        otherwise: the line that runs next when its condition does not hold, or :data:`.RETURNS`; None where
            that is not certain.
        after: the same when its body was run to the end.
        is_bare: no ``with`` and no ``try`` is around it.
    """

    otherwise: int | None
    after: int | None
    is_bare: bool


def short_ifs(tree: ast.Module) -> dict[int, ShortIf]:
    """Return those of a program, by line."""
    parents = {child: node for node in nodes_of(tree) for child in ast.iter_child_nodes(node)}
    found: dict[int, ShortIf] = {}
    for node in nodes_of(tree):
        if isinstance(node, ast.If) and is_short(node):
            after = line_after(node, parents)
            otherwise = line_of(node.orelse[0]) if node.orelse else after
            found[node.lineno] = ShortIf(otherwise, after, line_around(node, parents) == RETURNS)
    return found


def is_short(node: ast.If) -> bool:
    """Whether the body of an ``if`` stands on its line."""
    return node.body[0].lineno == node.lineno


def on_one_line(nodes: Sequence[ast.AST]) -> ast.stmt | None:
    """Return the statement that all statements on a line make up; None where they are more than simple."""
    heads = [node for node in nodes if isinstance(node, ast.If)]
    simple = [node for node in nodes if isinstance(node, _SIMPLE) and node.end_lineno == node.lineno]
    parts = [part for node in nodes for part in ast.walk(node)]
    if len(heads) + len(simple) < len(nodes) or any(isinstance(part, _GENERATING) for part in parts):
        return None
    if not heads:
        return Together(sorted(simple, key=lambda node: node.col_offset))
    is_whole = len(heads) == 1 and heads[0].body == sorted(simple, key=lambda node: node.col_offset)
    return heads[0] if is_whole else None
