"""Operators on constants, indices and ranges: one more, one less, another text.

Each takes the file and a node of the type it is listed for in ``operators.py``, and yields changes.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import Final

from opencwm.corpus.mutants.changes import Change, Edit, replacement
from opencwm.corpus.mutants.expressions import is_text
from opencwm.corpus.mutants.source_file import FunctionDef, SourceFile

_COLON: Final = re.compile(":")
_COUNTERS: Final = frozenset({"range", "enumerate"})


def change_number(file: SourceFile, node: ast.Constant) -> Iterator[Change]:
    """Turn ``3`` into ``4``, ``2`` or ``0``; ``0.5`` into ``1.5`` or ``1.0``."""
    value = node.value
    if type(value) is int:
        for new in dict.fromkeys((value + 1, value - 1, 0)):
            if new != value:
                yield replacement(file, node, _number(new), _written(file.text_of(node), new))
    elif type(value) is float and math.isfinite(value):
        for other in dict.fromkeys((value + 1.0, value * 2.0)):
            if other != value and math.isfinite(other):
                yield replacement(file, node, ast.Constant(other))


def flip_boolean(file: SourceFile, node: ast.Constant) -> Iterator[Change]:
    """Turn ``True`` into ``False``."""
    if isinstance(node.value, bool):
        yield replacement(file, node, ast.Constant(not node.value))


def change_text(file: SourceFile, node: ast.Constant) -> Iterator[Change]:
    """Turn ``'ab'`` into ``'b'``, ``'a'`` or ``'AB'``; ``''`` into ``' '``."""
    value, written = node.value, file.text_of(node)
    if not isinstance(value, str) or written[:1] not in ("'", '"') or "\n" in written:
        return
    for new in dict.fromkeys((value[1:], value[:-1], value.swapcase()) if value else (" ",)):
        if new != value:
            text = repr(new)
            if written[0] == '"' and not {'"', "'"} & set(text[1:-1]):
                text = f'"{text[1:-1]}"'
            yield replacement(file, node, ast.Constant(new), text)


def shift_slice(file: SourceFile, node: ast.Slice) -> Iterator[Change]:
    """Turn ``xs[1:n]`` into ``xs[2:n]`` or ``xs[1:n - 1]``; ``xs[:]`` into ``xs[1:]`` or ``xs[:-1]``."""
    start = file.span(node)[0]
    at = node.step if node.lower is None and node.upper is None else node.upper or node.lower
    above = file.parent(node)
    shown = at if at is not None else above if isinstance(above, ast.expr) else None
    if shown is None:
        return
    if node.lower is None:
        new = ast.Slice(ast.Constant(1), node.upper, node.step)
        yield Change(shown, (Edit(start, start, "1"),), {node: new})
    else:
        yield from _shifted(file, node.lower)
    if node.upper is None:
        colon = file.token_after(start if node.lower is None else file.span(node.lower)[1], _COLON)
        if colon is not None:
            new = ast.Slice(node.lower, _number(-1), node.step)
            yield Change(shown, (Edit(colon[1], colon[1], "-1"),), {node: new})
    else:
        yield from _shifted(file, node.upper)


def shift_index(file: SourceFile, node: ast.Subscript) -> Iterator[Change]:
    """Turn ``xs[0]`` into ``xs[1]``, ``xs[i]`` into ``xs[i + 1]`` where ``i`` counts."""
    index = node.slice
    if (isinstance(index, ast.Constant) and type(index.value) is int) or (
        isinstance(index, ast.UnaryOp | ast.BinOp | ast.Name) and _counts(file, index)
    ):
        yield from _shifted(file, index)


def shift_range(file: SourceFile, node: ast.Call) -> Iterator[Change]:
    """Turn ``range(n)`` into ``range(n - 1)``, ``range(n + 1)`` or ``range(1, n)``."""
    func, arguments = node.func, node.args
    if not isinstance(func, ast.Name) or func.id != "range" or "range" in file.bound_names:
        return
    if node.keywords or any(isinstance(item, ast.Starred) for item in arguments):
        return
    if len(arguments) == 1:
        start = file.span(arguments[0])[0]
        new = ast.Call(func, [ast.Constant(1), arguments[0]], [])
        yield Change(node, (Edit(start, start, "1, "),), {node: new})
    for item in arguments[:2]:
        yield from _shifted(file, item)


def _shifted(file: SourceFile, node: ast.expr) -> Iterator[Change]:
    """Yield an expression one more and one less; a constant is written as the new constant."""
    value = _value(node)
    for by in (1, -1):
        if value is not None:
            yield replacement(file, node, _number(value + by))
        else:
            end = file.span(node)[1]
            new = ast.BinOp(node, ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))
            text = " + 1" if by > 0 else " - 1"
            yield Change(node, (Edit(end, end, text),), {node: new}, around=node, parts=(node,))


def _counts(file: SourceFile, node: ast.expr) -> bool:
    """Whether an index is a number, as far as its form and the loops of its function tell."""
    if _value(node) is not None:
        return True
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Sub | ast.FloorDiv | ast.Mod) and not is_text(node.left)
    function = file.function(node)
    return isinstance(node, ast.Name) and function is not None and node.id in _counting_names(function)


def _counting_names(function: FunctionDef) -> set[str]:
    """Return names that a function counts with: targets of ``range`` and ``enumerate``, ``n += 1``."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Call):
            target, func = node.target, node.iter.func
            if isinstance(func, ast.Name) and func.id in _COUNTERS:
                first = target.elts[0] if isinstance(target, ast.Tuple) and func.id == "enumerate" else target
                if isinstance(first, ast.Name):
                    found.add(first.id)
        elif (
            isinstance(node, ast.AugAssign)
            and isinstance(node.target, ast.Name)
            and _value(node.value) is not None
        ):
            found.add(node.target.id)
    return found


def _value(node: ast.expr) -> int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _value(node.operand)
        return None if inner is None else -inner
    return None


def _number(value: int) -> ast.expr:
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def _written(old: str, value: int) -> str:
    """Write a number in the base of the one it replaces."""
    for prefix, write in (("0x", hex), ("0b", bin), ("0o", oct)):
        if old.lower().startswith(prefix):
            return write(value)
    return str(value)
