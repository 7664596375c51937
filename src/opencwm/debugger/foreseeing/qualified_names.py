"""What the functions of a program are called in full, and which they are, from its syntax tree.

A function reads ``<function outer.<locals>.inner>``; where only one of a program is called that, and nothing
in it gives functions another name, that tells which it is.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator, Sequence
from typing import Final

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_NAMES: Final = frozenset({"__name__", "__qualname__"})
_WRAPPERS: Final = frozenset({"wraps", "update_wrapper", "FunctionType"})
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class QualifiedNames:
    """The functions of one program.

    Args:
        tree: of the program.

    Attributes:
        functions: first line, definition and the class in whose body it stands, of each; a lambda that stands
            alone on its line is a definition with the name ``<lambda>``.
        is_renaming: whether something may have functions read otherwise than they are written.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.functions: list[tuple[int, FunctionNode, str]] = []
        self._names: dict[int, str] = {}
        self._is_wrapping = False
        lambdas: dict[int, list[tuple[ast.Lambda, str]]] = {}
        for node, scope, owner in _scopes(tree):
            if isinstance(node, ast.Lambda):
                lambdas.setdefault(node.lineno, []).append((node, scope))
                continue
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            self.functions.append((first, node, owner))
            if any(map(is_wraps, node.decorator_list)):
                self._is_wrapping = True  # it is called like another one
            else:
                self._names[first] = f"{scope}{node.name}"
        for first, found in lambdas.items():
            if len(found) == 1 and first not in self._names:
                (node, scope), *_ = found
                self.functions.append((first, _definition(node), ""))
                self._names[first] = f"{scope}<lambda>"
        counts = collections.Counter(self._names.values())
        lines = sum(len(found) for found in lambdas.values())
        self._are_lambdas_apart = lines == sum(name.endswith("<lambda>") for name in self._names.values())
        self._firsts = {name: first for first, name in self._names.items() if counts[name] == 1}
        self._foreign = set(_foreign_names(tree))
        wrapping = set(_wrapping(tree))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, (FunctionNode, ast.ClassDef))}
        self.is_renaming = any(_may_rename(node, defined) for node in ast.walk(tree) if node not in wrapping)
        self._generators = {id(node) for _, node, _ in self.functions if _yields(node)}

    def is_generator(self, node: FunctionNode) -> bool:
        """Whether a function makes generators."""
        return id(node) in self._generators

    def name(self, first: int) -> str | None:
        """Return the full name of a function by its first line; None where that is not certain."""
        return None if self.is_renaming else self._names.get(first)

    def first(self, name: str) -> int:
        """Return the first line of the one function with a full name, 0 for none."""
        if (
            self.is_renaming
            or self._is_wrapping
            or (name.endswith("<lambda>") and not self._are_lambdas_apart)
        ):
            return 0
        if "." not in name and name in self._foreign:
            return 0
        return self._firsts.get(name, 0)


def _foreign_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that functions of other modules may have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            yield from (node.name, node.asname or "")
        elif isinstance(node, ast.Attribute):
            yield node.attr


def is_wraps(node: ast.expr) -> bool:
    """Whether a decorator is ``functools.wraps`` of a function."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("wraps", "functools.wraps")


def _wrapping(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the parts of a program that give a function another name before anything else knows it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "functools":
            yield from (alias for alias in node.names if alias.name == "wraps" and alias.asname is None)
        for decorator in node.decorator_list if isinstance(node, FunctionNode) else ():
            if is_wraps(decorator):
                assert isinstance(decorator, ast.Call)  # noqa: S101 - as it was found
                yield from ast.walk(decorator.func)


def _may_rename(node: ast.AST, defined: set[str]) -> bool:
    """Whether something may have functions read otherwise than they are written; of the names ``defined``."""
    if isinstance(node, ast.Global):  # a function that is defined there has a short name
        return not defined.isdisjoint(node.names)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value in _NAMES
    name = getattr(node, "id", "") or getattr(node, "attr", "") or getattr(node, "name", "")
    is_bound = not isinstance(getattr(node, "ctx", None), ast.Load)
    return name in _WRAPPERS or (name in _NAMES and is_bound)


def _definition(node: ast.Lambda) -> ast.FunctionDef:
    body = ast.copy_location(ast.Expr(node.body), node.body)
    made = ast.parse("def f(): pass").body[0]
    assert isinstance(made, ast.FunctionDef)  # noqa: S101 - as it was written
    made.name, made.args, made.body = "<lambda>", node.args, [body]
    return ast.copy_location(made, node)


def _yields(node: FunctionNode) -> bool:
    """Whether the body of a function, apart from those within it, yields."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(inner, (*_SCOPES, ast.ClassDef)):
            waiting += ast.iter_child_nodes(inner)
    return False


def _scopes(tree: ast.Module) -> Iterator[tuple[FunctionNode | ast.Lambda, str, str]]:
    """Yield functions and lambdas, with what stands before their names, and the class that they stand in."""
    waiting: list[tuple[ast.AST, str, str]] = [(tree, "", "")]
    while waiting:
        node, scope, owner = waiting.pop()
        for child in ast.iter_child_nodes(node):
            inner, inside = scope, ""
            within: Sequence[ast.AST] = ()
            if isinstance(child, _SCOPES):
                yield child, scope, owner
                name = "<lambda>" if isinstance(child, ast.Lambda) else child.name
                inner = f"{scope}{name}.<locals>."
                within = [child.body] if isinstance(child, ast.Lambda) else child.body
            elif isinstance(child, ast.ClassDef):
                inner, inside = f"{scope}{child.name}.", child.name
                within = child.body
            elif isinstance(child, ast.GeneratorExp):
                inner = f"{scope}<genexpr>.<locals>."
            if within:  # decorators and defaults stand outside
                waiting.append((_Part(within), inner, inside))
                child = _Part([part for part in ast.iter_child_nodes(child) if part not in within])
                inner, inside = scope, ""
            waiting.append((child, inner, inside))


class _Part(ast.AST):
    """Some children of a node."""

    _fields = ("parts",)

    def __init__(self, parts: Sequence[ast.AST]) -> None:
        super().__init__()
        self.parts = list(parts)
