"""The modules of a package as syntax trees: what each defines at its top level, and where a name leads.

Nothing is imported or run. Conditions that only choose between versions of Python or between an accelerated
and a plain implementation are decided here: branches for this version, imports that can be followed.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import operator
import sys
import tokenize
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_Import = ast.Import | ast.ImportFrom
STDLIB: Final = sys.stdlib_module_names
_KNOWN_CONDITIONS: Final = {
    **dict.fromkeys(("TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING", "False", "0"), False),
    **dict.fromkeys(("PY2", "six.PY2", "__name__ == '__main__'"), False),
    **dict.fromkeys(("not TYPE_CHECKING", "True", "1", "PY3", "six.PY3"), True),
}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_DESCRIPTIONS: Final = frozenset({"__doc__", "__module__", "__qualname__"})
_ALWAYS_THERE: Final = frozenset(dir(builtins)) | {"__name__", "__doc__"}


class CutError(Exception):
    """Why a function cannot be cut out, in two or three words."""


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """A name defined at the top level of a module of the package."""

    module: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleTarget:
    """A name bound to a module of the package."""

    module: str


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """A name imported from the standard library.

    Attributes:
        module: dotted name.
        name: what is imported from it; empty for the module itself.
        alias: what it is called.
    """

    module: str
    name: str
    alias: str

    def statement(self) -> str:
        """Return the import as one line."""
        if self.name:
            return f"from {self.module} import {self.name}" + (
                f" as {self.alias}" if self.alias != self.name else ""
            )
        if self.alias == self.module.partition(".")[0]:
            return f"import {self.module}"
        return f"import {self.module} as {self.alias}"


Target = Definition | ModuleTarget | Outside


class Module:
    """One source file.

    Attributes:
        name: dotted name.
        package: what relative imports start from.
        statements: top level, in order, conditions decided.
        binders: indices of the statements that bind or change each name.
        imports: what each imported name leads to, not yet followed.
    """

    def __init__(self, name: str, package: str, tree: ast.Module) -> None:
        self.name = name
        self.package = package
        self.statements: list[ast.stmt] = list(_decided(tree.body))
        self.binders: dict[str, list[int]] = {}
        self.imports: dict[str, tuple[str, str]] = {}
        self.stars: list[str] = []
        for index, statement in enumerate(self.statements):
            if isinstance(statement, ast.Delete) or _only_describes(statement):
                continue  # what only the module's own making needs, or only people
            if isinstance(statement, _Import):
                self.imports.update(imported_names(statement, package))
                if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                    self.stars.append(absolute_name(statement, package))
                continue
            for bound in _changed_names(statement):
                self.binders.setdefault(bound, []).append(index)
        for bound, indices in self.binders.items():
            last = self.statements[indices[-1]]
            if isinstance(last, FunctionNode | ast.ClassDef) and not _decorated_with(last, bound):
                indices[:] = indices[-1:]

    def definition(self, qualname: str) -> ast.stmt | None:
        """Return the function or class of this qualified name."""
        first, *rest = qualname.split(".")
        indices = self.binders.get(first, [])
        found: ast.stmt | None = None
        for index in indices:
            statement = self.statements[index]
            if isinstance(statement, FunctionNode | ast.ClassDef) and statement.name == first:
                found = statement
        for part in rest:
            if not isinstance(found, ast.ClassDef):
                return None
            inner = [
                node
                for node in found.body
                if isinstance(node, FunctionNode | ast.ClassDef) and node.name == part
            ]
            found = inner[0] if inner else None
        return found


class Package:
    """The modules below some folders, read when asked for.

    Args:
        roots: folders that top-level modules are looked up in, best first.
        names: top-level modules that belong to the package; imports of others lead outside.
    """

    def __init__(self, roots: Iterable[Path], names: Iterable[str]) -> None:
        self._roots = tuple(roots)
        self._names = frozenset(names)
        self._modules: dict[str, Module | None] = {}

    def owns(self, module: str) -> bool:
        """Whether a module of this name belongs to the package."""
        return any(module == name or module.startswith(name + ".") for name in self._names)

    def module(self, name: str) -> Module | None:
        """Return a module; None when there is no readable source."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> Module | None:
        if not all(part.isidentifier() for part in name.split(".")):
            return None
        relative = Path(*name.split("."))
        for root in self._roots:
            for path, is_package in (
                (root / relative / "__init__.py", True),
                (root / f"{relative}.py", False),
            ):
                if path.is_file():
                    tree = _parse(path)
                    package = name if is_package else name.rpartition(".")[0]
                    return Module(name, package, tree) if tree is not None else None
        return None

    def resolve(self, module: Module, name: str, depth: int = 0) -> Target | None:
        """Follow a global name of a module to what it means; None when that is a builtin, or unknown.

        Raises:
            CutError: it leads to another package.
        """
        if depth > 20:
            raise CutError("unresolved name")
        if name in module.binders:
            return Definition(module.name, name)
        if name in module.imports:
            return self.follow(*module.imports[name], alias=name, depth=depth + 1)
        for star in module.stars:
            inner = self.module(star) if self.owns(star) else None
            if inner is not None and self._binds(inner, name):
                return self.resolve(inner, name, depth + 1)
        if name in _ALWAYS_THERE:
            return None
        for star in module.stars:
            if not self.owns(star) and star.partition(".")[0] in STDLIB:
                return Outside(star, name, name)
        return None  # bound at run time, or in a branch for another Python: left as it is

    def _binds(self, module: Module, name: str, depth: int = 0) -> bool:
        """Whether a module defines or imports a name, also by way of ``import *``."""
        if name in module.binders or name in module.imports:
            return True
        inner = [self.module(star) for star in module.stars if self.owns(star)] if depth < 5 else []
        return any(made is not None and self._binds(made, name, depth + 1) for made in inner)

    def follow(self, module: str, name: str, *, alias: str, depth: int = 0) -> Target | None:
        """Follow ``from module import name``, or ``import module`` when ``name`` is empty.

        Raises:
            CutError: it leads to another package, or nowhere.
        """
        if not self.owns(module):
            if module == "typing_extensions" and hasattr(typing, name):
                module = "typing"
            if module.partition(".")[0] not in STDLIB:
                raise CutError("imports another package")
            return Outside(module, name, alias)
        if not name:
            return ModuleTarget(module)
        inner = self.module(module)
        is_own_part = inner is not None and inner.imports.get(name) == (module, name)
        if inner is not None and not is_own_part and self._binds(inner, name):
            return self.resolve(inner, name, depth)
        if self.module(f"{module}.{name}") is not None:
            return ModuleTarget(f"{module}.{name}")
        if inner is not None:
            return self.resolve(inner, name, depth)
        raise CutError("unresolved name")


