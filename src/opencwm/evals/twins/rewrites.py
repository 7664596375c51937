"""Rewrites that are to leave what a program does as it is: another order, other words for the same.

Each takes a tree, changes it in place and says whether anything changed. They hold for values of the usual
kinds; whether they hold for a given call is told by running it (:mod:`opencwm.evals.twins.making`).
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from typing import Final

from opencwm.evals.twins.names import all_names, new_names

_PLAIN: Final = (
    *(ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop),
    *(ast.List, ast.Tuple, ast.Dict, ast.Set),
)
"""What an expression may consist of to be worked out earlier or later."""


def reorder(tree: ast.Module, rng: random.Random) -> bool:
    """Shuffle top-level functions that stand together, and swap neighbouring independent assignments."""
    is_changed = _shuffle_functions(tree, rng)
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                is_changed |= _swap_assignments(block)
    return is_changed


def _shuffle_functions(tree: ast.Module, rng: random.Random) -> bool:
    places = [index for index, node in enumerate(tree.body) if _is_plain_function(node)]
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    is_together = bool(places) and places == list(range(places[0], places[0] + len(places)))
    if len(places) < 2 or not is_together or len(set(names)) < len(names):
        return False
    order = places[:]
    while order == places:
        rng.shuffle(order)
    nodes = [tree.body[index] for index in order]
    for index, node in zip(places, nodes, strict=True):
        tree.body[index] = node
    return True


def _is_plain_function(node: ast.stmt) -> bool:
    """Whether defining a function does nothing but bind its name."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return False
    arguments = node.args
    parts = [*arguments.defaults, *(item for item in arguments.kw_defaults if item is not None)]
    hints = [item.annotation for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return all(isinstance(part, ast.Constant) for part in parts) and not any([*hints, node.returns])


def _swap_assignments(block: list[ast.stmt]) -> bool:
    is_changed = False
    index = 0
    while index + 1 < len(block):
        one, other = _assignment(block[index]), _assignment(block[index + 1])
        if one and other and not ({one[0]} & ({other[0]} | other[1])) and other[0] not in one[1]:
            block[index], block[index + 1] = block[index + 1], block[index]
            is_changed = True
            index += 2
        else:
            index += 1
    return is_changed


def _assignment(node: ast.stmt) -> tuple[str, set[str]] | None:
    """Return the name a plain assignment binds and the names it reads."""
    if not (
        isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    ):
        return None
    parts = list(ast.walk(node.value))
    if not all(isinstance(part, _PLAIN) for part in parts):
        return None
    return node.targets[0].id, {part.id for part in parts if isinstance(part, ast.Name)}


def rewrite(tree: ast.Module, rng: random.Random) -> bool:
    """Say things in other words: ``for`` over a range as ``while``, comparisons denied, branches swapped."""
    rewriter = _Rewriter(all_names(tree), rng)
    rewriter.visit(tree)
    return rewriter.is_changed


class _Rewriter(ast.NodeTransformer):
    def __init__(self, taken: set[str], rng: random.Random) -> None:
        self._taken = taken
        self._rng = rng
        self.is_changed = False

    def visit_For(self, node: ast.For) -> ast.AST | list[ast.stmt]:
        """``for i in range(a, b, 2)`` counts by hand."""
        self.generic_visit(node)
        bounds = _range_of(node)
        if bounds is None:
            return node
        start, stop, step = bounds
        count, end = new_names(["count", "end"], self._taken, self._rng).values()
        self._taken |= {count, end}
        self.is_changed = True

        def load(name: str) -> ast.Name:
            return ast.Name(name, ast.Load())

        def store(name: str, value: ast.expr) -> ast.stmt:
            return ast.Assign([ast.Name(name, ast.Store())], value)

        follows: ast.cmpop = ast.Lt() if step > 0 else ast.Gt()
        advance = ast.AugAssign(
            ast.Name(count, ast.Store()), ast.Add() if step > 0 else ast.Sub(), ast.Constant(abs(step))
        )
        loop = ast.While(
            ast.Compare(load(count), [follows], [load(end)]),
            [ast.Assign([node.target], load(count)), advance, *node.body],
            node.orelse,
        )
        return [store(count, start), store(end, stop), loop]

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Deny the opposite, only beside a whole number or a length: some floats have no order."""
        self.generic_visit(node)
        denied = _DENIED.get(type(node.ops[0]))
        if denied is None or len(node.ops) > 1 or not any(map(_is_whole, (node.left, *node.comparators))):
            return node
        self.is_changed = True
        return ast.UnaryOp(ast.Not(), ast.Compare(node.left, [denied()], node.comparators))

    def visit_If(self, node: ast.If) -> ast.AST:
        """``if a: x else: y`` as ``if not a: y else: x``."""
        self.generic_visit(node)
        if not node.orelse or isinstance(node.orelse[0], ast.If):
            return node
        self.is_changed = True
        return ast.If(_denial(node.test), node.orelse, node.body)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """Likewise for an expression."""
        self.generic_visit(node)
        self.is_changed = True
        return ast.IfExp(_denial(node.test), node.orelse, node.body)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """``n += 1`` as ``n = n + 1``; only with whole numbers: for lists the two differ."""
        self.generic_visit(node)
        if not isinstance(node.target, ast.Name) or not _is_whole(node.value):
            return node
        self.is_changed = True
        read = ast.Name(node.target.id, ast.Load())
        return ast.Assign([ast.Name(node.target.id, ast.Store())], ast.BinOp(read, node.op, node.value))


_DENIED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


def _denial(test: ast.expr) -> ast.expr:
    is_denied = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return test.operand if is_denied and isinstance(test, ast.UnaryOp) else ast.UnaryOp(ast.Not(), test)


def _is_whole(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


def _range_of(node: ast.For) -> tuple[ast.expr, ast.expr, int] | None:
    """Return start, stop and step of the range that a loop over one name goes through."""
    call = node.iter
    is_range = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
    if (
        not is_range
        or not isinstance(call, ast.Call)
        or call.keywords
        or not isinstance(node.target, ast.Name)
    ):
        return None
    parts = call.args
    if not 1 <= len(parts) <= 3 or any(isinstance(part, ast.Starred) for part in parts):
        return None
    step = 1
    if len(parts) == 3:
        try:
            step = ast.literal_eval(parts[2])
        except (ValueError, TypeError, SyntaxError):
            return None
        if type(step) is not int or step == 0:
            return None
    return (ast.Constant(0), parts[0], step) if len(parts) == 1 else (parts[0], parts[1], step)


REWRITES: Final[dict[str, Callable[[ast.Module, random.Random], bool]]] = {
    "reordered": reorder,
    "rewritten": rewrite,
}
