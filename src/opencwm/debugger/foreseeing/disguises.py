"""Which values may be objects of classes of the program that read as values of built-in types.

The one idea: the tracer writes an object of a class that derives from ``dict`` as the dictionary it is
unless the class has a ``__repr__`` of its own. Then, and where it derives from a named tuple, an enumeration
or a set, its name stands before it. So a value is in doubt only if such a literal stands in its text.
"""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
import enum
import importlib
import itertools
import sys
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.imported_names import Imports
from opencwm.debugger.foreseeing.object_shapes import bound_in, last_name
from opencwm.debugger.foreseeing.pure_numbers import CONTEXT
from opencwm.debugger.foreseeing.pure_values import READERS
from opencwm.debugger.foreseeing.shown import with_places

VALUES: Final = (int, float, complex, str, bytes, list, tuple, dict)
"""Built-in types whose subclasses read as they do."""
_LIBRARY: Final = frozenset(
    {"abc", "collections", "collections.abc", "contextlib", "datetime", "decimal", "enum", "fractions"}
    | {"functools", "io", "json", "numbers", "string", "textwrap", "threading", "typing"}
)
"""Modules whose classes are looked into."""
_RECORDS: Final = frozenset(
    {"fstat", "fstatvfs", "get_terminal_size", "gmtime", "localtime", "lstat", "stat", "statvfs", "strptime"}
    | {"struct_time", "times", "uname", "wait3", "wait4", "get_asyncgen_hooks", "getwindowsversion"}
    | {name for name, value in vars(sys).items() if isinstance(value, tuple) and type(value) is not tuple}
)
"""What of ``os``, ``sys`` and ``time`` gives tuples that have names for their items, and read as tuples."""
_DISPLAYS: Final = {ast.List: list, ast.ListComp: list, ast.Tuple: tuple, ast.Dict: dict, ast.DictComp: dict}
_HARMLESS: Final = frozenset(
    {"__init__", "__new__", "__slots__", "__doc__", "__module__", "__qualname__", "__annotations__"}
    | {"__repr__", "__str__", "__format__", "__hash__"}
)
"""What a class may have without behaving otherwise, but where it is asked for words or a hash."""
_MAKING: Final = frozenset({"new_class", "make_dataclass", "NewType"})


