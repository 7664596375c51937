"""The members that the body of an enumeration makes, and how they read: ``<Color.RED: 1>``.

Only bodies that are written out in full: members with values that cannot change, or ``auto()``; methods that
have no say in what members are.

Source: https://docs.python.org/3/library/enum.html
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.expressions import Undecided
from opencwm.debugger.foreseeing.pure_values import is_fixed, text_of
from opencwm.debugger.foreseeing.qualified_names import FunctionNode

MAX_CHARS: Final = 100
"""Longer values of members may be cut somewhere."""
_TAKEN: Final = frozenset({"name", "value", "mro"})
_HARMLESS: Final = frozenset(
    """__lt__ __le__ __gt__ __ge__ __add__ __sub__ __mul__ __or__ __and__ __call__ __str__ __bool__
    __len__ __iter__ __contains__ __getitem__ __int__ __index__ __format__ _missing_""".split()  # noqa: SIM905 - it reads better
)
"""Special methods that leave alone what members are, and how they are compared for being the same."""
_DECORATORS: Final = frozenset({"property", "classmethod", "staticmethod"})
"""What makes of a method what is no member."""


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A member of an enumeration.

    Attributes:
        kind: its class, by name.
        name: its own, the first one that its value was given.
        value: how that reads.
    """

    kind: str
    name: str
    value: str

    @property
    def text(self) -> str:
        """How it reads."""
        return f"<{self.kind}.{self.name}: {self.value}>"


def members_of(
    node: ast.ClassDef, constants: Mapping[str, str], mixed_with: type | None
) -> dict[str, Member] | None:
    """Return the members of an enumeration by name, those of aliases too; None where they are not certain.

    Args:
        node: its class.
        constants: how names of the module read that stand for the same always.
        mixed_with: the type that its members are of as well.
    """
    found: dict[str, Member] = {}
    values: list[Any] = []
    methods: set[str] = set()
    for part in node.body:
        if isinstance(part, FunctionNode):
            if not _is_harmless(part, constants) or part.name in methods - _with_setters(part):
                return None
            methods.add(part.name)
            continue
        names = _names(part)
        if names is None:
            return None
        for value in _values(part, constants, values, mixed_with) if names else ():
            first = next((other for other in found.values() if _is_same(other, value)), None)
            for name in names:
                if name in found:
                    return None
                found[name] = first or Member(node.name, names[0], text_of(value))
            values.append(value)
        if not set(names) <= found.keys():
            return None
    return found if methods.isdisjoint(found) and _are_apart(found, values) else None


def _is_harmless(node: ast.FunctionDef | ast.AsyncFunctionDef, constants: Mapping[str, str]) -> bool:
    """Whether a function in the body of an enumeration is no member, and leaves alone what members are."""
    is_special = node.name.startswith("_") and node.name not in _HARMLESS
    if node.name in _TAKEN or (is_special and (node.name.startswith("__") or node.name.endswith("_"))):
        return False
    for decorator in node.decorator_list:
        name = ast.unparse(decorator)
        is_way = isinstance(decorator, ast.Attribute) and name in (
            f"{node.name}.setter",
            f"{node.name}.getter",
        )
        if not is_way and (name not in _DECORATORS or constants.get(name) != f"<class '{name}'>"):
            return False
    return True


def _with_setters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the name of a function if it is another way of a property of that name."""
    return {node.name} if any(isinstance(item, ast.Attribute) for item in node.decorator_list) else set()


def _names(part: ast.stmt) -> list[str] | None:
    """Return the names that a statement of a body makes members of; None where that is not certain."""
    if isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)):
        return []
    targets: Sequence[ast.expr] = ()
    if isinstance(part, ast.Assign):
        targets = part.targets
    elif isinstance(part, ast.AnnAssign) and part.value is not None:
        targets = [part.target]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    are_told = names and len(names) == len(targets) and not any(map(_is_no_member, names))
    return names if are_told else None


def _is_no_member(name: str) -> bool:
    return name.startswith("_") or name in _TAKEN


def _values(
    part: ast.stmt, constants: Mapping[str, str], before: Sequence[Any], mixed_with: type | None
) -> Iterator[Any]:
    """Yield the value that a statement gives members; nothing where it is not certain."""
    node = getattr(part, "value", None)
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        called = ast.unparse(node.func)
        is_auto = constants.get(called) == "<class 'enum.auto'>"
        root, _, last = called.rpartition(".")
        is_auto |= last == "auto" and constants.get(root) == "<module 'enum'>"
        is_counted = all(type(value) is int for value in before) and mixed_with in (None, int)
        if is_auto and is_counted and (not before or before[-1] == max(before)):
            yield before[-1] + 1 if before else 1
        return
    try:
        value = ast.literal_eval(node) if node is not None else None
        is_told = is_fixed(value) and value == value and len(text_of(value)) <= MAX_CHARS
    except (ValueError, Undecided):
        return
    if is_told and (mixed_with is None or type(value) is mixed_with):
        yield value


def _is_same(member: Member, value: Any) -> bool:
    """Whether a member has a value already."""
    return member.value == text_of(value)


def _are_apart(members: Mapping[str, Member], values: Sequence[Any]) -> bool:
    """Whether values that read otherwise are other ones: 1 and 1.0 are not."""
    texts = {member.text for member in members.values()}
    return bool(texts) and len(set(values)) == len(texts)
