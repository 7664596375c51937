"""What the imports of a program bind for certain, and whether modules are still as the library has them.

The one idea: a name that nothing but imports of one thing binds, anywhere, is that thing wherever it is bound
at all; and a module of which a program only ever reads attributes is as the library has it.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import os
from collections.abc import Iterator, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of

_REACHING: Final = frozenset(
    {
        "globals",
        "eval",
        "exec",
        "__import__",
        "__builtins__",
        "builtins",
        "__globals__",
        "modules",
        "importlib",
    }
    | {"reload", "import_module", "ModuleType", "mock", "patch", "monkeypatch", "gc", "inspect"}
    | {"uses_relative", "uses_netloc", "uses_params", "html5", "register_error", "setlocale"}
)
"""Names through which a program may come by modules, or change how their functions work, unseen."""
_SETTING: Final = frozenset({"setattr", "delattr", "vars", "__setattr__", "__delattr__", "__dict__"})
_OWN: Final = frozenset({"self", "cls"})
_SUBMODULES: Final[Mapping[str, str]] = {"os.path": os.path.__name__, "collections.abc": "collections.abc"}
"""Modules that are there as attributes of others, whoever imports them, by the names of both."""
_LISTED: Final = frozenset({"collections", "functools", "itertools", "math", "operator", "string", "typing"})
"""Modules that are looked into for what ``import *`` brings."""
Import = tuple[str, str]
"""The module that a name stands for, and nothing; or one of which it stands for a part, and that part."""


@dataclasses.dataclass(frozen=True, slots=True)
class Imports:
    """The imports of one program.

    Attributes:
        certain: what names stand for that are bound by imports of one thing alone, anywhere.
        top: names that imports at the top of the program bind.
        doubtful: names that imports may bind to something else than what they stand for elsewhere.
        submodules: modules that are attributes of others, by their name as such, ``os.path``.
        is_trusted: the program puts nothing else into modules.
    """

    certain: Mapping[str, Import]
    top: frozenset[str]
    doubtful: frozenset[str]
    submodules: Mapping[str, str]
    is_trusted: bool

    @classmethod
    def of(cls, tree: ast.Module) -> Imports:
        """Read a program."""
        nodes = list(nodes_of(tree))
        found: dict[str, set[Import | None]] = {}
        for node in nodes:
            for name, what in _bound_by(node):
                found.setdefault(name, set()).add(what)
        stars = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
        certain = {
            name: what
            for name, kinds in found.items()
            for what in kinds
            if what is not None and len(kinds) == 1 and all(map(_exported, stars))
        }
        top = frozenset(name for node in tree.body for name, what in _bound_by(node) if what is not None)
        imported = {name for name, kinds in found.items() if kinds != {None}}
        doubtful = imported - (certain.keys() & top)
        doubtful |= {name for node in stars for name in _exported(node)}
        dotted = {
            alias.name: alias.name
            for node in nodes
            if isinstance(node, ast.Import)
            for alias in node.names
            if "." in alias.name
        }
        submodules = {**dotted, **_SUBMODULES}
        escaping = _Escaping(imported, submodules, certain)
        is_trusted = not any(map(_is_reaching, nodes)) and not escaping.changes(nodes)
        return cls(certain, top, frozenset(doubtful), submodules, is_trusted)

    @property
    def packages(self) -> frozenset[str]:
        """Modules of which others are attributes."""
        return frozenset(name.rpartition(".")[0] for name in self.submodules)

    def module(self, name: str) -> str:
        """Return the module that a name stands for, empty for anything else."""
        return _module(self.certain.get(name), self.submodules)


def _module(what: Import | None, submodules: Mapping[str, str]) -> str:
    module, part = what or ("", "")
    return submodules.get(f"{module}.{part}", "") if part else module


def _bound_by(node: ast.AST) -> Iterator[tuple[str, Import | None]]:
    """Yield the names that an import or a definition binds, with what an import binds them to."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, None
    elif isinstance(node, ast.Import):
        for alias in node.names:
            first, last = alias.name.partition(".")[0], alias.name.rpartition(".")
            yield (
                (alias.asname, (last[0], last[2]))
                if alias.asname and last[0]
                else (
                    alias.asname or first,
                    (first, ""),
                )
            )
    elif isinstance(node, ast.ImportFrom):
        module = node.module if node.module and not node.level else "."
        for alias in node.names:
            yield alias.asname or alias.name, (_SUBMODULES.get(module, module), alias.name)


def _exported(node: ast.ImportFrom) -> frozenset[str]:
    """Return the names that ``from module import *`` binds, empty where they are not known."""
    if node.level or node.module not in _LISTED:
        return frozenset()
    loaded = importlib.import_module(node.module)
    public = [name for name in dir(loaded) if not name.startswith("_")]
    return frozenset(getattr(loaded, "__all__", public))


def _is_reaching(node: ast.AST) -> bool:
    words = getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")
    return not _REACHING.isdisjoint(words)


@dataclasses.dataclass(frozen=True, slots=True)
class _Escaping:
    """Whether a program may change modules that it has imported."""

    imported: set[str]
    submodules: Mapping[str, str]
    certain: Mapping[str, Import]

    def changes(self, nodes: list[ast.AST]) -> bool:
        """Whether a statement sets attributes of a module, or may do so of one that is handed on."""
        read = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        escapes = any(self._is_module(node) and id(node) not in read for node in nodes)
        return any(self._is_change(node, escapes=escapes) for node in nodes)

    def _is_change(self, node: ast.AST, *, escapes: bool) -> bool:
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if _root(node) in self.imported:
                return not self._is_harmless(node)
            is_own = isinstance(node.value, ast.Name) and node.value.id in _OWN
            return escapes and isinstance(node, ast.Attribute) and not is_own
        if isinstance(node, ast.Call) and _is_setting(node.func):
            return escapes or any(_root(item) in self.imported for item in (node.func, *node.args))
        return escapes and _is_setting(node)

    def _is_harmless(self, node: ast.Attribute | ast.Subscript) -> bool:
        """Whether what is set of a module is nothing that others depend on: ``sys.stdout``."""
        module = _module(self.certain.get(_root(node)), self.submodules)
        if isinstance(node, ast.Attribute):
            return module == "sys" and isinstance(node.value, ast.Name)
        return module in ("os", "sys") and getattr(node.value, "attr", "") in ("argv", "environ", "path")

    def _is_module(self, node: ast.AST) -> bool:
        """Whether an expression is a module that may be handed on to what changes it."""
        if isinstance(node, ast.Name):
            module = _module(self.certain.get(node.id), self.submodules)
            return (
                node.id in self.imported and bool(module or node.id not in self.certain) and module != "sys"
            )
        return isinstance(node, ast.Attribute) and ast.unparse(node) in self.submodules


def _is_setting(node: ast.AST) -> bool:
    return getattr(node, "id", getattr(node, "attr", "")) in _SETTING


def _root(node: ast.expr) -> str:
    """Return the name at which a path of attributes and items begins, empty for anything else."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
