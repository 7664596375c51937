"""Operators on what expressions are made of: arithmetic, comparisons, conditions, elements, calls.

Each takes the file and a node of the type it is listed for in ``operators.py``, and yields changes.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import Final

from opencwm.corpus.mutants.changes import ATOMS, Change, Edit, replacement
from opencwm.corpus.mutants.source_file import SourceFile

_ARITHMETIC: Final[dict[type[ast.operator], tuple[type[ast.operator], ...]]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Mod, ast.Div),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.FloorDiv,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitOr, ast.BitAnd),
}
"""Nothing becomes a power or a left shift: a loop of them does not end in any memory."""
_BOUNDARIES: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE,),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE,),
    ast.GtE: (ast.Gt,),
}
_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.Gt, ast.GtE),
    ast.LtE: (ast.GtE, ast.Gt),
    ast.Gt: (ast.Lt, ast.LtE),
    ast.GtE: (ast.LtE, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_SYMBOLS: Final[dict[type[ast.AST], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.And: "and",
    ast.Or: "or",
}
_PATTERNS: Final = {
    kind: re.compile(re.escape(symbol).replace(r"\ ", r"(?:\s|\\\n)+")) for kind, symbol in _SYMBOLS.items()
}
_NON_COMMUTATIVE: Final = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod)
_NOT: Final = re.compile(r"not(?:\s|\\\n)*|-\s*")
_DROPPABLE_ARGUMENTS: Final = frozenset(
    {
        "get",
        "pop",
        "split",
        "rsplit",
        "strip",
        "lstrip",
        "rstrip",
        "replace",
        "find",
        "rfind",
        "index",
        "count",
    }
    | {
        "startswith",
        "endswith",
        "sort",
        "sorted",
        "min",
        "max",
        "sum",
        "round",
        "enumerate",
        "int",
        "print",
        "join",
    }
)
_UNWRAPPED: Final = frozenset(
    {"sorted", "reversed", "abs", "list", "tuple", "set", "str", "int", "float", "bool", "round", "enumerate"}
)


def is_text(node: ast.AST) -> bool:
    """Whether a node is written as a string."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def swap_arithmetic(file: SourceFile, node: ast.BinOp | ast.AugAssign) -> Iterator[Change]:
    """Turn ``a + b`` into ``a - b``, ``n //= 2`` into ``n %= 2``."""
    left, right = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    token = (
        file.token_after(file.span(left)[1], _PATTERNS[type(node.op)]) if type(node.op) in _PATTERNS else None
    )
    if token is None or is_text(left) or is_text(right):
        return
    for kind in _ARITHMETIC.get(type(node.op), ()):
        edit = Edit(*token, _SYMBOLS[kind])
        if isinstance(node, ast.BinOp):
            new = ast.BinOp(left, kind(), right)
            yield Change(node, (edit,), {node: new}, around=node, parts=(left, right))
        else:
            yield Change(node, (edit,))


def swap_operands(file: SourceFile, node: ast.BinOp) -> Iterator[Change]:
    """Turn ``a - b`` into ``b - a``; sums only where one side is written as a string or a list."""
    left, right = node.left, node.right
    is_joined = any(is_text(side) or isinstance(side, ast.List | ast.Tuple) for side in (left, right))
    if (
        is_joined
        if isinstance(node.op, ast.Add)
        else isinstance(node.op, _NON_COMMUTATIVE) and not is_text(left)
    ):
        yield _exchange(file, left, right)


def boundary(file: SourceFile, node: ast.Compare) -> Iterator[Change]:
    """Turn ``a < b`` into ``a <= b``."""
    yield from _compared(file, node, _BOUNDARIES)


def swap_comparison(file: SourceFile, node: ast.Compare) -> Iterator[Change]:
    """Turn ``a < b`` into ``a > b``, ``a == b`` into ``a != b``, ``in`` into ``not in``."""
    yield from _compared(file, node, _COMPARISONS)


