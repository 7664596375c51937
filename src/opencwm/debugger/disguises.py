"""Which values of a program may be objects of its own classes that read as values of built-in types.

The tracer shows an object of a class that derives from ``str`` as the string, unless the class has a
``__repr__``; so a text does not tell it from a string of Python. Where no class of a program derives from a
type, values that read as ones of it are of it.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import importlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.object_shapes import bound_in
from opencwm.debugger.pure_numbers import CONTEXT
from opencwm.debugger.pure_values import READERS
from opencwm.debugger.shown import with_places
from opencwm.tracer.bound_names import BoundNames

_UNNAMED: Final = (bytes, complex, dict, float, int, list, str, tuple)
"""Types whose subclasses read as they do."""
_UNKNOWN: Final = frozenset({"?"})
_MODULES: Final = frozenset(
    {"abc", "collections", "collections.abc", "contextlib", "datetime", "decimal", "enum", "fractions", "io"}
    | {"json", "numbers", "string", "threading", "types", "typing"}
)
"""Modules of the standard library whose classes are looked up."""
_OF_TYPING: Final = frozenset({"Generic", "NamedTuple", "Protocol", "TypedDict"})
"""What looks like a class there and makes none that hides anything."""
_HARMLESS: Final = frozenset(
    """__annotations__ __doc__ __hash__ __init__ __init_subclass__ __module__ __new__ __repr__ __slots__
    __str__""".split()  # noqa: SIM905 - it reads better
)
_SHOWING: Final = (BaseException, enum.Enum, type)
"""Classes whose objects read as what they are, whatever else they derive from."""


@dataclasses.dataclass(frozen=True, slots=True)
class Disguises:
    """Which values may be of classes of a program, by the types that they read as.

    Attributes:
        kinds: names of those types, ``?`` for any type.
        changed: names of those among them whose operations such a class may change, and of classes of the
            program that are called as what values of Python read as; ``?`` where all of them may be other
            ones, because the context is changed in which decimals are computed.
    """

    kinds: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tree: ast.Module, constants: Mapping[str, str], bound: BoundNames) -> Disguises:
        """Read the classes of a program.

        Args:
            tree: the program.
            constants: how names of its module read that stand for the same always.
            bound: how names are bound in it.
        """
        classes: dict[str, list[ast.ClassDef]] = {}
        changed: set[str] = set()
        for node in nodes_of(tree):
            if CONTEXT.intersection(getattr(node, field, "") for field in ("id", "attr", "name")):
                changed |= _UNKNOWN
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(node)
                changed |= {node.name} & READERS.keys()
        reader = _Classes(tree, classes, constants, bound)
        kinds: set[str] = set(_UNKNOWN) if reader.makes_classes else set()
        for name in classes:
            found = reader.kinds(name)
            kinds |= found
            if reader.has_a_say(name, found - _UNKNOWN):
                changed |= found - _UNKNOWN
        return cls(frozenset(kinds), frozenset(changed))

    def may_hide(self, *texts: str | None) -> bool:
        """Whether there may be an object of the program among the values that stand in some texts."""
        return _are_among(self.kinds, texts)

    def may_change(self, *texts: str | None) -> bool:
        """Whether an operation on the values that stand in some texts may not be the one of their types."""
        return _are_among(self.changed, texts)

    def may_stand_for(self, text: str | None) -> bool:
        """Whether a value itself, whatever is in it, may be an object of the program."""
        if text is None or not self.kinds:
            return False
        tree = _tree(text)
        return "?" in self.kinds or tree is None or _kind_of(tree.body) in self.kinds

    def may_be(self, kind: type) -> bool:
        """Whether a value that reads as one of a type may be of a class of the program."""
        return kind in _UNNAMED and (kind.__name__ in self.kinds or not _UNKNOWN.isdisjoint(self.kinds))


class _Classes:
    """The classes of one program."""

    def __init__(
        self,
        tree: ast.Module,
        classes: Mapping[str, list[ast.ClassDef]],
        constants: Mapping[str, str],
        bound: BoundNames,
    ) -> None:
        self._classes = classes
        self._constants = constants
        self._constant = bound.constant
        self._imported = {name: (module, what) for name, module, what in _imported(tree)}
        self._namedtuples = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and _is_namedtuple(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        } - set(_bound_again(tree))
        self._set = {
            node.attr
            for node in nodes_of(tree)
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
        }
        self._is_setting_any = any(
            isinstance(node, ast.Name) and node.id in ("setattr", "vars") for node in nodes_of(tree)
        )
        self._shows_otherwise = "__repr__" in self._set or any(
            isinstance(node, ast.ClassDef) and "__repr__" in bound_in(node) and not _defines_repr(node)
            for node in nodes_of(tree)
        )
        self.makes_classes = any(map(_makes_class, nodes_of(tree)))

    def kinds(self, name: str, within: Collection[str] = ()) -> frozenset[str]:
        """Return the types as whose values objects of a class may read; ``?`` where that is not known."""
        found: set[str] = set()
        if name in within:
            return _UNKNOWN
        for node in self._classes[name]:
            kinds = [self._of_base(base, (*within, name)) for base in node.bases]
            if None in kinds or (self._is_named(node) and not self._shows_otherwise):
                continue
            found |= {kind for part in kinds for kind in part or ()}
        return frozenset(found)

    def _is_named(self, node: ast.ClassDef) -> bool:
        """Whether objects of a class read as made by it: it has a ``__repr__`` before those of Python."""
        if _defines_repr(node):
            return True
        first = node.bases[0] if node.bases else None
        if not isinstance(first, ast.Name) or first.id == node.name:
            return False
        others = self._classes.get(first.id, [])
        return len(others) == 1 and first.id in self._constant and self._is_named(others[0])

    def _of_base(self, base: ast.expr, within: Collection[str]) -> frozenset[str] | None:
        """Return what a base adds to what objects may read as; None where they show what they are."""
        base = base.value if isinstance(base, ast.Subscript) else base
        if _is_namedtuple(base) or (isinstance(base, ast.Name) and base.id in self._namedtuples):
            return frozenset({"tuple"} if self._shows_otherwise else ())
        if isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
            module, what = self._imported.get(base.value.id, ("", ""))
            is_module = module and not what and base.value.id in self._constant
            return self._of_library(module, base.attr) if is_module else _UNKNOWN
        if not isinstance(base, ast.Name) or base.id not in self._constant:
            return _UNKNOWN
        if base.id in self._classes:
            return self.kinds(base.id, within) if base.id not in self._imported else _UNKNOWN
        if base.id in self._imported:
            return self._of_library(*self._imported[base.id])
        if self._constants.get(base.id) == f"<class '{base.id}'>":
            return _of_class(getattr(builtins, base.id, None))
        return _UNKNOWN

    def _of_library(self, module: str, name: str) -> frozenset[str] | None:
        if module in ("typing", "collections") and name in _OF_TYPING:
            return frozenset({"tuple"} if self._shows_otherwise and name == "NamedTuple" else ())
        found = getattr(importlib.import_module(module), name, None) if module in _MODULES else None
        return _of_class(found)

    def has_a_say(self, name: str, kinds: Collection[str]) -> bool:
        """Whether a class, or one it derives from, may change operations of types that it derives from."""
        return bool(kinds) and any(self._changes(node, kinds) for node in self._with_bases(name, set()))

    def _with_bases(self, name: str, seen: set[str]) -> Iterator[ast.ClassDef]:
        seen.add(name)
        for node in self._classes[name]:
            yield node
            for base in node.bases:
                if isinstance(base, ast.Name) and base.id in self._classes and base.id not in seen:
                    yield from self._with_bases(base.id, seen)

    def _changes(self, node: ast.ClassDef, kinds: Collection[str]) -> bool:
        types = [getattr(builtins, kind) for kind in kinds]
        is_plain = not node.decorator_list and not node.keywords and not self._is_setting_any
        names = (bound_in(node) | self._set) - _HARMLESS
        return not is_plain or any(
            (word.startswith("__") and word.endswith("__")) or any(hasattr(kind, word) for kind in types)
            for word in names
        )


def _of_class(found: Any) -> frozenset[str] | None:
    """Return as what objects read that derive from a class of Python; None where they show what they are."""
    if not isinstance(found, type):
        return _UNKNOWN
    if issubclass(found, _SHOWING):
        return None
    return frozenset(kind.__name__ for kind in _UNNAMED if issubclass(found, kind) and not _is_named(found))


def _is_named(found: type) -> bool:
    """Whether a class of the library that derives from a built-in type reads as made by it."""
    return found not in _UNNAMED and found.__name__ in READERS


def _defines_repr(node: ast.ClassDef) -> bool:
    """Whether the body of a class defines ``__repr__``, and does so once."""
    stored = [
        inner for inner in ast.walk(node) if getattr(inner, "name", getattr(inner, "id", "")) == "__repr__"
    ]
    return (
        len(stored) == 1
        and stored[0] in node.body
        and isinstance(stored[0], ast.FunctionDef)
        and not (stored[0].decorator_list)
    )


def _is_namedtuple(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func) in (
        "namedtuple",
        "collections.namedtuple",
        "NamedTuple",
        "typing.NamedTuple",
    )


def _makes_class(node: ast.AST) -> bool:
    """Whether an expression may make a class without a statement for it."""
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func).rpartition(".")[2]
    is_starred = any(isinstance(item, ast.Starred) for item in node.args)
    return name in ("new_class", "make_dataclass") or (name == "type" and (is_starred or len(node.args) == 3))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Yield the names that imports bind anywhere, the module, and what of it, empty for the module."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if "." not in alias.name or alias.asname:
                    yield alias.asname or alias.name, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, "" if node.level else node.module or "", alias.name


def _bound_again(tree: ast.Module) -> Iterator[str]:
    """Yield the names that are bound more than once, or as anything but variables."""
    seen: set[str] = set()
    for node in nodes_of(tree):
        name = getattr(node, "name", None) or getattr(node, "arg", None)
        if isinstance(name, str):
            yield name
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            if node.id in seen:
                yield node.id
            seen.add(node.id)


def _are_among(kinds: Collection[str], texts: Collection[str | None]) -> bool:
    """Whether a value that stands in some texts reads as one of some types."""
    return bool(kinds) and ("?" in kinds or not _kinds_in(texts).isdisjoint({*kinds, *_UNKNOWN}))


def _kinds_in(texts: Collection[str | None]) -> set[str]:
    """Return the names of the types as whose values parts of some texts read; ``?`` for what is not read."""
    found: set[str] = set()
    for text in texts:
        if text is None:
            continue
        tree = _tree(text)
        found |= _UNKNOWN if tree is None else set(map(_kind_of, ast.walk(tree)))
    return found


def _tree(text: str) -> ast.Expression | None:
    """Return the syntax tree of a value, or an evaluation; None where it is none, or was cut."""
    try:
        return ast.parse(with_places(text)[0], mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _kind_of(node: ast.AST) -> str:
    """Return the name of the type as whose values something reads, or that made it; empty for others."""
    if isinstance(node, ast.UnaryOp):
        return _kind_of(node.operand)
    if isinstance(node, ast.Constant):
        return type(node.value).__name__
    if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set):
        return type(node).__name__.lower()
    if isinstance(node, ast.Name):
        return "float" if node.id in ("nan", "inf") else ""
    name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return name if name in READERS else ""
