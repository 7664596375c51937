"""What an object is after one of its attributes was set, from its rendering.

The tracer renders an object by its attributes, in the order they were set first:
``Node(value=1, next=None)``. To set one is to put a text in its place, as long as nothing of the program has
a say in it.
"""

from __future__ import annotations

import ast
import dataclasses
from typing import Final

from opencwm.debugger.expressions import Undecided, literal
from opencwm.debugger.rendered import is_plain

MAX_CHARS: Final = 200
"""A value that reads longer is left to the model, which has seen how the tracer cuts them."""
_HOOKS: Final = frozenset(
    {"__setattr__", "__getattribute__", "__slots__", "__set__", "__set_name__", "__dict__", "__class__"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Attributes:
    """What a program says of setting attributes.

    Attributes:
        is_plain: no class of it changes what setting an attribute does.
        managed: names that are more than attributes: those of decorated methods.
        bare: classes without bases and decorators, whose objects without attributes read ``Name()``.
    """

    is_plain: bool = False
    managed: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tree: ast.Module) -> Attributes:
        """Read the classes of a program."""
        managed: set[str] = set()
        bare: set[str] = set()
        is_plain_ = True
        for node in ast.walk(tree):
            is_plain_ &= _HOOKS.isdisjoint(getattr(node, field, "") for field in ("id", "attr", "name"))
            if not isinstance(node, ast.ClassDef):
                continue
            is_plain_ &= not node.decorator_list and not node.keywords
            if not node.bases:
                bare.add(node.name)
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
        return cls(is_plain_, frozenset(managed), frozenset(bare))

    def after_store(self, text: str | None, name: str, value: str | None) -> str | None:
        """Return an object after ``object.name = value``; None where that is not certain.

        Args:
            text: its rendering before.
            name: of the attribute.
            value: its rendering; of literals only, which hold no object.
        """
        if not self.is_plain or text is None or value is None or not text.endswith(")"):
            return None
        if name in self.managed or name.startswith("__") or "..." in text:
            return None
        try:
            is_literal = is_plain(literal(value))
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError, Undecided):
            return None
        if not is_literal or not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            return None
        kind = tree.func.id
        if tree.args or kind not in self.bare:
            return None
        parts = {
            part.arg: ast.get_source_segment(text, part.value) or "" for part in tree.keywords if part.arg
        }
        if _written(kind, parts) != text:
            return None
        changed = _written(kind, parts | {name: value})
        return changed if len(changed) <= MAX_CHARS else None


def _written(kind: str, parts: dict[str, str]) -> str:
    return f"{kind}({', '.join(f'{name}={value}' for name, value in parts.items())})"
