"""What is known of a program before it runs."""

from __future__ import annotations

import ast
import builtins
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from opencwm.debugger.arguments import Functions
from opencwm.debugger.expectations import Expected
from opencwm.debugger.expressions import ExpressionError, Undecided, evaluate
from opencwm.debugger.rendered import is_plain
from opencwm.tracer.sites import Site

BUILT_IN: Final = ("<built-in function ", *(f"<class '{name}'>" for name in vars(builtins)))
"""What rendered built-in functions and classes begin with."""
_VIEWS: Final = (".keys()", ".values()", ".items()")


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of a program before it runs.

    Attributes:
        sites: of its rewritten syntax tree.
        constants: rendered values of functions and classes, by name.
        functions: its own functions.
    """

    sites: Sequence[Site]
    constants: Mapping[str, str]
    functions: Functions

    def calculated(self, expected: Expected) -> str | None:
        """Return the value of a pure operation on literals; None for any other, and for one that raises."""
        if expected.text is None:
            return None
        text, texts = expected.formula or (expected.text, {})
        try:
            names = {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}
            if not all(self.constants.get(name, "").startswith(BUILT_IN) for name in names - texts.keys()):
                return None
            value = evaluate(text, texts).value
        except ExpressionError as error:
            return expected.at_end if str(error).startswith("IndexError") else None
        except (SyntaxError, ValueError, RecursionError, MemoryError, Undecided):
            return None
        if text.endswith(_VIEWS) or not is_plain(value):
            return None
        return repr(value)
