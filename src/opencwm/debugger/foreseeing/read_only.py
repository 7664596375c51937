"""Which names of a module stand for containers that nothing in the program can change.

The one idea: a container whose items cannot change stays as it is if its name is only ever used where Python
reads it, and where nothing keeps it: ``table[key]``, ``key in table``, ``for item in table``, ``len(table)``,
``table.get(key)``. Any other use may hand it on, and then nothing is said of it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Final

from opencwm.core.syntax import nodes_of

_READING: Final = frozenset({"copy", "count", "get", "index", "items", "keys", "values"}) | {
    *("difference", "intersection", "isdisjoint", "issubset", "issuperset", "symmetric_difference", "union")
}
_READERS: Final = frozenset(
    """all any bool dict enumerate frozenset iter len list max min repr reversed set sorted str sum tuple
    zip""".split()  # noqa: SIM905 - it reads better
)
"""Built-in functions that keep nothing of what they are given but its items."""


def read_only(tree: ast.Module, builtins: Collection[str]) -> Iterator[str]:
    """Yield the names that are used only where what they stand for is read.

    Args:
        tree: of the program.
        builtins: names in it that stand for functions of Python.
    """
    parents = {child: node for node in nodes_of(tree) for child in ast.iter_child_nodes(node)}
    uses: dict[str, bool] = {}
    for node in nodes_of(tree):
        if isinstance(node, ast.Name):
            is_read = not isinstance(node.ctx, ast.Load) or _is_read(node, parents, builtins)
            uses[node.id] = uses.get(node.id, True) and is_read
    yield from (name for name, is_read in uses.items() if is_read)


def _is_read(node: ast.expr, parents: dict[ast.AST, ast.AST], builtins: Collection[str]) -> bool:
    """Whether an expression stands where its value is read and not kept."""
    parent = parents[node]
    if isinstance(parent, ast.Subscript):
        return parent.value is node and isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Compare):
        return node in parent.comparators and all(isinstance(op, ast.In | ast.NotIn) for op in parent.ops)
    if isinstance(parent, ast.For | ast.comprehension):
        return parent.iter is node
    if isinstance(parent, ast.If | ast.While | ast.IfExp):
        return parent.test is node
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    if isinstance(parent, ast.Attribute):
        call = parents[parent]
        is_called = isinstance(call, ast.Call) and call.func is parent
        return isinstance(parent.ctx, ast.Load) and parent.attr in _READING and is_called
    if isinstance(parent, ast.Call) and node in parent.args:
        function = parent.func
        if isinstance(function, ast.Attribute):
            return function.attr == "join" and isinstance(function.value, ast.Constant)
        return isinstance(function, ast.Name) and function.id in _READERS and function.id in builtins
    return isinstance(parent, ast.Starred) and not isinstance(parents[parent], ast.Call)
