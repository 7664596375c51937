"""Enumerations of a program: their members, and what operations on those give.

Only classes that derive from ``Enum`` alone, or from a type of Python with it, whose members are written out
and that have no say in what those are. A member reads ``<Color.RED: 1>``.

Source: https://docs.python.org/3/library/enum.html
"""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.bindings import names_by_string
from opencwm.debugger.foreseeing.enumeration_members import Member, members_of
from opencwm.debugger.foreseeing.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.foreseeing.object_shapes import is_decorated, last_name
from opencwm.debugger.foreseeing.pure_values import is_fixed
from opencwm.debugger.foreseeing.qualified_names import FunctionNode
from opencwm.debugger.foreseeing.shown import marked_tree, own_class, shown_literal, text_at, with_places

_ATOM: Final = r"""(?:-?\d+|None|True|False|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
MEMBER: Final = rf"<\w+\.\w+: (?:{_ATOM}|\((?:{_ATOM}(?:, |,?(?=\))))*\))>"
"""How members read whose values are plain."""
_BASES: Final[Mapping[tuple[str, ...], type | None]] = {
    ("Enum",): None,
    ("IntEnum",): int,
    ("int", "Enum"): int,
    ("StrEnum",): str,
    ("str", "Enum"): str,
}
"""What an enumeration may derive from, with the type that its members are of as well."""
_WITHIN: Final = frozenset(
    {"_value_", "_name_", "_sort_order_", "_member_map_", "_member_names_", "_value2member_map_"}
)
"""What members, and their classes, are kept in."""
_SAME: Final = (ast.Is, ast.Eq)
_OTHER: Final = (ast.IsNot, ast.NotEq)


@dataclasses.dataclass(frozen=True, slots=True)
class Enumerations:
    """The enumerations of a program.

    Attributes:
        members: by class and name, in order; aliases among them.
        classes: their definitions.
        mixed: classes of which the members are values of a type of Python as well.
        by_text: members by how they read.
    """

    members: Mapping[str, Mapping[str, Member]] = dataclasses.field(default_factory=dict)
    classes: Mapping[str, ast.ClassDef] = dataclasses.field(default_factory=dict)
    mixed: frozenset[str] = frozenset()
    by_text: Mapping[str, Member] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, constants: Mapping[str, str]) -> Enumerations:
        """Read a program; ``constants`` say how names of its module read that stand for the same always."""
        if not any(
            constants.get(name, "").startswith(("<class 'enum.", "<module 'enum'")) for name in constants
        ):
            return cls()
        nodes = nodes_of(tree)
        if names_by_string(tree) or any(map(_is_within, nodes)):
            return cls()
        times = collections.Counter(
            node.name for node in nodes if isinstance(node, FunctionNode | ast.ClassDef)
        )
        members: dict[str, Mapping[str, Member]] = {}
        classes: dict[str, ast.ClassDef] = {}
        mixed: set[str] = set()
        for node in tree.body:
            if not isinstance(node, ast.ClassDef) or node.keywords or is_decorated(node):
                continue
            if any(last_name(decorator) in times for decorator in node.decorator_list):
                continue  # the program's own ``unique``
            is_once = constants.get(node.name) == f"<class 'program.{node.name}'>" and times[node.name] == 1
            bases = tuple(_base(base, constants) for base in node.bases)
            found = members_of(node, constants, _BASES[bases]) if is_once and bases in _BASES else None
            if found:
                members[node.name], classes[node.name] = found, node
                mixed |= {node.name} if _BASES[bases] is not None else set()
        by_text = {member.text: member for own in members.values() for member in own.values()}
        return cls(members, classes, frozenset(mixed), by_text)

    def kind_of(self, text: str) -> str:
        """Return the class of a member, as it reads; empty for anything else."""
        found = self.by_text.get(text)
        return "" if found is None else found.kind

    def plain_kind_of(self, text: str) -> str:
        """Return the same of a member that is nothing else besides."""
        kind = self.kind_of(text)
        return "" if kind in self.mixed else kind

    def items(self, text: str) -> list[str]:
        """Return how the members read of an enumeration, as that reads; none for anything else."""
        members = self.members.get(own_class(text), {})
        return list(dict.fromkeys(member.text for member in members.values()))

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
            left, right = at(node.left), node.comparators[0]
            others = [at(item) for item in right.elts] if isinstance(right, _DISPLAYS) else None
            return self._compared(left, node.ops[0], at(right), others)
        return None

    def operated(self, text: str, builtins: Builtins) -> str | None:
        """Return what an operation gives on members that are integers or strings as well; None for any other.

        Args:
            text: an operation with an operator on values that are no objects of the program otherwise.
            builtins: functions of Python that names of the program stand for.
        """
        if not self.mixed or not any(name in text for name in self.mixed):
            return None
        found = marked_tree(text)
        if found is None or not isinstance(found[0], ast.BinOp | ast.Compare):
            return None
        node, marked, places = found
        assert isinstance(node, ast.BinOp | ast.Compare)  # noqa: S101 - just found out
        operands = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.left, *node.comparators]
        is_identity = isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Is | ast.IsNot) for op in node.ops
        )
        if is_identity or len(operands) != len(_BOTH):
            return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return None  # it may put members in words
        values = [self._as_value(text_at(part, marked, places)) for part in operands]
        if None in values:
            return None
        symbols = marked[operands[0].end_col_offset : operands[1].col_offset] if marked.isascii() else ""
        symbol = symbols.strip("() ")
        try:
            made = evaluate(f"left {symbol} right", dict(zip(_BOTH, values, strict=True)), builtins=builtins)  # type: ignore[arg-type]
        except (ExpressionError, Undecided):
            return None
        return made.text if symbol and is_fixed(made.value) else None

    def _as_value(self, text: str) -> str | None:
        """Return the value that a member is as well, or that a text without objects reads as."""
        member = self.by_text.get(text)
        if member is not None:
            return member.value if member.kind in self.mixed and self._is_left_alone(member.kind) else None
        try:
            return text if is_fixed(shown_literal(text)) and not with_places(text)[1] else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def _is_left_alone(self, kind: str) -> bool:
        """Whether a class has no special methods of its own."""
        parts = self.classes[kind].body
        return not any(isinstance(part, FunctionNode) and part.name.startswith("__") for part in parts)

    def _compared(self, left: str, op: ast.cmpop, right: str, others: Sequence[str] | None) -> str | None:
        """Return what a comparison of members gives, or of one with those in a list."""
        if others is not None and isinstance(op, ast.In | ast.NotIn):
            members = [self.by_text.get(text) for text in (left, *others)]
            first = members[0]
            if first is None or any(item is None or item.kind != first.kind for item in members):
                return None
            return repr((left in others) is isinstance(op, ast.In))
        one, other = self.kind_of(left), self.kind_of(right)
        if not one or not other or (one != other and {one, other} & self.mixed):
            return None
        same = isinstance(op, _SAME)
        return repr((left == right) is same) if same or isinstance(op, _OTHER) else None

    def _text(self, name: str, member: object) -> str | None:
        """Return how a member reads by the names of its class and its own."""
        found = self._members(name).get(member) if isinstance(member, str) else None
        return None if found is None else found.text

    def _part(self, text: str, attribute: str) -> str | None:
        found = self.by_text.get(text)
        if found is None:
            return None
        own = f"<class 'program.{found.kind}'>"
        told = {"name": repr(found.name), "value": found.value, "__class__": own}
        return told.get(attribute)

    def _called(self, name: str, argument: str) -> str | None:
        """Return what a class gives for a value: the member that has it."""
        members = self._members(name).values()
        return next((member.text for member in members if argument in (member.value, member.text)), None)

    def _members(self, name: str) -> Mapping[str, Member]:
        """Return the members of a class, as it is written or reads."""
        return self.members.get(own_class(name) or name, {})


_BOTH: Final = ("left", "right")
_DISPLAYS: Final = (ast.Tuple, ast.List, ast.Set)


def _base(node: ast.expr, constants: Mapping[str, str]) -> str:
    """Return the name of a class that an enumeration may derive from; empty for any other."""
    text = ast.unparse(node)
    root, _, name = text.rpartition(".")
    if root:
        return name if constants.get(root) == "<module 'enum'>" else ""
    known = constants.get(text, "").removeprefix("<class '").removesuffix("'>")
    return known.removeprefix("enum.") if known in ("int", "str") or known.startswith("enum.") else ""


def _is_within(node: ast.AST) -> bool:
    """Whether a part of a program may look at what members are kept in."""
    words = [getattr(node, field, "") for field in ("id", "attr", "value", "name")]
    return any(isinstance(word, str) and word in _WITHIN for word in words)
