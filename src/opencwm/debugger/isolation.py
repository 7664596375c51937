"""Which functions of a program cannot reach an object of their caller that they are not given.

The one idea: a function at the top of a file sees its arguments and what the module holds. Where the module
holds nothing that can change (no containers, no default arguments or class attributes made of them) and no
function puts anything there, a call whose arguments cannot change either leaves every object of its caller as
it is. Errs on the side of reaching; what lies in imported modules is taken to be out of reach.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator
from typing import Final

from opencwm.core.syntax import nodes_of

_BY_STRING: Final = frozenset({"globals", "locals", "vars", "eval", "exec", "setattr", "__import__"})


_KEEPING_NOTHING: Final = frozenset(
    {"property", "setter", "getter", "deleter", "staticmethod", "classmethod"}
    | {"abstractmethod", "dataclass", "total_ordering", "final", "override"}
)
"""Decorators that keep no object of a run."""


def functions_apart(tree: ast.Module) -> dict[str, int]:
    """Return such functions by name, with the first lines of their definitions; none if the module shares.

    Generators, coroutines, decorated functions, and names that are bound twice are left out.
    """
    if shares(tree):
        return {}
    bound = collections.Counter(bound_at_top(tree))
    return {
        node.name: node.lineno
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and bound[node.name] == 1
        and not node.decorator_list
        and not any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(node))
    }


def bound_at_top(node: ast.AST) -> Iterator[str]:
    """Yield every name as often as the module binds it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child.name
        elif isinstance(child, ast.alias):
            yield (child.asname or child.name).partition(".")[0]
        elif isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
            yield child.id
        else:
            yield from bound_at_top(child)


def shares(tree: ast.Module) -> bool:
    """Whether the module holds, or may come to hold, what can change."""
    top = set(bound_at_top(tree))
    return not all(_is_fixed(statement) for statement in tree.body) or any(
        isinstance(node, ast.Global)
        or (isinstance(node, ast.Name) and node.id in _BY_STRING)
        or (isinstance(node, ast.arguments) and not all(map(_is_atom, _defaults(node))))
        or (
            isinstance(node, ast.Attribute)
            and not isinstance(node.ctx, ast.Load)
            and _may_be_shared(node, top)
        )
        for node in nodes_of(tree)
    )


def _is_fixed(statement: ast.stmt) -> bool:
    """Whether a statement of a module or of a class leaves nothing there that can change."""
    if isinstance(statement, ast.ClassDef):
        is_plain = not statement.keywords and all(map(_is_harmless, statement.decorator_list))
        return is_plain and all(map(_is_fixed, statement.body))
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return all(map(_is_harmless, statement.decorator_list))
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return statement.value is None or _is_atom(statement.value)
    if isinstance(statement, ast.If):  # such as what runs a file as a program
        return all(map(_is_fixed, (*statement.body, *statement.orelse)))
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.Expr | ast.Pass)


def _defaults(arguments: ast.arguments) -> Iterator[ast.expr]:
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)


def _is_harmless(decorator: ast.expr) -> bool:
    """Whether a decorator keeps nothing that can change."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).rpartition(".")[2] in _KEEPING_NOTHING


def _is_atom(node: ast.expr) -> bool:
    """Whether an expression of a module, or of a class, is a value that cannot change."""
    if isinstance(node, ast.UnaryOp):
        return _is_atom(node.operand)
    if isinstance(node, ast.Tuple):
        return all(map(_is_atom, node.elts))
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "re.compile"
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Call) and _is_atom(node.value)
    return isinstance(node, ast.Constant)


def _may_be_shared(node: ast.Attribute, top: set[str]) -> bool:
    """Whether the object whose attribute is set may be a module, a class or a function."""
    return not isinstance(node.value, ast.Name) or node.value.id in top or node.value.id == "cls"
