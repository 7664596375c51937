"""Calls of a program's own functions in the statements of its module, as what those return.

``LABELS = (noop('zero'), noop('one'))``: a function that does nothing but return an expression is put in the
place of its calls, with what it is called with in the places of its parameters.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping

_MAX_DEPTH = 4
"""Calls within what functions return that are looked into."""
_SCOPED = (ast.Lambda, ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Returning:
    """The functions of one module that do nothing but return an expression.

    Args:
        tree: of the module.
        texts: how names of it read that stand for the same always.
    """

    def __init__(self, tree: ast.Module, texts: Mapping[str, str]) -> None:
        self._found = {
            node.name: (names, value)
            for node, names, value in _returning(tree)
            if texts.get(node.name) == f"<function {node.name}>"
        }

    def inlined(self, node: ast.expr) -> ast.expr:
        """Return an expression with what those of the functions return in the places of their calls."""
        named = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        if named.isdisjoint(self._found):
            return node
        loops = [part.target for part in ast.walk(node) if isinstance(part, ast.comprehension)]
        bound = {part.id for loop in loops for part in ast.walk(loop) if isinstance(part, ast.Name)}
        made: ast.expr = _Inliner(self._found, bound, _MAX_DEPTH).visit(copy.deepcopy(node))
        return ast.fix_missing_locations(made)


def _returning(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, list[str], ast.expr]]:
    """Yield the functions at the top that do nothing but return something, with their parameters and that."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.decorator_list:
            continue
        last, arguments = node.body[-1], node.args
        others = (arguments.posonlyargs, arguments.kwonlyargs, arguments.defaults, arguments.kw_defaults)
        is_plain = not any(others) and arguments.vararg is None and arguments.kwarg is None
        documentation = [part for part in node.body[:-1] if not _is_text(part)]
        if not is_plain or documentation or not isinstance(last, ast.Return) or last.value is None:
            continue
        if not any(isinstance(part, (*_SCOPED, *_COMPREHENSIONS)) for part in ast.walk(last.value)):
            yield node, [argument.arg for argument in arguments.args], last.value


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _Inliner(ast.NodeTransformer):
    """Puts what functions return in the places of their calls.

    Args:
        found: parameters and what is returned, by function.
        bound: names that comprehensions around the calls bind.
        depth: calls within calls that are still looked into.
    """

    def __init__(self, found: Mapping[str, tuple[list[str], ast.expr]], bound: set[str], depth: int) -> None:
        self._found, self._bound, self._depth = found, bound, depth

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Return what a call gives, or the call."""
        self.generic_visit(node)
        names, value = self._found.get(node.func.id if isinstance(node.func, ast.Name) else "", ([], None))
        is_plain = not node.keywords and not any(isinstance(item, ast.Starred) for item in node.args)
        if value is None or not is_plain or len(node.args) != len(names) or not self._depth:
            return node
        used = {part.id for part in ast.walk(value) if isinstance(part, ast.Name)}
        if not (used - set(names)).isdisjoint(self._bound) or not set(names).isdisjoint(self._found):
            return node
        inner: ast.expr = _Inliner(self._found, self._bound, self._depth - 1).visit(copy.deepcopy(value))
        replaced: ast.expr = _Replacing(dict(zip(names, node.args, strict=True))).visit(inner)
        return replaced


class _Replacing(ast.NodeTransformer):
    """Puts expressions in the places of names."""

    def __init__(self, places: Mapping[str, ast.expr]) -> None:
        self._places = places

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return the expression for a name, or the name."""
        return copy.deepcopy(self._places.get(node.id, node))