def _compared(
    file: SourceFile, node: ast.Compare, table: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]
) -> Iterator[Change]:
    left = node.left
    for index, (old, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
        token = file.token_after(file.span(left)[1], _PATTERNS[type(old)])
        left = right
        for kind in table.get(type(old), ()) if token else ():
            new = ast.Compare(
                node.left, [*node.ops[:index], kind(), *node.ops[index + 1 :]], node.comparators
            )
            yield Change(node, (Edit(*(token or (0, 0)), _SYMBOLS[kind]),), {node: new})


def swap_boolean(file: SourceFile, node: ast.BoolOp) -> Iterator[Change]:
    """Turn ``a and b`` into ``a or b``."""
    kind = ast.Or if isinstance(node.op, ast.And) else ast.And
    tokens = [file.token_after(file.span(value)[1], _PATTERNS[type(node.op)]) for value in node.values[:-1]]
    edits = tuple(Edit(*token, _SYMBOLS[kind]) for token in tokens if token is not None)
    if len(edits) == len(tokens):
        new = ast.BoolOp(kind(), node.values)
        yield Change(node, edits, {node: new}, around=node, parts=tuple(node.values))


def drop_operand(file: SourceFile, node: ast.BoolOp) -> Iterator[Change]:
    """Turn ``a and b`` into ``a``."""
    for index in range(len(node.values)):
        kept = [*node.values[:index], *node.values[index + 1 :]]
        if len(kept) == 1:
            yield replacement(file, node, kept[0], file.text_of(kept[0]))
        else:
            text = f" {_SYMBOLS[type(node.op)]} ".join(
                f"({file.text_of(item)})"
                if isinstance(item, ast.BoolOp | ast.IfExp | ast.Lambda)
                else file.text_of(item)
                for item in kept
            )
            yield replacement(file, node, ast.BoolOp(node.op, kept), text)


def negate_condition(
    file: SourceFile, node: ast.If | ast.While | ast.IfExp | ast.Assert | ast.comprehension
) -> Iterator[Change]:
    """Turn ``if a:`` into ``if not a:``."""
    for test in node.ifs if isinstance(node, ast.comprehension) else (node.test,):
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            continue  # drop_negation does it
        start = file.span(test)[0]
        new = ast.UnaryOp(ast.Not(), test)
        yield Change(test, (Edit(start, start, "not "),), {test: new}, around=test, parts=(test,))


def drop_negation(file: SourceFile, node: ast.UnaryOp) -> Iterator[Change]:
    """Turn ``not a`` into ``a``, ``-n`` into ``n``."""
    start = file.span(node)[0]
    token = _NOT.match(file.text, start)
    if token and isinstance(node.op, ast.Not | ast.USub):
        yield Change(node, (Edit(start, token.end(), ""),), {node: node.operand}, around=node)


def swap_branches(file: SourceFile, node: ast.IfExp) -> Iterator[Change]:
    """Turn ``a if c else b`` into ``b if c else a``."""
    yield _exchange(file, node.body, node.orelse)


def drop_filter(file: SourceFile, node: ast.comprehension) -> Iterator[Change]:
    """Turn ``[x for x in xs if x]`` into ``[x for x in xs]``."""
    owner = file.parent(node)
    if len(node.ifs) != 1 or owner is None:
        return
    test = node.ifs[0]
    start, end = file.span(node.iter)[1], file.span(test)[1]
    new = ast.comprehension(node.target, node.iter, [], node.is_async)
    yield Change(test, (Edit(start, end, ""),), {node: new})


def swap_elements(file: SourceFile, node: ast.Tuple | ast.List) -> Iterator[Change]:
    """Turn ``return a, b`` into ``return b, a``."""
    if isinstance(node.ctx, ast.Load):
        for one, other in itertools.pairwise(node.elts):
            yield _exchange(file, one, other)


def swap_arguments(file: SourceFile, node: ast.Call) -> Iterator[Change]:
    """Turn ``f(a, b)`` into ``f(b, a)``, ``f(x=a, y=b)`` into ``f(x=b, y=a)``."""
    plain = [item for item in node.args if not isinstance(item, ast.Starred)]
    named = [item.value for item in node.keywords if item.arg is not None]
    for values in (plain, named):
        for one, other in itertools.pairwise(values):
            yield _exchange(file, one, other)
    if len(plain) > 2:
        yield _exchange(file, plain[0], plain[-1])


def drop_argument(file: SourceFile, node: ast.Call) -> Iterator[Change]:
    """Turn ``d.get(k, 0)`` into ``d.get(k)``, ``sorted(xs, reverse=True)`` into ``sorted(xs)``."""
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    arguments: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
    ends = [file.span(item)[1] for item in arguments]
    if (
        name not in _DROPPABLE_ARGUMENTS
        or not ends
        or (name in file.bound_names and isinstance(func, ast.Name))
    ):
        return
    if node.keywords:
        new = ast.Call(func, node.args, node.keywords[:-1])
    elif len(node.args) > 1 or isinstance(func, ast.Attribute):
        new = ast.Call(func, node.args[:-1], [])
    else:
        return
    start = ends[-2] if len(ends) > 1 else file.span(arguments[0])[0]
    yield Change(node, (Edit(start, ends[-1], ""),), {node: new})


def unwrap_call(file: SourceFile, node: ast.Call) -> Iterator[Change]:
    """Turn ``sorted(xs)`` into ``xs``."""
    func = node.func
    is_known = isinstance(func, ast.Name) and func.id in _UNWRAPPED and func.id not in file.bound_names
    if is_known and len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred):
        yield replacement(file, node, node.args[0], file.text_of(node.args[0]))


def _exchange(file: SourceFile, one: ast.expr, other: ast.expr) -> Change:
    """Return the change that writes two expressions in each other's place."""
    edits = (
        Edit(*file.span(one), file.text_of(other), is_open=not isinstance(other, ATOMS)),
        Edit(*file.span(other), file.text_of(one), is_open=not isinstance(one, ATOMS)),
    )
    return Change(one, edits, {one: other, other: one})
