"""What an object is after one of its attributes was set, from its rendering.

The tracer renders an object by its attributes, in the order they were set first:
``Node(value=1, next=None)``. To set one is to put a text in its place, as long as nothing of the program has
a say in it.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.expressions import ExpressionError, Undecided, evaluate, literal
from opencwm.debugger.rendered import MAX_CHARS, is_plain
from opencwm.debugger.shown import nesting

MAX_NESTING: Final = 3
"""Brackets within brackets of an object that is stored: what is deeper may be cut."""
_LITERAL: Final = (
    ast.Constant
    | ast.List
    | ast.Tuple
    | ast.Dict
    | ast.UnaryOp
    | ast.USub
    | ast.Name
    | ast.keyword
    | ast.Load
)
_HOOKS: Final = frozenset({"__set__", "__set_name__", "__dict__", "__class__", "setattr"})
"""What mentions of these may do to any object is not looked into."""
_OWN_HOOKS: Final = frozenset({"__setattr__", "__getattribute__"})
_DECORATORS: Final = frozenset({"dataclass", "total_ordering", "final", "runtime_checkable"})
"""Of classes: they leave alone what setting an attribute does, unless they are told to freeze objects."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attributes:
    """What a program says of setting attributes.

    Attributes:
        is_plain: nothing in it hints at more than attributes that are set by name.
        managed: names that are more than attributes: those of decorated methods.
        bare: classes of the program that have no say in what setting an attribute does: undecorated, without
            a metaclass and without other bases than such.
        slotted: those among them with ``__slots__``, which decide the order of attributes.
    """

    is_plain: bool = False
    managed: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()
    slotted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tree: ast.Module) -> Attributes:
        """Read the classes of a program."""
        managed: set[str] = set()
        bases: dict[str, list[str]] = {"ABC": [], "object": []}
        slotted: set[str] = set()
        is_plain_ = True
        for node in nodes_of(tree):
            is_plain_ &= _HOOKS.isdisjoint(getattr(node, field, "") for field in ("id", "attr", "name"))
            if not isinstance(node, ast.ClassDef):
                continue
            is_plain_ &= node.name not in bases
            bases[node.name] = [_last_name(base) for base in node.bases]
            bound = _bound_in(node)
            if not _is_harmless(node) or not _OWN_HOOKS.isdisjoint(bound):
                bases[node.name].append("")
            if "__slots__" in bound:
                slotted.add(node.name)
            managed |= {
                inner.name
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.decorator_list
            }
            managed |= {
                target.id
                for inner in node.body
                if isinstance(inner, ast.Assign | ast.AnnAssign) and isinstance(inner.value, ast.Call)
                for target in (inner.targets if isinstance(inner, ast.Assign) else [inner.target])
                if isinstance(target, ast.Name)
            }
        bare = set(bases)
        while foreign := {name for name in bare if not bare.issuperset(bases[name])}:
            bare -= foreign
        return cls(is_plain_, frozenset(managed), frozenset(bare), frozenset(slotted))

    def read(self, text: str, name: str) -> str | None:
        """Return how an attribute reads in the rendering of its object; None where that is not certain."""
        if not self.is_plain or name in self.managed or name.startswith("__"):
            return None
        found = self._parts(text)
        return found[1].get(name) if found is not None else None

    def shows(self, text: str, name: str) -> bool:
        """Whether setting an attribute of a rendered object sets what it shows, and does nothing else."""
        return self.is_plain and name not in self.managed and self._parts(text) is not None

    def _parts(self, text: str) -> tuple[str, dict[str, str]] | None:
        """Return the class and the attributes of a rendered object of a bare class, None for any other."""
        if not text.endswith(")") or "..." in text:
            return None
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
            return None
        parts = {
            part.arg: ast.get_source_segment(text, part.value) or "" for part in tree.keywords if part.arg
        }
        kind = tree.func.id
        return (kind, parts) if kind in self.bare and _written(kind, parts) == text else None

    def after_store(self, text: str | None, name: str, value: str | None, symbol: str = "") -> str | None:
        """Return an object after ``object.name = value``; None where that is not certain.

        Args:
            text: its rendering before.
            name: of the attribute.
            value: its rendering: of literals, or of objects that cannot hold this one.
            symbol: of an operator, for ``object.name += value`` and the like.
        """
        if not self.is_plain or text is None or value is None:
            return None
        found = self._parts(text)
        if found is None or name in self.managed or name.startswith("__"):
            return None
        kind, parts = found
        try:
            stored = ast.parse(value, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        if not self._may_hold(stored, value, kind) or (self.slotted and name not in parts):
            return None
        if symbol:
            try:
                value = evaluate(f"({parts[name]}) {symbol} ({value})", {}).text
            except (KeyError, ExpressionError, Undecided):
                return None
        changed = _written(kind, parts | {name: value})
        return changed if len(changed) <= MAX_CHARS else None

    def _may_hold(self, stored: ast.expr, value: str, kind: str) -> bool:
        """Whether a value reads the same inside an object of a class as by itself."""
        with contextlib.suppress(Undecided):
            return is_plain(literal(value))
        return nesting(value) <= MAX_NESTING and all(
            isinstance(node, _LITERAL)
            or (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in self.bare - {kind}
                and not node.args
            )
            for node in ast.walk(stored)
        )


def _is_harmless(node: ast.ClassDef) -> bool:
    """Whether decorators and the metaclass of a class have no say in setting attributes."""
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
        if _last_name(call.func) not in _DECORATORS:
            return False
        if any(keyword.arg in (None, "frozen", "slots") for keyword in call.keywords):
            return False
    return all(
        keyword.arg == "metaclass" and _last_name(keyword.value) == "ABCMeta" for keyword in node.keywords
    )


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _bound_in(node: ast.ClassDef) -> set[str]:
    """Return the names that the body of a class binds."""
    found = {getattr(inner, "name", "") for inner in node.body}
    stored = (inner for part in node.body for inner in ast.walk(part) if isinstance(inner, ast.Name))
    return found | {inner.id for inner in stored if isinstance(inner.ctx, ast.Store)}


def _written(kind: str, parts: dict[str, str]) -> str:
    return f"{kind}({', '.join(f'{name}={value}' for name, value in parts.items())})"
