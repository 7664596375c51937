"""How objects of the classes of a program show their attributes, read from the classes.

The tracer shows slots first, of base classes before others and sorted as Python sorts them, then attributes
in the order in which they were set; of dataclasses their fields. Nothing is run.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

ROOTS: Final = frozenset({"ABC", "object", "Generic", "Protocol"})
"""Classes from which nothing is inherited that matters here."""
_NO_FIELDS: Final = ("ClassVar", "InitVar", "KW_ONLY")
_SILENT: Final = frozenset({"final", "runtime_checkable", "total_ordering", "unique"})
"""Decorators of the standard library that leave a class as it is, but for comparisons that it lacks."""
_UNSHOWN_SLOTS: Final = frozenset({"__dict__", "__weakref__"})


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """How objects of a class show their attributes.

    Attributes:
        slots: names of its slots, in the order in which they are shown, before all others.
        has_others: whether it may have attributes that are no slots.
        fields: all that is shown, in order, where that is less than all there is.
    """

    slots: tuple[str, ...] = ()
    has_others: bool = True
    fields: tuple[str, ...] | None = None

    def after_store(self, parts: Mapping[str, str], name: str, value: str) -> dict[str, str] | None:
        """Return the attributes that are shown after one was set; None where that raises."""
        if self.fields is not None:
            if name not in self.fields and not self.has_others:
                return None
            shown = {**parts, name: value}
            return {field: shown[field] for field in self.fields if field in shown}
        if name not in parts and name in self.slots:
            shown = {**parts, name: value}
            rest = {other: text for other, text in shown.items() if other not in self.slots}
            return {slot: shown[slot] for slot in self.slots if slot in shown} | rest
        return {**parts, name: value} if name in parts or self.has_others else None


def mangled(name: str, owner: str) -> str:
    """Return what an attribute is called that is written in the body of a class."""
    if not owner.strip("_") or not name.startswith("__") or name.endswith("__"):
        return name
    return f"_{owner.lstrip('_')}{name}"


def linearized(name: str, bases: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return a class and those that it inherits from, in the order in which Python looks a name up in them.

    Args:
        name: of the class.
        bases: of each class of the program; others have nothing that matters here. No class is its own base.

    Raises:
        ValueError: Python would not make such a class.

    Source: https://docs.python.org/3/howto/mro.html
    """
    own = [base for base in bases[name] if base in bases]
    waiting = [list(linearized(base, bases)) for base in own] + [own]
    found = [name]
    while any(waiting):
        heads = [line[0] for line in waiting if line]
        free = [head for head in heads if all(head not in line[1:] for line in waiting)]
        if not free:
            raise ValueError(f"the bases of {name} have no common order")
        found.append(free[0])
        waiting = [[item for item in line if item != free[0]] for line in waiting]
    return tuple(found)


def shape_of(name: str, classes: Mapping[str, ast.ClassDef]) -> Shape | None:
    """Return how objects of a class show their attributes; None where that is not known."""
    line: list[ast.ClassDef] = []
    while name not in ROOTS:
        node = classes[name]
        line.insert(0, node)
        own = [base for base in map(last_name, node.bases) if base in classes]
        if len(own) > 1:
            return Shape() if not any(_has_a_say(item) for item in classes.values()) else None
        name = own[0] if own else "object"
    if any(map(is_dataclass, line)):
        return _shape_of_dataclass(line)
    slots: list[str] = []
    has_others = False
    for node in line:
        found = _slots(node)
        if found is None:
            return None
        has_others |= not _declares_slots(node) or "__dict__" in found
        slots += sorted(mangled(slot, node.name) for slot in found - _UNSHOWN_SLOTS)
    return Shape(tuple(slots), has_others)


def _has_a_say(node: ast.ClassDef) -> bool:
    return _declares_slots(node) or is_dataclass(node)


def _declares_slots(node: ast.ClassDef) -> bool:
    return "__slots__" in bound_in(node)


def _slots(node: ast.ClassDef) -> frozenset[str] | None:
    """Return the slots that a class declares itself; None where they are not written out."""
    if not _declares_slots(node):
        return frozenset()
    values = [
        inner.value
        for inner in node.body
        if isinstance(inner, ast.Assign) and [ast.unparse(item) for item in inner.targets] == ["__slots__"]
    ]
    if len(values) != 1:
        return None
    try:
        names = ast.literal_eval(values[0])
    except (ValueError, TypeError):
        return None
    names = (names,) if isinstance(names, str) else tuple(names)
    return frozenset(names) if all(isinstance(name, str) for name in names) else None


def is_dataclass(node: ast.ClassDef) -> bool:
    """Whether a class is decorated as a dataclass."""
    return any(
        last_name(item.func if isinstance(item, ast.Call) else item) == "dataclass"
        for item in node.decorator_list
    )


def is_only_dataclass(node: ast.stmt) -> bool:
    """Whether a statement is a class that is decorated as a dataclass, and in no other way."""
    return isinstance(node, ast.ClassDef) and len(node.decorator_list) == 1 and is_dataclass(node)


def is_decorated(node: ast.ClassDef) -> bool:
    """Whether a class has decorators that may make something else of it, or say how it is made."""
    return not _SILENT.issuperset(map(last_name, node.decorator_list))


def _shape_of_dataclass(line: Sequence[ast.ClassDef]) -> Shape | None:
    """Return how objects show themselves whose class, the last one, and all bases of it are dataclasses."""
    fields: dict[str, None] = {}
    for node in line:
        keywords = [
            keyword.arg
            for item in node.decorator_list
            if isinstance(item, ast.Call)
            for keyword in item.keywords
        ]
        is_usual = is_dataclass(node) and "repr" not in keywords and not _declares_slots(node)
        if not is_usual or "__repr__" in bound_in(node):
            return None
        for inner in node.body:
            if not isinstance(inner, ast.AnnAssign) or not isinstance(inner.target, ast.Name):
                continue
            annotation = ast.unparse(inner.annotation)
            if any(word in annotation for word in _NO_FIELDS) or _is_hidden(inner.value):
                return None
            fields[inner.target.id] = None
    return Shape(has_others=not any(map(_has_slots, line)), fields=tuple(fields))


def _has_slots(node: ast.ClassDef) -> bool:
    """Whether a class may be a dataclass that has slots."""
    calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
    return any(option.arg == "slots" for call in calls for option in call.keywords)


def _is_hidden(default: ast.expr | None) -> bool:
    """Whether a field of a dataclass may not be shown."""
    return isinstance(default, ast.Call) and any(item.arg in ("repr", None) for item in default.keywords)


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, empty for any other expression."""
    if isinstance(node, ast.Subscript):  # of a generic class
        node = node.value
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def bound_in(node: ast.ClassDef) -> set[str]:
    """Return the names that the body of a class binds."""
    found = {getattr(inner, "name", "") for inner in node.body}
    stored = (inner for part in node.body for inner in ast.walk(part) if isinstance(inner, ast.Name))
    return found | {inner.id for inner in stored if isinstance(inner.ctx, ast.Store)}