def _parse(path: Path) -> ast.Module | None:
    try:
        with warnings.catch_warnings(), tokenize.open(path) as file:
            warnings.simplefilter("ignore")
            return ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
        return None


def absolute_name(node: ast.ImportFrom, package: str) -> str:
    """Return the module that ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def imported_names(node: _Import, package: str) -> Mapping[str, tuple[str, str]]:
    """Return for each name an import binds the module and what is taken from it, empty for all of it."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: (
                alias.name if alias.asname else alias.name.partition(".")[0],
                "",
            )
            for alias in node.names
        }
    module = absolute_name(node, package)
    return {alias.asname or alias.name: (module, alias.name) for alias in node.names if alias.name != "*"}


# -- the top level ---------------------------------------------------------------------------------


def _decided(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements with those conditions decided that can be."""
    for statement in body:
        if isinstance(statement, ast.If):
            decision = _decision(statement.test)
            if decision is None:
                yield statement
            else:
                yield from _decided(statement.body if decision else statement.orelse)
        elif isinstance(statement, ast.Try) and any(isinstance(node, _Import) for node in statement.body):
            yield from _decided(_available(statement))
        else:
            yield statement


def _decision(test: ast.expr) -> bool | None:
    """Return whether a condition holds here; None when that is not known."""
    text = ast.unparse(test)
    if text in _KNOWN_CONDITIONS:
        return _KNOWN_CONDITIONS[text]
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    found: tuple[int, ...]
    if ast.unparse(test.left) == "sys.version_info":
        found = sys.version_info[:3]
    elif ast.unparse(test.left) in ("sys.version_info[0]", "sys.version_info.major"):
        found = sys.version_info[:1]
    else:
        return None
    try:
        value = ast.literal_eval(test.comparators[0])
    except ValueError:
        return None
    wanted = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(part, int) for part in wanted):
        return None
    compare = _COMPARISONS.get(type(test.ops[0]))
    return None if compare is None else bool(compare(found, wanted))


def _decorated_with(node: FunctionNode | ast.ClassDef, name: str) -> bool:
    """Whether a decorator mentions the name, as the setter of a property does."""
    parts = (part for decorator in node.decorator_list for part in ast.walk(decorator))
    return any(isinstance(part, ast.Name) and part.id == name for part in parts)


def _available(statement: ast.Try) -> Iterator[ast.stmt]:
    """Yield the statements of the branch that runs when only the standard library is installed."""
    for node in statement.body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        # an accelerator is replaced by what it accelerates
        is_absent = any(name.partition(".")[0] not in STDLIB or name.startswith("_") for name in names)
        if is_absent and not any(isinstance(n, ast.Raise) for made in statement.handlers for n in made.body):
            for handler in statement.handlers[:1]:
                yield from handler.body
            yield from statement.finalbody
            return
    yield from statement.body
    yield from statement.orelse
    yield from statement.finalbody


def _only_describes(statement: ast.stmt) -> bool:
    """Whether a statement sets nothing but what describes an object: ``f.__doc__ = ...``."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    described = [target.attr for target in targets if isinstance(target, ast.Attribute)]
    return bool(described) and len(described) == len(targets) and _DESCRIPTIONS.issuperset(described)


def _changed_names(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement binds, or whose object it changes."""
    if isinstance(statement, FunctionNode | ast.ClassDef):
        return {statement.name}
    found: set[str] = set()
    for node in _own_nodes(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, FunctionNode | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            found |= _base(node)
        elif isinstance(node, _Import):
            found.update(imported_names(node, ""))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute):
                found |= _base(called)
    return found


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, without what is inside functions and classes."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FunctionNode | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _base(node: ast.expr) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
