"""Operators on names: another variable, another method, another builtin, another exception.

Each takes the file and a node of the type it is listed for in ``operators.py``, and yields changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from opencwm.corpus.mutants.changes import Change, Edit, replacement
from opencwm.corpus.mutants.source_file import SourceFile

METHODS: Final[tuple[tuple[str, ...], ...]] = (
    ("lower", "upper", "swapcase", "title", "capitalize"),
    ("find", "rfind"),
    ("index", "rindex"),
    ("split", "rsplit"),
    ("strip", "lstrip", "rstrip"),
    ("partition", "rpartition"),
    ("startswith", "endswith"),
    ("removeprefix", "removesuffix"),
    ("ljust", "rjust", "center"),
    ("isdigit", "isalpha", "isalnum", "isspace"),
    ("islower", "isupper"),
    ("append", "extend"),
    ("appendleft", "append"),
    ("popleft", "pop"),
    ("add", "discard"),
    ("remove", "append"),
    ("keys", "values", "items"),
    ("get", "pop"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("issubset", "issuperset"),
    ("sort", "reverse"),
    ("match", "search", "fullmatch"),
    ("floor", "ceil"),
    ("bisect_left", "bisect_right"),
    ("most_common", "elements"),
)
"""Methods that take each other's place."""
FUNCTIONS: Final[tuple[tuple[str, ...], ...]] = (
    ("min", "max"),
    ("max", "sum"),
    ("any", "all"),
    ("int", "float"),
    ("sorted", "list"),
    ("list", "tuple", "set"),
    ("sorted", "reversed"),
    ("str", "repr"),
    ("chr", "ord"),
    ("bin", "oct", "hex"),
    ("abs", "int"),
    ("map", "filter"),
    ("set", "frozenset"),
)
"""Builtins that take each other's place."""
EXCEPTIONS: Final[tuple[str, ...]] = (
    "ValueError",
    "TypeError",
    "KeyError",
    "IndexError",
    "AttributeError",
    "ZeroDivisionError",
)


def _others(groups: tuple[tuple[str, ...], ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for group in groups:
        for name in group:
            found.setdefault(name, []).extend(other for other in group if other != name)
    return {name: tuple(dict.fromkeys(others)) for name, others in found.items()}


_METHODS: Final = _others(METHODS)
_FUNCTIONS: Final = _others(FUNCTIONS)


def replace_name(file: SourceFile, node: ast.Name) -> Iterator[Change]:
    """Turn ``total + x`` into ``total + y``: another variable of the function that may have a value there."""
    function = file.function(node)
    if function is None or not _is_variable(file, node):
        return
    for name, line in sorted(file.bindings(function).items()):
        if name != node.id and line < node.lineno and name not in ("self", "cls"):
            yield replacement(file, node, ast.Name(name, ast.Load()), name)


def swap_names(file: SourceFile, node: ast.Name) -> Iterator[Change]:
    """Turn ``xs[i] - ys[j]`` into ``xs[j] - ys[i]``: two variables of one expression, everywhere in it."""
    root = file.root(node)
    if root is None or not _is_variable(file, node):
        return
    inside = [
        item
        for item in file.nodes.get(ast.Name, ())
        if isinstance(item, ast.Name) and file.root(item) is root and _is_variable(file, item)
    ]
    first = next((item for item in inside if item.id == node.id), None)
    if first is not node:  # once for each name, at its first mention
        return
    own = [item for item in inside if item.id == node.id]
    for name in dict.fromkeys(item.id for item in inside if item.lineno >= node.lineno):
        theirs = [item for item in inside if item.id == name]
        if name <= node.id:
            continue
        renamed = [(item, name) for item in own] + [(item, node.id) for item in theirs]
        edits = tuple(Edit(*file.span(item), new) for item, new in renamed)
        yield Change(node, edits, {item: ast.Name(new, ast.Load()) for item, new in renamed})


def _is_variable(file: SourceFile, node: ast.Name) -> bool:
    """Whether a name reads a local variable as a value."""
    above, function = file.parent(node), file.function(node)
    if not isinstance(node.ctx, ast.Load) or function is None or node.id in ("self", "cls"):
        return False
    return node.id in file.bindings(function) and not (isinstance(above, ast.Call) and above.func is node)


def swap_method(file: SourceFile, node: ast.Call) -> Iterator[Change]:
    """Turn ``s.lower()`` into ``s.upper()``, ``s.find(t)`` into ``s.rfind(t)``."""
    func = node.func
    if not isinstance(func, ast.Attribute):
        return
    end = file.span(func)[1]
    start = end - len(func.attr)
    for name in _METHODS.get(func.attr, ()):
        new = ast.Attribute(func.value, name, func.ctx)
        yield Change(func, (Edit(start, end, name),), {func: new})


def swap_function(file: SourceFile, node: ast.Call) -> Iterator[Change]:
    """Turn ``min(xs)`` into ``max(xs)``."""
    func = node.func
    if isinstance(func, ast.Name) and func.id not in file.bound_names:
        for name in _FUNCTIONS.get(func.id, ()):
            if name not in file.bound_names:
                yield replacement(file, func, ast.Name(name, ast.Load()), name)


def swap_exception(file: SourceFile, node: ast.ExceptHandler) -> Iterator[Change]:
    """Turn ``except KeyError:`` into ``except ValueError:``."""
    kind = node.type
    if isinstance(kind, ast.Name) and kind.id in EXCEPTIONS and kind.id not in file.bound_names:
        for name in EXCEPTIONS:
            if name != kind.id:
                yield replacement(file, kind, ast.Name(name, ast.Load()), name)
