"""What the names of a module stand for, where that is the same whenever a function of it runs.

Functions and classes, built-in or defined once, undecorated, at the top; functions of a few modules that are
imported there; and names that are bound once, to a value that cannot change and that can be worked out.
"""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
import importlib
import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.abstract_classes import ABSTRACT
from opencwm.debugger.bindings import bindings, names_by_string
from opencwm.debugger.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.field_classes import made_by_call
from opencwm.debugger.mutations import CHANGING_FUNCTIONS
from opencwm.debugger.object_shapes import is_only_dataclass
from opencwm.debugger.pure_operations import CONSTANTS, FUNCTIONS, METHODS, MODULES
from opencwm.debugger.pure_values import as_in_python, is_fixed, kind_of
from opencwm.debugger.qualified_names import FunctionNode, QualifiedNames
from opencwm.debugger.read_only import read_only
from opencwm.debugger.tables import Table, table
from opencwm.tracer.bound_names import BoundNames
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

VALUES: Final = frozenset({"int", "float", "str", "bytes", "list", "tuple", "dict", "set", "frozenset"})
"""Built-in types whose subclasses may read as they do."""
_HARMLESS_BASES: Final = frozenset({"object", "ABC", "Generic", "Protocol", "Exception"}) | {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
_ABOUT_TYPES: Final = frozenset({"isinstance", "type"})
_STANDARD: Final = frozenset(
    {"collections", "collections.abc", "datetime", "decimal", "fractions", "functools", "io", "itertools"}
    | {"numbers", "operator", "string", "types"}
)
"""Modules whose classes and functions, once imported, are told by name."""
MAX_CHARS: Final = 4_000
"""Longer constants are left to the model."""


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleNames:
    """What the names of one module stand for.

    Attributes:
        texts: how they read, by name.
        builtins: the functions of Python among them.
        fixed: names that the module binds to what never changes.
        tables: dictionaries of functions that nothing changes, by name.
        abstract: abstract classes of the standard library, by name; none where classes are registered.
    """

    texts: Mapping[str, str]
    builtins: Builtins
    fixed: frozenset[str] = frozenset()
    abstract: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, bound: BoundNames) -> ModuleNames:
        """Read a module."""
        texts = dict(_built_in(bound))
        hidden = _ABOUT_TYPES if has_values(tree) else frozenset()
        functions: dict[str, Any] = {
            name: FUNCTIONS[name] for name in (FUNCTIONS.keys() & texts.keys()) - hidden
        }
        modules: dict[str, str] = {}
        for node in tree.body:
            if isinstance(node, FunctionNode | ast.ClassDef):
                functions.pop(node.name, None)
                texts.pop(node.name, None)
                is_class = isinstance(node, ast.ClassDef)
                is_plain = not node.decorator_list or (
                    isinstance(node, ast.ClassDef) and is_only_dataclass(node)
                )
                if node.name in bound.constant and is_plain:
                    texts[node.name] = (
                        f"<class 'program.{node.name}'>" if is_class else f"<function {node.name}>"
                    )
        for name, module, what in _imported(tree):
            functions.pop(name, None)
            texts.pop(name, None)
            if name not in bound.constant:
                continue
            if module in MODULES and what in MODULES[module]:
                functions[name] = MODULES[module][what]
            elif not what and (module in MODULES or module in CONSTANTS):
                modules[name] = module
            text = f"<module '{module}'>" if not what else imported_text(module, what)
            texts |= {} if text is None else {name: text}
        found = Builtins(functions, modules)
        by_name = QualifiedNames(tree)
        values, methods, tables = _values(
            tree, found, texts, lambda text: by_name.first(text[len("<function ") : -1])
        )
        texts.update(values)
        found = Builtins({**functions, **methods}, modules)
        return cls(texts, found, frozenset(values), dict(_abstract(tree, bound)), tables)


def _abstract(tree: ast.Module, bound: BoundNames) -> Iterator[tuple[str, Any]]:
    """Yield the names of abstract classes that are imported at the top."""
    if any(isinstance(node, ast.Attribute) and node.attr == "register" for node in nodes_of(tree)):
        return
    for name, module, what in _imported(tree):
        if (module, what) in ABSTRACT and name in bound.constant:
            yield name, ABSTRACT[module, what]