@dataclasses.dataclass(frozen=True, slots=True)
class Disguises:
    """What may be in disguise in one program.

    Attributes:
        kinds: the types of literals that may; None for any.
        names: of values that read like calls, those that may as well.
        are_odd: some of them may behave otherwise than what they read as.
    """

    kinds: frozenset[type] | None = None
    names: frozenset[str] = frozenset()
    are_odd: bool = True

    @classmethod
    def of(cls, tree: ast.Module) -> Disguises:
        """Read a program."""
        nodes = nodes_of(tree)
        if any(isinstance(node, ast.Call) and _makes_class(node) for node in nodes):
            return cls()
        names = frozenset(_doubtful_names(nodes))
        classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
        imports = Imports.of(tree)
        stored = collections.Counter(
            node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        own = {*classes, *(name for name in _namedtuples(nodes) if stored[name] == 1)}
        has_records = any(_has_records(node, imports) for node in nodes)
        kinds: set[type] = {tuple} if has_records else set()
        are_odd = bool(names)
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                inherited = _kinds(node, own, imports, stored)
                if inherited is None:
                    return cls()
                are_odd = are_odd or _behaves_otherwise(node, classes, inherited)
                kinds |= inherited
        are_odd = are_odd or (bool(kinds) and any(map(_sets_attribute, nodes)))
        return cls(frozenset(kinds), names, are_odd)

    @property
    def may_be_any(self) -> bool:
        """Whether there are values in disguise at all."""
        return self.kinds != frozenset()

    def spare(self, *texts: str) -> bool:
        """Whether no literal in some rendered values, or in evaluations, may be in disguise."""
        if self.kinds is None or not (self.kinds or self.names):
            return self.kinds is not None
        doubtful = self.kinds | self.names
        try:
            return not any(doubtful.intersection(_literals(text)) for text in texts)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False

    def may_hide(self, *texts: str | None) -> bool:
        """Whether there may be an object of the program among the values that stand in some texts."""
        return not self.spare(*(text for text in texts if text is not None))

    def may_change(self, *texts: str | None) -> bool:
        """Whether an operation on the values that stand in some texts may not be the one of their types."""
        return self.are_odd and self.may_hide(*texts)

    def may_be(self, kind: type) -> bool:
        """Whether a value that reads as one of a type may be of a class of the program."""
        return kind in VALUES and (self.kinds is None or kind in self.kinds)

    def may_stand_for(self, text: str | None) -> bool:
        """Whether a value itself, whatever is in it, may be an object of the program."""
        if text is None or not self.may_be_any:
            return False
        try:
            return self.kinds is None or not self.kinds.isdisjoint(itertools.islice(_literals(text), 1))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return True


def _doubtful_names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names of values that read like calls, and may be something else than those of Python.

    A class is called as one; or the context is changed in which decimals are computed.
    """
    for node in nodes:
        words = getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")
        if not CONTEXT.isdisjoint(words):
            yield "Decimal"
        if isinstance(node, ast.ClassDef) and node.name in READERS:
            yield node.name


def _behaves_otherwise(
    node: ast.ClassDef, classes: Mapping[str, ast.ClassDef], kinds: Iterable[type]
) -> bool:
    """Whether a class puts anything in the place of what types of values have that it derives from."""
    own, names = [node], set[str]()
    for kind in own:
        names |= bound_in(kind)
        bases = [classes[name] for base in kind.bases if (name := last_name(base)) in classes]
        own += [base for base in bases if base not in own]
    return any(name.startswith("__") or hasattr(kind, name) for name in names - _HARMLESS for kind in kinds)


def _sets_attribute(node: ast.AST) -> bool:
    """Whether a statement may give a class something."""
    if not isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Load):
        return False
    return not (isinstance(node.value, ast.Name) and node.value.id == "self")


def _has_records(node: ast.AST, imports: Imports) -> bool:
    """Whether an expression may give a tuple that has names for its items."""
    if isinstance(node, ast.Name):
        module, part = imports.certain.get(node.id, ("", ""))
        return module in ("grp", "pwd", "resource") or (module in ("os", "sys", "time") and part in _RECORDS)
    if not isinstance(node, ast.Attribute):
        return False
    is_module = isinstance(node.value, ast.Name) and imports.module(node.value.id) in ("os", "sys", "time")
    return node.attr in ("timetuple", "utctimetuple") or (is_module and node.attr in _RECORDS)


def _makes_class(node: ast.Call) -> bool:
    """Whether a call may make a class whose bases are not looked at."""
    name = last_name(node.func)
    is_starred = any(isinstance(item, ast.Starred) for item in node.args)
    return name in _MAKING or (name == "type" and (is_starred or len(node.args) + len(node.keywords) > 2))


def _namedtuples(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield what is bound to a call that makes a named tuple."""
    for node in nodes:
        value = node.value if isinstance(node, ast.Assign) else None
        if (
            isinstance(node, ast.Assign)
            and isinstance(value, ast.Call)
            and last_name(value.func) == "namedtuple"
        ):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _has_repr(node: ast.ClassDef) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == "__repr__" for item in node.body)


def _kinds(
    node: ast.ClassDef, own: Collection[str], imports: Imports, stored: Collection[str]
) -> frozenset[type] | None:
    """Return the types of values that objects of a class read as because of its bases; None if not known."""
    found: set[type] = set()
    for base in node.bases:
        name = last_name(base.func if isinstance(base, ast.Call) else base)
        kind = object if name in own else _class(base, imports, stored)
        if kind is None:
            return None
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return frozenset()
        found.update(value for value in VALUES if isinstance(kind, type) and issubclass(kind, value))
    return frozenset() if _has_repr(node) else frozenset(found)


def _class(base: ast.expr, imports: Imports, stored: Collection[str]) -> Any:
    """Return the class of Python, or what else of its library, that a base is; None where it is not known."""
    while isinstance(base, ast.Call | ast.Subscript):
        base = base.func if isinstance(base, ast.Call) else base.value
    name, module, part = last_name(base), "", last_name(base)
    if isinstance(base, ast.Name):
        module, part = imports.certain.get(name, ("" if name in stored else "builtins", name))
    elif isinstance(base, ast.Attribute):
        module = imports.module(ast.unparse(base.value))
    if module == "builtins":
        return getattr(builtins, part, None)
    if module not in _LIBRARY or not imports.is_trusted:
        return None
    found = getattr(importlib.import_module(module), part, None)
    return typing.get_origin(found) or found


def _literals(text: str) -> Iterator[type | str]:
    """Yield the types of the literals in a text, and the names in it."""
    for node in ast.walk(ast.parse(with_places(text)[0], mode="eval").body):
        if isinstance(node, ast.Constant):
            yield type(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield str
        elif isinstance(node, ast.Name):
            yield float if node.id in ("inf", "nan") else node.id
        elif type(node) in _DISPLAYS:
            yield _DISPLAYS[type(node)]
