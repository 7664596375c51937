"""Which values may be objects of classes of the program that read as values of built-in types.

The tracer writes an object of a class that derives from ``dict`` as the dictionary it is, unless the class has a
``__repr__`` of its own; then, and where it derives from a named tuple, an enumeration or a set, its name stands
before it. So a text may be in disguise only where a literal of such a type stands in it.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.imported_names import Imports
from opencwm.debugger.object_shapes import bound_in, last_name
from opencwm.debugger.pure_numbers import CONTEXT
from opencwm.debugger.pure_values import READERS
from opencwm.debugger.shown import with_places

VALUES: Final = (int, float, complex, str, bytes, list, tuple, dict)
"""Built-in types whose subclasses read as they do."""
_LIBRARY: Final = frozenset(
    {"abc", "collections", "collections.abc", "contextlib", "datetime", "decimal", "enum", "fractions"}
    | {"functools", "io", "json", "numbers", "string", "threading", "typing"}
)
"""Modules whose classes are looked into."""
_BARE: Final = frozenset(
    {"Generic", "Protocol", "NamedTuple", "namedtuple", "Enum", "IntEnum", "Flag", "IntFlag"}
)
"""What objects of classes never read as literals that derive from it."""
_DISPLAYS: Final = {ast.List: list, ast.ListComp: list, ast.Tuple: tuple, ast.Dict: dict, ast.DictComp: dict}
BUILT_IN: Final = frozenset({"int", "float", "str", "bytes", "list", "tuple", "dict", "set", "frozenset"})
"""Built-in types whose subclasses may behave otherwise."""
_HARMLESS: Final = frozenset({"__init__", "__new__", "__repr__", "__str__", "__hash__"}) | {
    *("__slots__", "__doc__", "__module__", "__dict__", "__qualname__", "__annotations__")
}
_MAKING: Final = frozenset({"new_class", "make_dataclass", "NewType"})


@dataclasses.dataclass(frozen=True, slots=True)
class Disguises:
    """What may be in disguise in one program.

    Attributes:
        kinds: the types of literals that may; None for any.
    """

    kinds: frozenset[type] | None = None

    @classmethod
    def of(cls, tree: ast.Module) -> Disguises:
        """Read a program."""
        nodes = nodes_of(tree)
        if any(isinstance(node, ast.Call) and _makes_class(node) for node in nodes):
            return cls()
        imports = Imports.of(tree)
        own = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
        own |= {node.targets[0].id for node in nodes if _is_namedtuple(node)}  # type: ignore[attr-defined]
        kinds: set[type] = set()
        for node in nodes:
            if isinstance(node, ast.ClassDef) and not _has_repr(node):
                found = [_kinds(base, own, imports) for base in node.bases]
                if None in found:
                    return cls()
                kinds.update(kind for some in found for kind in some or ())
        return cls(frozenset(kinds))

    def spare(self, *texts: str) -> bool:
        """Whether no literal in some rendered values, or in evaluations, may be in disguise."""
        if not self.kinds:
            return self.kinds is not None
        try:
            return not any(self.kinds.intersection(_literals(text)) for text in texts)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False


def has_disguises(tree: ast.AST) -> bool:
    """Whether values may not be what they read as, and not behave as such.

    A class derives from a built-in type of values and has a say in how they behave, or is called as one; or
    the context is changed in which decimals are computed.
    """
    nodes = nodes_of(tree)
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    if not classes.keys().isdisjoint(READERS):
        return True
    for node in nodes:
        words = getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")
        if not CONTEXT.isdisjoint(words) or (isinstance(node, ast.Call) and _makes_class(node)):
            return True
    return any(_behaves_otherwise(node, classes) for node in classes.values())


def _behaves_otherwise(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> bool:
    """Whether a class derives from a type of values and puts anything in the place of what that has."""
    own, names = [node], set[str]()
    for kind in own:
        names |= bound_in(kind)
        bases = [classes[name] for base in kind.bases if (name := last_name(base)) in classes]
        own += [base for base in bases if base not in own]
    kinds = {
        base.id for kind in own for base in kind.bases if isinstance(base, ast.Name) and base.id in BUILT_IN
    }
    special = {name for name in names if name.startswith("__")} - _HARMLESS
    return bool(kinds) and (
        bool(special)
        or any(hasattr(getattr(builtins, kind), name) for kind in kinds for name in names - _HARMLESS)
    )


def _makes_class(node: ast.Call) -> bool:
    """Whether a call may make a class whose bases are not looked at."""
    name = last_name(node.func)
    return name in _MAKING or (name == "type" and len(node.args) + len(node.keywords) != 1)


def _is_namedtuple(node: ast.AST) -> bool:
    is_plain = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    return is_plain and isinstance(node.value, ast.Call) and last_name(node.value.func) in _BARE


def _has_repr(node: ast.ClassDef) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == "__repr__" for item in node.body)


def _kinds(base: ast.expr, own: set[str], imports: Imports) -> frozenset[type] | None:
    """Return the types of values that objects of a class read as because of a base of it; None if not known."""
    base = base.func if isinstance(base, ast.Call) else base
    name = last_name(base)
    if name in own or name in _BARE:
        return frozenset()
    found: Any = None
    if isinstance(base, ast.Subscript):
        base = base.value
    if isinstance(base, ast.Name):
        module, part = imports.certain.get(name, ("builtins", name))
    else:
        module, part = (
            imports.module(ast.unparse(base.value)) if isinstance(base, ast.Attribute) else "",
            name,
        )
    if module == "builtins":
        found = getattr(builtins, part, None)
    elif module in _LIBRARY and imports.is_trusted:
        found = getattr(importlib.import_module(module), part, None)
    if not isinstance(found, type):
        return frozenset() if module in ("typing", "collections.abc") and found is not None else None
    return frozenset(kind for kind in VALUES if issubclass(found, kind))


def _literals(text: str) -> Iterator[type]:
    """Yield the types of the literals in a text."""
    for node in ast.walk(ast.parse(with_places(text)[0], mode="eval")):
        if isinstance(node, ast.Constant):
            yield type(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield str
        elif isinstance(node, ast.Name) and node.id in ("inf", "nan"):
            yield float
        elif type(node) in _DISPLAYS:
            yield _DISPLAYS[type(node)]
