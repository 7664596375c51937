"""What an object is after one of its attributes was set, from its rendering.

The tracer renders an object by its attributes, in the order they were set first:
``Node(value=1, next=None)``. To set one is to put a text in its place, as long as nothing of the program has
a say in it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.class_constants import NOTHING, class_constants, fixed_in
from opencwm.debugger.foreseeing.class_stores import set_on_classes
from opencwm.debugger.foreseeing.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.foreseeing.object_shapes import (
    ROOTS,
    Shape,
    bound_in,
    is_dataclass,
    last_name,
    linearized,
    mangled,
    shape_of,
)
from opencwm.debugger.foreseeing.rendered import MAX_CHARS
from opencwm.debugger.foreseeing.shown import is_cut, nesting, text_at, with_places

MAX_NESTING: Final = 6
"""Brackets within brackets of an object that is stored: what is deeper may be cut."""
_HOOKS: Final = frozenset({"__set__", "__set_name__", "__dict__", "setattr", "vars"})
"""What mentions of these may do to any object is not looked into."""
_OWN_HOOKS: Final = frozenset({"__setattr__", "__getattribute__"})
_DECORATORS: Final = frozenset({"dataclass", "total_ordering", "final", "runtime_checkable"})
"""Of classes: they leave alone what setting an attribute does, unless they are told to freeze objects."""
_EXCEPTIONS: Final = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Attributes:
    """What a program says of setting attributes.

    Attributes:
        is_plain: nothing in it hints at more than attributes that are set by name.
        managed: names that are more than attributes: those of decorated methods.
        bare: classes of the program that have no say in what setting an attribute does: undecorated, without
            a metaclass and without other bases than such.
        shapes: of those among them whose objects do not simply show one attribute after the other; None where
            it is not known what they show.
        exceptions: classes of the same kind that derive from exceptions, which do not show attributes.
        lines: of classes that are bare, they and those that they inherit from, in Python's order.
        constants: what the bodies of classes bind to values that cannot change, by class and name; None where
            it is bound to anything else.
        set_on_classes: names of attributes that may be set on a class.
        frozen: classes whose objects refuse that their attributes are set, or may do so.
        refusing: those among them that refuse it of every attribute.
    """

    is_plain: bool = False
    managed: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()
    shapes: Mapping[str, Shape | None] = dataclasses.field(default_factory=dict)
    exceptions: frozenset[str] = frozenset()
    lines: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    constants: Mapping[tuple[str, str], str | None] = dataclasses.field(default_factory=dict)
    set_on_classes: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()
    refusing: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        tree: ast.Module,
        texts: Mapping[str, str] = MappingProxyType({}),
        functions: Builtins = NOTHING,
    ) -> Attributes:
        """Read the classes of a program.

        Args:
            tree: the program.
            texts: how names of its module read that stand for the same always.
            functions: those of Python that its names stand for.
        """
        managed: set[str] = set()
        bases: dict[str, list[str]] = {}
        classes: dict[str, ast.ClassDef] = {}
        is_plain_ = True
        for node in nodes_of(tree):
            is_plain_ &= _HOOKS.isdisjoint(getattr(node, field, "") for field in ("id", "attr", "name"))
            is_plain_ &= not _sets_class(node)
            if not isinstance(node, ast.ClassDef):
                continue
            is_plain_ &= node.name not in bases
            bases[node.name] = [_base_name(base) for base in node.bases]
            classes[node.name] = node
            if not _is_harmless(node) or not _OWN_HOOKS.isdisjoint(bound_in(node)):
                bases[node.name].append("")
            managed |= _managed_in(node, dict(fixed_in(node, texts, functions)))
        bare = _deriving(bases, ROOTS)
        shapes = {name: shape_of(name, classes) for name in sorted(bare)}
        lines = dict(_lines({name: bases[name] for name in bare}))
        set_later = set_on_classes(tree)
        return cls(
            is_plain_,
            frozenset(managed),
            bare | ROOTS,
            {name: shape for name, shape in shapes.items() if shape != Shape()},
            _deriving(bases, ROOTS | _EXCEPTIONS) - bare,
            lines,
            class_constants({name: classes[name] for name in bare}, set_later, texts, functions),
            set_later,
            frozenset(
                name for name in bare if any(_is_frozen(classes[own]) for own in lines.get(name, [name]))
            ),
            frozenset(name for name in bare if "frozen=True" in _options(classes[name])),
        )

    def read(self, text: str, name: str, owner: str = "") -> str | None:
        """Return how an attribute reads in the rendering of its object; None where that is not certain.

        Args:
            text: the object.
            name: of the attribute, as it is written.
            owner: class in whose body it is written, empty for none.
        """
        name = mangled(name, owner)
        if not self.is_plain or name in self.managed or name.startswith("__"):
            return None
        found = self._parts(text)
        if found is None:
            return None
        kind, parts = found
        return parts[name] if name in parts else self._inherited(kind, name)

    def read_of_class(self, kind: str, name: str, owner: str = "") -> str | None:
        """Return how an attribute of a class of the program reads; None where that is not certain.

        Args:
            kind: the class, by name.
            name: of the attribute, as it is written.
            owner: class in whose body it is written, empty for none.
        """
        name = mangled(name, owner)
        if not self.is_plain or name in self.managed or name.startswith("__"):
            return None
        return self._inherited(kind, name)

    def _inherited(self, kind: str, name: str) -> str | None:
        """Return how an attribute reads that an object has from its class alone; None where not certain."""
        shape = self.shapes.get(kind, Shape())
        if shape is None or shape.fields is not None or name in shape.slots:
            return None
        for owner in self.lines.get(kind, ()):
            if (owner, name) in self.constants:
                return self.constants[owner, name]
        return None

    def tells_all(self, text: str) -> bool:
        """Whether a rendered object shows all the attributes that it has itself."""
        found = self._parts(text) if self.is_plain else None
        shape = self.shapes.get(found[0], Shape()) if found is not None else None
        return shape is not None and shape.fields is None

    def shows(self, text: str, name: str) -> bool:
        """Whether setting an attribute of a rendered object sets what it shows, and does nothing else."""
        if not self.is_plain or name in self.managed:
            return False
        if text.partition("(")[0] in self.frozen:
            return False
        return self._parts(text) is not None or self._hides(text, name)

    def refuses(self, text: str | None, name: str) -> str | None:
        """Return the exception, as it reads, by which an object refuses that an attribute is set."""
        if not self.is_plain or text is None or text.partition("(")[0] not in self.refusing:
            return None
        found = self._parts(text)
        return None if found is None else f"FrozenInstanceError({f'cannot assign to field {name!r}'!r})"

    def _hides(self, text: str, name: str) -> bool:
        """Whether an object is a function, or an exception, which do not show attributes that are set."""
        if name.startswith("__") or name == "args":
            return False
        return _FUNCTION.fullmatch(text) is not None or (
            text.partition("(")[0] in self.exceptions and text.endswith(")")
        )

    def _parts(self, text: str) -> tuple[str, dict[str, str]] | None:
        """Return the class and the attributes of a rendered object of a bare class, None for any other."""
        if not text.endswith(")") or is_cut(text) or text.partition("(")[0] not in self.bare:
            return None
        marked, places = with_places(text)
        try:
            tree = ast.parse(marked, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
            return None
        parts = {part.arg: text_at(part.value, marked, places) for part in tree.keywords if part.arg}
        kind = tree.func.id
        return (kind, parts) if _written(kind, parts) == text else None

    def after_store(
        self,
        text: str | None,
        name: str,
        value: str | None,
        symbol: str = "",
        owner: str = "",
        *,
        is_forced: bool = False,
    ) -> str | None:
        """Return an object after ``object.name = value``; None where that is not certain.

        Args:
            text: its rendering before.
            name: of the attribute, as it is written.
            value: its rendering: of literals, or of objects that cannot hold this one.
            symbol: of an operator, for ``object.name += value`` and the like.
            owner: class in whose body it is written, empty for none.
            is_forced: by ``object.__setattr__``, which frozen objects do not refuse.
        """
        name = mangled(name, owner)
        if not self.is_plain or text is None or value is None or name in self.managed:
            return None
        if self._hides(text, name):
            return text
        found = self._parts(text)
        if found is None or name.startswith("__"):
            return None
        kind, parts = found
        if kind in self.frozen and not is_forced:
            return None
        if symbol:
            try:
                value = evaluate(f"({parts[name]}) {symbol} ({value})", {}).text
            except (KeyError, ExpressionError, Undecided):
                return None
        shape = self.shapes.get(kind, Shape())
        if shape is None or not reads_the_same_inside(value, text):
            return None
        shown = shape.after_store(parts, name, value)
        changed = None if shown is None else _written(kind, shown)
        return changed if changed is not None and len(changed) <= MAX_CHARS else None


_FUNCTION: Final = re.compile(r"<function [\w.<>]+>")


def reads_the_same_inside(value: str, holder: str) -> bool:
    """Whether a value reads inside an object as by itself: it does not hold it, and is not cut."""
    marked, _ = with_places(value)
    outside = re.sub(_STRINGS, "''", marked)
    if is_cut(value) or holder in value or nesting(outside) > MAX_NESTING:
        return False
    try:
        ast.parse(marked, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return "<" not in outside


_STRINGS: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)


def _sets_class(node: ast.AST) -> bool:
    """Whether an object is given another class."""
    return isinstance(node, ast.Attribute) and node.attr == "__class__" and not isinstance(node.ctx, ast.Load)


def _deriving(bases: Mapping[str, Sequence[str]], roots: frozenset[str]) -> frozenset[str]:
    """Return the classes that derive from each other and from ``roots`` only."""
    found = set(roots - bases.keys())
    while more := {name for name in bases.keys() - found if found.issuperset(bases[name])}:
        found |= more
    return frozenset(found & bases.keys())


def _base_name(node: ast.expr) -> str:
    """Return the name of a base that is a class of the program or one of :data:`ROOTS`; empty for others."""
    inner = node.value if isinstance(node, ast.Subscript) else node
    name = last_name(node)
    return name if isinstance(inner, ast.Name) or name in ROOTS else ""


def _is_frozen(node: ast.ClassDef) -> bool:
    """Whether a class is a dataclass whose objects are frozen, or may be."""
    return any(option.startswith("frozen=") for option in _options(node))


def _options(node: ast.ClassDef) -> list[str]:
    """Return what the decorators of a class are called with by name."""
    calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
    return [f"{option.arg}={ast.unparse(option.value)}" for call in calls for option in call.keywords]


def _lines(bases: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in bases:
        with contextlib.suppress(ValueError):
            yield name, linearized(name, bases)


def _managed_in(node: ast.ClassDef, fixed: Collection[str]) -> set[str]:
    """Return the names of a class that may be more than attributes: none of those that are ``fixed``."""
    found = {
        inner.name
        for inner in node.body
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.decorator_list
    }
    has_fields = is_dataclass(node)
    for inner in node.body:
        if isinstance(inner, ast.Assign | ast.AnnAssign) and isinstance(inner.value, ast.Call):
            if has_fields and isinstance(inner, ast.AnnAssign) and last_name(inner.value.func) == "field":
                continue
            targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
            found |= {
                target.id for target in targets if isinstance(target, ast.Name) and target.id not in fixed
            }
    return found


def _is_harmless(node: ast.ClassDef) -> bool:
    """Whether decorators and the metaclass of a class have no say in setting attributes."""
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
        if last_name(call.func) not in _DECORATORS:
            return False
        if any(keyword.arg is None for keyword in call.keywords):
            return False
    return all(
        keyword.arg == "metaclass" and last_name(keyword.value) == "ABCMeta" for keyword in node.keywords
    )


def _written(kind: str, parts: dict[str, str]) -> str:
    return f"{kind}({', '.join(f'{name}={value}' for name, value in parts.items())})"
