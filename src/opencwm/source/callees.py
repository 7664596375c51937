"""Which functions of a file a line can call, found from names in its syntax tree.

The one idea: a module-level function that is only ever *called by its name* can only be entered while a
statement that names it runs. Everything else, functions that are passed around, decorated, nested, lazy or
reached through special methods, may be entered anywhere. Errs on the side of allowing; code that looks
names up at run time allows everything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from opencwm.core.syntax import nodes_of

_Definition = ast.FunctionDef | ast.AsyncFunctionDef
_BY_STRING = frozenset({"globals", "locals", "vars", "eval", "exec", "getattr", "setattr", "__import__"})
_NOBODY = "<class>"
_MAKERS = frozenset({"__init__", "__new__", "__post_init__"})
_UNNAMED = frozenset({"__init__", "__class__", "type", "classmethod"})


class Callees:
    """The call sites of one file.

    Args:
        tree: the parsed text.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._bound: dict[int, str] = {}  # first line of a function -> the name it can only be entered by
        self._by_line: dict[int, set[str]] = {}
        self._first_lines: dict[str, set[int]] = {}  # of the functions that a name may call
        for statement in nodes_of(tree):
            if isinstance(statement, ast.stmt):
                self._note(statement)
        for owner, node in _definitions(tree):
            first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
            self._first_lines.setdefault(f".{node.name}" if owner else node.name, set()).add(first)
            if owner is not None and node.name in _MAKERS:
                self._first_lines.setdefault(owner.name, set()).add(first)
        names = {node.id for node in nodes_of(tree) if isinstance(node, ast.Name)}
        if not _BY_STRING.isdisjoint(names):
            return
        free = _escaping(tree)
        remakes = any(_may_make_unnamed(node) for node in nodes_of(tree))
        shared_lines = {node.lineno for node in nodes_of(tree) if isinstance(node, ast.Lambda)}
        for owner, node in _definitions(tree):
            is_special = node.name.startswith("__") and node.name.endswith("__")
            is_lazy = isinstance(node, ast.AsyncFunctionDef) or any(
                isinstance(item, ast.Yield | ast.YieldFrom) for item in ast.walk(node)
            )
            key = f".{node.name}" if owner else node.name
            if owner is not None and _only_makes(owner, node) and owner.name not in free and not remakes:
                self._bound[node.lineno] = owner.name
            if not (
                node.decorator_list or is_special or is_lazy or key in free or node.lineno in shared_lines
            ):
                self._bound[node.lineno] = key
        for item in tree.body:
            if isinstance(item, ast.ClassDef):  # its body runs before any function of the program is entered
                self._bound[min([item.lineno, *(part.lineno for part in item.decorator_list)])] = _NOBODY

    def called_on(self, lineno: int) -> frozenset[int]:
        """Return the first lines of the functions that a line seems to call, by what its calls name."""
        keys = self._by_line.get(lineno, ())
        return frozenset(first for key in keys for first in self._first_lines.get(key, ()))

    def may_enter(self, firstlineno: int, lineno: int) -> bool:
        """Whether the function that starts at ``firstlineno`` can be called while ``lineno`` runs."""
        key = self._bound.get(firstlineno)
        return key is None or key in self._by_line.get(lineno, ())

    def _note(self, statement: ast.stmt) -> None:
        parts = list(_own_parts(statement))
        called = {key for part in parts for node in ast.walk(part) for key in _called(node)}
        if called:
            last = max([statement.lineno, *(getattr(part, "end_lineno", 0) or 0 for part in parts)])
            first = min([statement.lineno, *(getattr(part, "lineno", statement.lineno) for part in parts)])
            for line in range(first, last + 1):
                self._by_line.setdefault(line, set()).update(called)


def _definitions(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, _Definition]]:
    """Yield the functions at module level and the methods of classes there, each with its class."""
    for node in tree.body:
        if isinstance(node, _Definition):
            yield None, node
        elif isinstance(node, ast.ClassDef):
            yield from ((node, item) for item in node.body if isinstance(item, _Definition))


def _may_make_unnamed(node: ast.AST) -> bool:
    """Whether something may make an object of a class that it does not name: ``type(self)()``, ``cls()``."""
    return getattr(node, "attr", None) in _UNNAMED or getattr(node, "id", None) in _UNNAMED


def _only_makes(owner: ast.ClassDef, node: _Definition) -> bool:
    """Whether a method only runs when the class that it is in, and says so itself, is called."""
    is_plain = not (owner.decorator_list or owner.keywords or node.decorator_list)
    return node.name == "__init__" and is_plain and isinstance(node, ast.FunctionDef)


def _called(node: ast.AST) -> Iterator[str]:
    """Yield the key a call calls: a name, or ``.name`` of an attribute."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            yield node.func.id
        elif isinstance(node.func, ast.Attribute):
            yield f".{node.func.attr}"


def _escaping(tree: ast.Module) -> set[str]:
    """Return the keys that are mentioned otherwise than as what is called, or called lazily."""
    called = {id(node.func) for node in nodes_of(tree) if isinstance(node, ast.Call)}
    escaping = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.GeneratorExp):
            escaping |= {key for item in ast.walk(node) for key in _called(item)}
        elif isinstance(node, ast.Name) and (id(node) not in called or not isinstance(node.ctx, ast.Load)):
            escaping.add(node.id)
        elif isinstance(node, ast.Attribute) and (id(node) not in called):
            escaping.add(f".{node.attr}")
        elif isinstance(node, ast.alias):
            escaping.add((node.asname or node.name).split(".")[0])
    defined = [(f".{item.name}" if owner else item.name) for owner, item in _definitions(tree)]
    return escaping | {key for key in defined if not key.startswith(".") and defined.count(key) > 1}


def _own_parts(statement: ast.stmt) -> Iterable[ast.AST]:
    """Return what of a statement is evaluated by itself, not by the statements inside it."""
    return (
        child
        for child in ast.iter_child_nodes(statement)
        if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
    )
