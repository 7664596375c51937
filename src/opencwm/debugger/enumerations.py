"""Enumerations of a program: their members, and what operations on those give.

Only classes that derive from ``Enum`` alone, whose members are integers and strings written out and all
different, and that have no say in what they are. A member reads ``<Color.RED: 1>``.

Source: https://docs.python.org/3/library/enum.html
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opencwm.debugger.object_shapes import is_decorated
from opencwm.debugger.qualified_names import FunctionNode
from opencwm.debugger.shown import marked_tree, own_class, text_at

MEMBER: Final = r"<\w+\.\w+: (?:-?\d+|'[\w .,:/-]*')>"
"""How members read whose values are plain."""
_MEMBER: Final = re.compile(r"<(\w+)\.(\w+): .*>")
_PLAIN: Final = re.compile(r"[\w .,:/-]*")
_TAKEN: Final = frozenset({"name", "value", "mro"})
_HARMLESS: Final = frozenset(
    """__lt__ __le__ __gt__ __ge__ __add__ __sub__ __mul__ __or__ __and__ __call__ __str__ __bool__
    __len__""".split()  # noqa: SIM905 - it reads better
)
"""Special methods that leave alone what members are, and how they are compared for being the same."""
_SAME: Final = (ast.Is, ast.Eq)
_OTHER: Final = (ast.IsNot, ast.NotEq)

Members = Mapping[str, str]
"""Names of members, in order, with how their values read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Enumerations:
    """The enumerations of a program.

    Attributes:
        members: by class.
        classes: their definitions.
    """

    members: Mapping[str, Members] = dataclasses.field(default_factory=dict)
    classes: Mapping[str, ast.ClassDef] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, constants: Mapping[str, str]) -> Enumerations:
        """Read a program; ``constants`` say how names of its module read that stand for the same always."""
        imported = set(_imported(tree))
        members: dict[str, Members] = {}
        classes: dict[str, ast.ClassDef] = {}
        for node in tree.body:
            if not isinstance(node, ast.ClassDef) or node.keywords or is_decorated(node):
                continue
            is_once = constants.get(node.name) == f"<class 'program.{node.name}'>"
            if not is_once or [ast.unparse(base) in imported for base in node.bases] != [True]:
                continue
            found = _members(node)
            if found:
                members[node.name], classes[node.name] = found, node
        return cls(members, classes)

    def kind_of(self, text: str) -> str:
        """Return the class of a member, as it reads; empty for anything else."""
        found = _MEMBER.fullmatch(text)
        is_member = found is not None and self._text(found[1], found[2]) == text
        return found[1] if found is not None and is_member else ""

    def items(self, text: str) -> list[str]:
        """Return how the members read of an enumeration, as that reads; none for anything else."""
        name = own_class(text)
        return [f"<{name}.{key}: {value}>" for key, value in self.members.get(name, {}).items()]

    def answer(self, text: str) -> str | None:
        """Return the value of an expression that is about enumerations; None for any other."""
        if not self.members or not any(name in text for name in self.members):
            return None
        found = marked_tree(text)
        if found is None:
            return None
        node, marked, places = found

        def at(part: ast.expr) -> str:
            return text_at(part, marked, places)

        if isinstance(node, ast.Attribute):
            return self._text(at(node.value), node.attr) or self._part(at(node.value), node.attr)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return self._text(at(node.value), node.slice.value)
        if isinstance(node, ast.Call) and not node.keywords and len(node.args) == 1:
            return self._called(at(node.func), at(node.args[0]))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = at(node.left), at(node.comparators[0])
            if self.kind_of(left) and self.kind_of(right):
                same = isinstance(node.ops[0], _SAME)
                return repr((left == right) is same) if same or isinstance(node.ops[0], _OTHER) else None
        return None

    def _text(self, name: str, member: Any) -> str | None:
        """Return how a member reads by the names of its class and its own."""
        value = self.members.get(name, {}).get(member) if isinstance(member, str) else None
        return None if value is None else f"<{name}.{member}: {value}>"

    def _part(self, text: str, attribute: str) -> str | None:
        found = _MEMBER.fullmatch(text)
        if found is None or not self.kind_of(text):
            return None
        own = f"<class 'program.{found[1]}'>"
        told = {"name": repr(found[2]), "value": self.members[found[1]][found[2]], "__class__": own}
        return told.get(attribute)

    def _called(self, name: str, argument: str) -> str | None:
        """Return what a class gives for a value: the member that has it."""
        members = self.members.get(name, {})
        return next((self._text(name, key) for key, value in members.items() if value == argument), None)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the expressions by which a program calls ``Enum``."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "enum" and not node.level:
            yield from (item.name for item in node.names if item.name == "Enum" and item.asname is None)
        elif isinstance(node, ast.Import):
            yield from (f"{item.name}.Enum" for item in node.names if item.name == "enum" and not item.asname)


def _members(node: ast.ClassDef) -> Members | None:
    """Return the members of an enumeration; None where they are not all written out."""
    found: dict[str, str] = {}
    for part in node.body:
        if isinstance(part, FunctionNode):
            if (part.name.startswith("_") and part.name not in _HARMLESS) or part.name in _TAKEN:
                return None
        elif (
            isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name)
        ):
            name, value = part.targets[0].id, _value(part.value)
            if name.startswith("_") or name in _TAKEN or name in found or value is None:
                return None
            found[name] = value
        elif not isinstance(part, ast.Pass) and not (
            isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
        ):
            return None
    names = {part.name for part in node.body if isinstance(part, FunctionNode)}
    return found if len(set(found.values())) == len(found) and names.isdisjoint(found) else None


def _value(node: ast.expr) -> str | None:
    """Return how the value of a member reads; None where it is no plain integer or string."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    if type(value) is str:
        return repr(value) if _PLAIN.fullmatch(value) else None
    return repr(value) if type(value) is int else None