def imported_text(module: str, name: str) -> str | None:
    """Return how a class or function reads that is imported from the standard library, if that is known."""
    if module == "heapq":
        text = f"<built-in function {name}>"
        return text if text in CHANGING_FUNCTIONS else None
    if module not in _STANDARD and name not in MODULES.get(module, ()):
        return None
    value = getattr(importlib.import_module(module), name, None)
    is_told = isinstance(value, type | types.FunctionType | types.BuiltinFunctionType)
    return Renderer(DEFAULT_LIMITS).render(value) if is_told else None


def _built_in(bound: BoundNames) -> Iterator[tuple[str, str]]:
    for name, value in vars(builtins).items():
        if name in bound.constant and isinstance(value, type):
            yield name, f"<class '{name}'>"
        elif name in bound.constant and isinstance(value, types.BuiltinFunctionType):
            yield name, f"<built-in function {name}>"


def has_values(tree: ast.Module) -> bool:
    """Whether objects of classes of a program may read as values of built-in types."""
    classes = [node for node in nodes_of(tree) if isinstance(node, ast.ClassDef)]
    harmless = _HARMLESS_BASES | {node.name for node in classes}
    return any(_last_name(base) not in harmless for node in classes for base in node.bases)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    return ast.unparse(node).rpartition(".")[2]


def _imported(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Yield the names that imports at the top bind, the module, and what of it, empty for the module."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if "." not in alias.name:
                    yield alias.asname or alias.name, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield (
                    alias.asname or alias.name,
                    node.module if node.module and not node.level else "",
                    alias.name,
                )


def _values(
    tree: ast.Module, known: Builtins, texts_before: Mapping[str, str], first_of: Callable[[str], int]
) -> tuple[dict[str, str], dict[str, Any], dict[str, Table]]:
    """Return how the names read that are bound once, at the top, to what cannot change.

    With them those that are methods of it, and tables of functions.
    """
    if names_by_string(tree):
        return {}, {}, {}
    counts = collections.Counter(bindings(tree))
    unchanged = frozenset(read_only(tree, known.functions.keys()))
    texts: dict[str, str] = {}
    methods: dict[str, Any] = {}
    tables: dict[str, Table] = {}
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name) and counts[target.id] == 1]
        if value is None or not names:
            continue
        if made_by_call(node) and _is_namedtuple(value, texts_before):
            texts[names[0]] = f"<class 'program.{names[0]}'>"
            continue
        if isinstance(value, ast.Name) and texts_before.get(value.id, "").startswith("<"):
            texts |= dict.fromkeys(names, texts_before[value.id])
            continue
        made = table(value, texts_before, known, first_of) if names[0] in unchanged else None
        if made is not None and len(targets) == 1 and len(made[0]) <= MAX_CHARS:
            texts[names[0]], tables[names[0]] = made
            continue
        method = _method_of_constant(value, texts, known)
        if method is not None:
            texts |= dict.fromkeys(names, Renderer(DEFAULT_LIMITS).render(method))
            methods |= dict.fromkeys(names, method)
            continue
        try:
            found = evaluate(ast.unparse(value), texts, builtins=known, with_objects=True)
        except (ExpressionError, Undecided):
            continue
        is_alone = len(targets) == 1 and names[0] in unchanged and _holds_what_is_fixed(found.value)
        if len(found.text) <= MAX_CHARS and (is_fixed(found.value) or is_alone):
            texts |= dict.fromkeys(names, found.text)
    return texts, methods, tables


def _method_of_constant(node: ast.expr, texts: Mapping[str, str], known: Builtins) -> Any:
    """Return the method of a compiled pattern that an expression is; None for any other."""
    if not isinstance(node, ast.Attribute) or node.attr not in METHODS[re.Pattern]:
        return None
    try:
        found = evaluate(ast.unparse(node.value), texts, builtins=known).value
    except (ExpressionError, Undecided):
        return None
    return getattr(found, node.attr) if isinstance(found, re.Pattern) else None


def _is_namedtuple(value: ast.expr, texts: Mapping[str, str]) -> bool:
    """Whether what is called is ``collections.namedtuple``."""
    function = value.func if isinstance(value, ast.Call) else value
    if isinstance(function, ast.Attribute):
        return texts.get(ast.unparse(function.value)) == "<module 'collections'>"
    return texts.get(ast.unparse(function)) == "<function namedtuple>"


def _holds_what_is_fixed(value: object) -> bool:
    """Whether a value is a container of Python's own whose items cannot change."""
    if kind_of(value) is dict:
        assert isinstance(value, dict)  # noqa: S101 - just found out
        return all(map(is_fixed, value.values()))
    if kind_of(value) not in (list, set):
        return False
    return all(map(is_fixed, as_in_python(value)))
