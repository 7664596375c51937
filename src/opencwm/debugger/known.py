"""What is known of a program before it runs."""

from __future__ import annotations

import ast
import builtins
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from opencwm.debugger.arguments import Functions
from opencwm.debugger.attributes import Attributes
from opencwm.debugger.expectations import Expected
from opencwm.debugger.expressions import ExpressionError, Result, Undecided, evaluate, parsed
from opencwm.debugger.rendered import is_plain
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer
from opencwm.tracer.sites import Site

BUILT_IN: Final = ("<built-in function ", *(f"<class '{name}'>" for name in vars(builtins)))
"""What rendered built-in functions and classes begin with."""
_VALUES: Final = frozenset({"int", "float", "str", "bytes", "list", "tuple", "dict", "set", "frozenset"})
_HARMLESS: Final = frozenset({"__init__", "__new__", "__repr__", "__str__", "__hash__"})
_VIEWS: Final = (".keys()", ".values()", ".items()")
_SETS: Final = frozenset({"set", "frozenset"})
_WITHOUT_ORDER: Final = frozenset({"len", "sorted", "min", "max", "any", "all", "bool"})


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of a program before it runs.

    Attributes:
        sites: of its rewritten syntax tree.
        constants: rendered values of functions and classes, by name.
        functions: its own functions.
        shared: names that a function of the program may rebind for another one.
        attributes: what its classes say of setting attributes.
        is_disguised: objects of its classes may read as values of built-in types, and not behave as such.
        apart: its functions that reach no object of a caller but what they are given, with their first lines.
    """

    sites: Sequence[Site]
    constants: Mapping[str, str]
    functions: Functions
    shared: frozenset[str] = frozenset()
    attributes: Attributes = dataclasses.field(default_factory=Attributes)
    is_disguised: bool = False
    apart: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def calculated(self, expected: Expected) -> str | None:
        """Return the value of a pure operation on literals; None for any other, and for one that raises."""
        found = self._worked_out(expected)
        if isinstance(found, Exception):
            return expected.at_end if isinstance(found, IndexError) else None
        return None if found is None else found.text

    def raised(self, expected: Expected) -> str | None:
        """Return the exception, as it reads, that a pure operation on literals raises; None for any other."""
        found = self._worked_out(expected)
        if not isinstance(found, Exception) or expected.at_end is not None:
            return None
        return Renderer(DEFAULT_LIMITS).render(found)

    def _worked_out(self, expected: Expected) -> Result | Exception | None:
        """Return what a pure operation on literals comes to; None for any other."""
        if expected.text is None or self.is_disguised:
            return None
        text, texts = expected.formula or (expected.text, {})
        try:
            nodes = list(ast.walk(parsed(text)))
            if any(isinstance(node, ast.Constant) and node.value is Ellipsis for node in nodes):
                return None  # a value that was cut
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            has_set = any(isinstance(node, ast.Set) for node in nodes) or not names.isdisjoint(_SETS)
            if has_set and not _ignores_order(nodes[1]):
                return None
            if not all(self.constants.get(name, "").startswith(BUILT_IN) for name in names - texts.keys()):
                return None
            found = evaluate(text, texts)
        except ExpressionError as error:
            return None if any(isinstance(node, ast.comprehension) for node in nodes) else error.raised
        except (SyntaxError, ValueError, RecursionError, MemoryError, Undecided):
            return None
        return None if text.endswith(_VIEWS) or not is_plain(found.value) else found


def _ignores_order(node: ast.AST) -> bool:
    """Whether the value of an expression is the same in whatever order the elements of sets come."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in _WITHOUT_ORDER
    return isinstance(node, ast.Compare)


def has_disguises(tree: ast.AST) -> bool:
    """Whether a class derives from a built-in type of values and has a say in how they behave."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        special = {
            item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if not bases.isdisjoint(_VALUES) and any(
            name.startswith("__") and name not in _HARMLESS for name in special
        ):
            return True
    return False
